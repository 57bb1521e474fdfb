"""What the templates, keys and parts of one host have earned, and what they have cost.
No I/O.

Each unit begins with CREDIT fetches. One that brings nothing new costs one; one that
does earns GAIN, up to CREDIT, for itself and for the list that led to it. No more are
under way at once than could end it, so that a trap costs the same however many requests
a host is asked at once.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from crawler.model.documents import Page
from crawler.model.url import url_id
from crawler.policy.traps import name_mazes
from crawler.policy.traps.case_variants import NAME, Met, Spellings
from crawler.policy.traps.folders import Folders
from crawler.policy.traps.folders import Saved as SavedFolders
from crawler.policy.traps.novelty import Memory
from crawler.policy.traps.templates import Kinship, Level, Role, Shape, roles_of

CREDIT = 32
GAIN = 4
FREE = 8
WIDE = 2 * CREDIT
"""Credit of a key on the whole host, and of a part of the site where no single template
fails."""
RARELY = 32
STREAK, STREAK_OF_TOPS = 16, 4
"""A template is looked at half as often after each so many pages that were new, down to
RARELY; new names at the top sooner, for all pages of a site may have one."""
MOST_UNITS = 4096
"""Of one host."""
SAMPLE = 4
"""Of the pages that have other views, one in so many is read, to be compared with
these."""
MOST_READ = 8192

EMPTY, UNIT, CUT = 40, 7, 8
"""What a ledger weighs without anything in it, and what a unit and a cut do: checksums
of the same size, some 64 bytes each."""
MOST_SAVED = 1024
"""Units, folders, addresses and pages read, of each, that are kept of a host out of
memory: the blocks of its text are kept all."""


class Cut(msgspec.Struct, frozen=True):
    """The end of a template: the rule that says so, and the depth where it was first
    met."""

    rule: str
    entry: int


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


class Saved(msgspec.Struct, frozen=True, array_like=True):
    """A ledger that is out of memory. What was cut is kept by itself, for it counts for
    ever."""

    units: list[SavedUnit]
    respelt: SavedUnit
    folders: SavedFolders
    memory: list[int]
    spellings: list[Met]
    read: list[int]
    tops: dict[int, bool]
    opening: SavedUnit
    patience: int
    paid: bool


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Saved).decode


class Unit:
    """A template, a key or a part of the site, and what it has earned."""

    __slots__ = (
        "countdown", "credit", "cuts", "entry", "fetched", "gain", "key", "level", "limit", "name",
        "needs", "streak", "under_way",
    )  # fmt: skip

    def __init__(self, role: Role, depth: int) -> None:
        self.name, self.level, self.key = role
        self.gain = GAIN if self.key == "/" else 1
        self.limit = self.credit = CREDIT if role.level in ("path", "key") else WIDE
        self.entry = depth
        self.fetched = 0
        self.under_way = 0
        self.cuts = 0
        self.countdown = 1
        self.streak = 0
        """Pages in a row that were looked at and were new."""
        self.needs = STREAK_OF_TOPS if role == name_mazes.ROLE else STREAK

    @classmethod
    def restored(cls, saved: SavedUnit) -> Unit:
        unit = cls(Role(saved.name, saved.level, saved.key), saved.entry)
        unit.fetched, unit.limit, unit.credit = saved.fetched, saved.limit, saved.credit
        unit.cuts, unit.streak, unit.countdown = (
            saved.cuts,
            saved.streak,
            saved.countdown,
        )
        return unit

    def saved(self) -> SavedUnit:
        """All but the pages that are under way."""
        return SavedUnit(
            self.name, self.level, self.key, self.entry, self.fetched, self.limit, self.credit,
            self.cuts, self.streak, self.countdown,
        )  # fmt: skip

    def full(self) -> bool:
        """Whether one more under way would be one too many, if all of them bring
        nothing new."""
        return self.streak < self.needs and self.under_way >= max(1, self.credit)

    def due(self) -> bool:
        self.countdown -= 1
        return self.countdown <= 0

    def earn(self) -> None:
        self.credit = min(self.limit, self.credit + self.gain)
        self.streak += 1
        self.countdown = min(RARELY, 1 << self.streak // self.needs)

    def pay(self, price: int) -> bool:
        """Whether that was the last of it."""
        self.streak = 0
        self.countdown = 1
        self.credit -= price
        return self.credit <= 0


Suspicion = Literal["", "fed", "view", "respelt", "opening"]
"""Why a page may be in vain: its templates feed themselves with it, it is another view
of the page that it was found on, it was read under another spelling, or it opens a new
name at the top."""


class Flight(NamedTuple):
    """A page that is being asked for: which units would have to pay for it, and why."""

    ledger: Ledger
    shape: Shape
    suspects: list[Unit]
    suspicion: Suspicion


class Ledger:
    """One host's units."""

    __slots__ = (
        "_sample", "changed", "cuts", "doubles", "folders", "memory", "opening", "paid", "patience",
        "read", "respelt", "spellings", "tops", "under_way", "units", "weighed",
    )  # fmt: skip

    def __init__(self, cuts: dict[str, Cut] | None = None) -> None:
        self.cuts = cuts or {}
        """By name of the template."""
        self.changed = False
        """Since it was last brought back."""
        self.under_way = 0
        self.weighed = 0
        """What it weighed when somebody last asked."""
        self.units: dict[str, Unit] = {}
        self.folders = Folders()
        self.memory = Memory()
        self.read: set[int] = set()
        """Pages that were read to be compared with their other views (`url_id`)."""
        self.patience = CREDIT // 2
        """For pages that took the place of others, and are old."""
        self.doubles: dict[str, int] = {}
        """Those met when the patience was at its end, by part of the site."""
        self.paid = False
        """Some unit has less than its whole credit, or had."""
        self.spellings = Spellings()
        self.respelt = Unit(Role(NAME, "path", ""), 0)
        self.tops = name_mazes.Tops()
        self.opening = Unit(name_mazes.ROLE, name_mazes.LISTED_DEPTH)
        self._sample = 0

    @classmethod
    def restored(cls, data: bytes, cuts: dict[str, Cut]) -> Ledger:
        saved, ledger = _decode(data), cls(cuts)
        ledger.units = {unit.name: Unit.restored(unit) for unit in saved.units}
        ledger.respelt = Unit.restored(saved.respelt)
        ledger.folders = Folders(saved.folders)
        ledger.memory = Memory(saved.memory)
        ledger.spellings = Spellings(saved.spellings)
        ledger.read = set(saved.read)
        ledger.tops = name_mazes.Tops(saved.tops)
        ledger.opening = Unit.restored(saved.opening)
        ledger.patience, ledger.paid = saved.patience, saved.paid
        return ledger

    def saved(self) -> bytes:
        """What the store keeps while the host is out of memory: some 60 bytes for each
        unit, five for each block; of more than MOST_SAVED units those that were fetched
        most."""
        units = sorted(self.units.values(), key=lambda unit: -unit.fetched)[:MOST_SAVED]
        return _encode(
            Saved(
                [unit.saved() for unit in units],
                self.respelt.saved(),
                self.folders.saved(MOST_SAVED),
                self.memory.saved(),
                self.spellings.saved(MOST_SAVED),
                [*self.read][:MOST_SAVED],
                self.tops.saved(),
                self.opening.saved(),
                self.patience,
                self.paid,
            )
        )

    def weigh(self) -> int:
        """How much heavier it is than when this was last asked, in checksums."""
        before = self.weighed
        self.weighed = (
            EMPTY + UNIT * len(self.units) + CUT * len(self.cuts) + len(self.read)
            + self.folders.weight + self.memory.weight + self.spellings.weight
            + self.tops.weight
        )  # fmt: skip
        return self.weighed - before

    def units_of(self, shape: Shape, depth: int) -> list[Unit]:
        """The units of a URL; new ones are met at this depth."""
        units = self.units
        names = [shape.path, f"{shape.part}/..."]
        for key in shape.keys:
            names += [shape.part + key, key]
        if not all(name in units for name in names):
            self._open(shape, depth)
        found = [units[name] for name in names]
        for unit in found:
            if depth < unit.entry:
                unit.entry = depth
        return found

    def _open(self, shape: Shape, depth: int) -> None:
        """Begin to count what was not met before."""
        if len(self.units) >= MOST_UNITS:
            self._forget()
        for role in roles_of(shape):
            self.units.setdefault(role.name, Unit(role, depth))

    def reward(self, shape: Shape) -> None:
        """A page was new: that speaks for the list of this shape, however dull, that
        led to it."""
        for role in roles_of(shape):
            unit = self.units.get(role.name)
            if unit is not None:
                unit.credit = min(unit.limit, unit.credit + unit.gain)

    def distrust(self, part: str) -> None:
        """One key of this part was cut: the others have less credit."""
        for name, unit in self.units.items():
            if name.startswith((f"{part}?", f"{part};")):
                unit.limit = max(GAIN, unit.limit // 4)
                unit.credit = min(unit.credit, unit.limit)

    def expects_doubles(self, shape: Shape) -> bool:
        """Whether one page more may take the place of others and say what they said.

        Where no key is left, as many as were read under the keys that were cut, beside
        the first few: each of these may be the double of one that takes its place.
        """
        if self.patience:
            self.patience -= 1
            return True
        if shape.keys:
            return False
        read = sum(
            unit.fetched
            for name, unit in self.units.items()
            if name.startswith((f"{shape.part}?", f"{shape.part};"))
            and (name in self.cuts or unit.key in self.cuts)
        )
        self.doubles[shape.part] = self.doubles.get(shape.part, 0) + 1
        return self.doubles[shape.part] <= read

    def sample(self, url: str, page: Page) -> bool:
        """Whether this page is one of those that are read to be compared with their
        views."""
        self._sample += 1
        if self._sample % SAMPLE or not any(
            _may_be_view(link.url, url) for link in page.links
        ):
            return False
        if len(self.read) >= MOST_READ:
            self.read.clear()
        self.read.add(url_id(url))
        return True

    def _forget(self) -> None:
        """Drop the units that were met once or twice, or else all."""
        for name in [name for name, unit in self.units.items() if unit.fetched <= 2]:
            del self.units[name]
        if len(self.units) > MOST_UNITS // 2:
            self.units.clear()


def suspects(units: list[Unit], shape: Shape, depth: int, kin: Kinship) -> list[Unit]:
    """The units that would feed themselves with a page."""
    return [
        unit
        for unit in units
        if unit.fetched >= FREE
        and (unit.key in kin.back or (depth > unit.entry and unit.key in kin.fed))
        and _may_pay(unit, shape, kin)
    ]


def _may_pay(unit: Unit, shape: Shape, kin: Kinship) -> bool:
    """Where a URL has keys, one of them pays; a part needs folders, and no better
    cause."""
    if shape.keys:
        return unit.key != "/"
    return unit.level != "part" or (shape.combined and not kin.view)


def views(units: list[Unit], kin: Kinship) -> list[Unit]:
    """The units by which a page would be another view of the one that it was found
    on."""
    if not kin.view:
        return []
    return [
        unit
        for unit in units
        if unit.fetched >= FREE and unit.key in kin.view and unit.level != "part"
    ]


def _may_be_view(url: str, page_url: str) -> bool:
    """Whether a link of a page may lead to another view of it."""
    return len(url) > len(page_url) and url.startswith(page_url.rstrip("/"))
