"""The check of the user's URL filters: the option `scope.rules` decides.

It is a list of `+PATTERN` and `-PATTERN`, and the last that matches a URL decides.
Filters narrow the scope; none lets in what `scope.within` keeps out. Where none
matches, the first tells what the list is for: a list that begins with `+` names what is
wanted, and other pages are refused. Seeds, images and sitemaps are refused only by a
`-` that matches them: a user who gives `+/docs/` still wants to start at the front
page, and wants the images in those pages wherever they are stored.

The patterns are the user's, but the URLs come from the sites. A backtracking matcher
can be made to run for years by a URL written for it. So the patterns are compiled by
RE2, which takes time linear in the URL's length and matches all patterns in one pass.
It has no lookaround and no backreferences; a second filter with the other sign does
what a lookahead would.
"""

from __future__ import annotations

import re2

from crawler.model.crawl import Skip
from crawler.model.errors import UsageError
from crawler.model.url_pattern import expression
from crawler.policy.check import FOUND, Candidate
from crawler.policy.scope import NAMED_SITEMAPS


class UrlFilters:
    """One or more filters, in the order of the user.

    Raises UsageError for a filter that can't be understood.
    """

    name = "url_filters"
    moments = FOUND

    def __init__(self, rules: tuple[str, ...]) -> None:
        options = re2.Options()
        options.log_errors = False  # the UsageError says it
        self._set = re2.Set.SearchSet(options)
        self._skips: list[Skip | None] = []
        for index, rule in enumerate(rules):
            self._set.Add(_pattern(index, rule))
            refuses = rule[0] == "-"
            self._skips.append(
                Skip("scope", f"scope.rules[{index}]: {rule}") if refuses else None
            )
        self._set.Compile()
        self.refused = 0
        """Links so far that matched no `+` rule, where the list begins with one."""
        self.has_matched = False
        """Whether any link has matched such a rule."""
        self._unmatched = Skip("scope", "scope.rules: matches no + rule")
        self._wanted_only = self._skips[0] is None

    def check(self, candidate: Candidate) -> Skip | None:
        matching: list[int] = self._set.Match(candidate.url)
        if matching:
            if (skip := self._skips[max(matching)]) is None:
                self.has_matched = self.has_matched or candidate.depth > 0
            return skip
        if (
            not self._wanted_only
            or candidate.depth == 0
            or candidate.destination != "page"
            or candidate.kind in NAMED_SITEMAPS
        ):
            return None
        self.refused += 1
        return self._unmatched

    @property
    def pruned(self) -> int:
        """Links that were refused, if all were: the way to what matches is cut off."""
        return 0 if self.has_matched else self.refused


def _pattern(index: int, rule: str) -> str:
    sign, pattern = rule[:1], rule[1:]
    if sign not in ("+", "-") or not pattern:
        raise UsageError(
            f"scope.rules[{index}]: {rule!r} must be + (take) or - (leave)"
            " followed by a pattern"
        )
    try:
        return expression(pattern)
    except ValueError as error:
        raise UsageError(
            f"scope.rules[{index}]: {rule!r} is not a valid RE2 expression: {error}"
        ) from None
