"""The user's rules about URLs: the list `scope.rules` of `+PATTERN` and `-PATTERN`.

The rules are the user's, the URLs are a stranger's. A backtracking matcher can be made
to run for years by a URL written for it, so rules are compiled by RE2, which takes time
linear in the URL's length and matches all rules in one pass. It has no lookaround and
no backreferences; a second rule with the other sign does what a lookahead would.
"""

from __future__ import annotations

import re2

from crawler.model.crawl import Skip
from crawler.model.errors import UsageError


class UrlFilters:
    """The last rule that matches a URL decides. Raises UsageError for one that is no
    rule."""

    def __init__(self, rules: tuple[str, ...]) -> None:
        options = re2.Options()
        options.log_errors = False  # we say it ourselves
        self._set = re2.Set.SearchSet(options)
        self._skips: list[Skip | None] = []
        for index, rule in enumerate(rules):
            self._set.Add(_pattern(index, rule, options))
            refuses = rule[0] == "-"
            self._skips.append(
                Skip("scope", f"scope.rules[{index}]: {rule}") if refuses else None
            )
        self._set.Compile()
        self._unmatched = Skip("scope", "scope.rules: matches no + rule")
        self._wanted_only = self._skips[0] is None

    def check(self, url: str, strict: bool) -> Skip | None:
        matching: list[int] = self._set.Match(url)
        if matching:
            return self._skips[max(matching)]
        return self._unmatched if strict and self._wanted_only else None


def _pattern(index: int, rule: str, options: re2.Options) -> str:
    sign, pattern = rule[:1], rule[1:]
    if sign not in ("+", "-") or not pattern:
        raise UsageError(
            f"scope.rules[{index}]: {rule!r} must be + (take) or - (leave) followed by a pattern"
        )
    if pattern.startswith("glob:"):
        return _glob(pattern.removeprefix("glob:"))
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        raise UsageError(
            f"scope.rules[{index}]: {rule!r} is no RE2 expression: {error.args[0].decode()}; "
            "RE2 has no lookaround and no backreferences"
        ) from None
    return pattern


def _glob(pattern: str) -> str:
    """The glob as a pattern for the whole URL: `*` any characters, `?` one."""
    wild = {"*": ".*", "?": "."}
    return (
        rf"\A(?s:{''.join(wild.get(char) or re2.escape(char) for char in pattern)})\z"
    )
