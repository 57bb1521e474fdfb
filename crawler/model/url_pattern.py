"""Patterns of URLs as users write them: RE2, or `glob:` and a pattern. No I/O."""

from __future__ import annotations

import re

import re2

GLOB = "glob:"
_PARENTHESES = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]", re.DOTALL)
"""And what may hold parentheses that group nothing: escapes, and classes."""
_NOT_IN_RE2 = re.compile(r"\(\?<?[=!]|\\[1-9]")


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
        raise ValueError(_explain(pattern, error.args[0].decode())) from None
    return pattern


def _explain(pattern: str, text: str) -> str:
    """What RE2 says of a pattern, and where that is."""
    if _NOT_IN_RE2.search(pattern):
        return f"{text}; RE2 has no lookaround and no backreferences"
    what, _, part = text.partition(": ")
    at = _parenthesis(pattern) if part == pattern else pattern.find(part)
    return text if at < 0 or not part else f"{what}, at character {at + 1}"


def _parenthesis(pattern: str) -> int:
    """The index of the first parenthesis that has no partner; -1 if each has one."""
    opened: list[int] = []
    for found in _PARENTHESES.finditer(pattern):
        if found[0] == "(":
            opened.append(found.start())
        elif found[0] == ")":
            if not opened:
                return found.start()
            opened.pop()
    return opened[0] if opened else -1
