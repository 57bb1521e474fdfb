"""Patterns of URLs as users write them: RE2, or `glob:` and a pattern. No I/O."""

from __future__ import annotations

import re2

GLOB = "glob:"


def expression(pattern: str) -> str:
    """The RE2 expression, to be searched for in a URL, that `pattern` stands for.

    A glob is for the whole URL: `*` any characters, `?` one. Raises ValueError, whose
    text says what is wrong.
    """
    if pattern.startswith(GLOB):
        wild = {"*": ".*", "?": "."}
        glob = pattern.removeprefix(GLOB)
        parts = [wild.get(char) or re2.escape(char) for char in glob]
        return rf"\A(?s:{''.join(parts)})\z"
    options = re2.Options()
    options.log_errors = False  # the ValueError says it
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(
            f"{error.args[0].decode()}; RE2 has no lookaround and no backreferences"
        ) from None
    return pattern
