"""Errors of rules and of their application."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from crawler.model.errors import ExtractFailure


class RuleError(ValueError):
    """A rule that cannot be understood; the message is a sentence for the user."""


class FieldFailure(ExtractFailure):
    """A page does not have what a rule requires."""


def near(word: str, words: Iterable[str]) -> str:
    """`; did you mean ...?`, or the words that there are."""
    known = list(words)
    found = get_close_matches(word, known, 1)
    return (
        f"; did you mean {found[0]!r}?"
        if found
        else f"; there are {', '.join(sorted(known))}"
    )
