"""A plug-in with whose module a crawl learns to die of bodies of a certain type."""

from __future__ import annotations

from crawler.extract.registry import READERS
from tests.helpers.poison import POISON_TYPE, die

READERS[POISON_TYPE] = die


class Poison:
    """It lets every URL pass."""

    def check(self, candidate: object) -> None:
        del candidate
