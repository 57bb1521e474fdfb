"""The credit of one template, key or part of a site. No I/O.

Each unit begins with CREDIT fetches. One that brings nothing new costs one; one that
does earns GAIN, up to CREDIT. No more are under way at once than could end it, so that
a trap costs the same however many requests a host is sent at once.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from crawler.policy.traps import name_mazes
from crawler.policy.traps.relation import Relation
from crawler.policy.traps.templates import Level, Role, Shape

CREDIT = 32
GAIN = 4
FREE = 8
"""Pages of a unit that are never suspect."""
WIDE_CREDIT = 2 * CREDIT
"""The initial credit of a key on the whole host, and of a part of the site.

These are charged where no single template fails.
"""
MAX_INTERVAL = 32
STREAK, STREAK_OF_NAMES = 16, 4
"""The number of new pages after which a unit is examined half as often.

The limit is one page in MAX_INTERVAL. New names at the top are examined sooner, since
all pages of a site may have one.
"""


class SavedUnit(msgspec.Struct, frozen=True, array_like=True):
    """A unit that is out of memory."""

    name: str
    level: Level
    key: str
    entry: int
    fetched: int
    limit: int
    credit: int
    cuts: int
    streak: int
    countdown: int


class Unit:
    """What URLs that are counted together have earned."""

    __slots__ = (
        "countdown", "credit", "cuts", "entry", "fetched", "gain", "key", "level",
        "limit", "max_streak", "name", "streak", "under_way",
    )  # fmt: skip

    def __init__(self, role: Role, depth: int) -> None:
        self.name, self.level, self.key = role
        self.gain = GAIN if self.key == "/" else 1
        wide = role.level not in ("path", "key")
        self.limit = self.credit = WIDE_CREDIT if wide else CREDIT
        self.entry = depth
        """The least depth at which it was found."""
        self.fetched = 0
        self.under_way = 0
        self.cuts = 0
        """Narrower units that were cut in its place."""
        self.countdown = 1
        """Pages until it is looked at again."""
        self.streak = 0
        """Pages in a row that were looked at and were new."""
        self.max_streak = STREAK_OF_NAMES if role == name_mazes.ROLE else STREAK

    @classmethod
    def restored(cls, saved: SavedUnit) -> Unit:
        unit = cls(Role(saved.name, saved.level, saved.key), saved.entry)
        unit.fetched, unit.limit, unit.credit = saved.fetched, saved.limit, saved.credit
        unit.cuts, unit.streak = saved.cuts, saved.streak
        unit.countdown = saved.countdown
        return unit

    def saved(self) -> SavedUnit:
        """All but the pages that are under way."""
        return SavedUnit(
            self.name, self.level, self.key, self.entry, self.fetched, self.limit,
            self.credit, self.cuts, self.streak, self.countdown,
        )  # fmt: skip

    def is_full(self) -> bool:
        """Whether one more under way would be too many, if none brings anything new."""
        return self.streak < self.max_streak and self.under_way >= max(1, self.credit)

    def is_due(self) -> bool:
        """Whether this page is looked at. Counts it."""
        self.countdown -= 1
        return self.countdown <= 0

    def earn(self) -> None:
        """A page that was looked at is new."""
        self.reward()
        self.streak += 1
        self.countdown = min(MAX_INTERVAL, 1 << self.streak // self.max_streak)

    def reward(self) -> None:
        """A page that it led to is new."""
        self.credit = min(self.limit, self.credit + self.gain)

    def charge(self, price: int) -> bool:
        """A page that was looked at is not new. Whether the credit is used up."""
        self.streak = 0
        self.countdown = 1
        self.credit -= price
        return self.credit <= 0


Suspicion = Literal["", "self_linking", "alternate_view", "case_variant", "new_name"]
"""Why a page may bring nothing new.

Its units link to themselves, it is an alternate view of the page that links to it, it
was read under a case variant, or it opens a new name at the top.
"""


def self_linking(
    units: list[Unit], shape: Shape, depth: int, related: Relation
) -> list[Unit]:
    """The units that would link to themselves with a page."""
    return [
        unit
        for unit in units
        if unit.fetched >= FREE
        and (
            unit.key in related.return_to
            or (depth > unit.entry and unit.key in related.self_linking)
        )
        and _may_be_charged(unit, shape, related)
    ]


def _may_be_charged(unit: Unit, shape: Shape, related: Relation) -> bool:
    """Whether a unit of a URL may be charged.

    If the URL has keys, one of them is charged. A part is charged only if its URLs have
    folders, and if no better cause is known.

    If the URL has keys, one of them is charged. A part is charged only if its URLs have
    folders, and if no better cause is known.
    """
    if shape.keys:
        return unit.key != "/"
    return unit.level != "part" or (shape.combined and not related.alternate_view)


def alternate_views(units: list[Unit], related: Relation) -> list[Unit]:
    """The units by which a page would be an alternate view of its parent."""
    if not related.alternate_view:
        return []
    return [
        unit
        for unit in units
        if unit.fetched >= FREE
        and unit.key in related.alternate_view
        and unit.level != "part"
    ]
