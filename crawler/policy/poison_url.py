"""The check of poison URLs: those whose response crashes the process.

The crash guard (`workspace/crash_guard.py`) counts how often the process died while a
response was read. The first deaths are forgiven, since a `kill -9` from outside in that
very moment looks the same.
"""

from __future__ import annotations

from collections.abc import Callable

from crawler.model.crawl import Skip
from crawler.model.errors import ParseFailure
from crawler.policy.check import DUE, Candidate

MAX_DEATHS = 3
"""A URL whose response has crashed the process so often is not fetched again."""


class PoisonUrlCheck:
    """Ends a poison URL as an error. `deaths(url)` counts the crashes."""

    name = "poison_url"
    moments = DUE

    def __init__(self, deaths: Callable[[str], int]) -> None:
        self._deaths = deaths

    def check(self, candidate: Candidate) -> Skip | None:
        """Raises ParseFailure for a poison URL."""
        deaths = self._deaths(candidate.url)
        if deaths >= MAX_DEATHS:
            raise ParseFailure(f"the process died {deaths} times while it read this")
        return None
