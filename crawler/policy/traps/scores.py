"""The scores of one host: its templates, keys and parts, and what their pages showed.

No I/O.

A page that is new earns credit for its units (`unit.py`) and for the list that led to
it; one that is not costs its suspects credit. At the end of its credit a unit is cut.
"""

from __future__ import annotations

import msgspec

from crawler.model.documents import Page
from crawler.model.url import url_id
from crawler.policy.traps import name_mazes
from crawler.policy.traps.case_variants import NAME, CaseVariants, SavedVariant
from crawler.policy.traps.folders import Folders
from crawler.policy.traps.folders import Saved as SavedFolders
from crawler.policy.traps.seen_content import SeenContent
from crawler.policy.traps.templates import Role, Shape, roles_of
from crawler.policy.traps.unit import CREDIT, GAIN, SavedUnit, Unit

MAX_UNITS = 4096
"""Units of one host."""
SAMPLE = 4
"""One in so many pages that have alternate views is read, to be compared with these."""
MAX_SAMPLED = 8192
"""Pages of one host that are remembered for it."""
EMPTY_WEIGHT, UNIT_WEIGHT, CUT_WEIGHT = 40, 7, 8
"""The weight of a host's scores, of a unit and of a cut, in checksums.

A checksum takes some 64 bytes.

The unit is a checksum of some 64 bytes.
"""
MAX_SAVED = 1024
"""The maximum number of units, folders, URLs and pages of a host in the store.

The blocks of its text are all stored.
"""


class Cut(msgspec.Struct, frozen=True):
    """The cut of a unit: its rule, and the least depth at which the unit was found."""

    rule: str
    entry: int


class Saved(msgspec.Struct, frozen=True, array_like=True):
    """The scores of a host that is out of memory.

    What was cut is kept by itself, for it counts for the whole crawl.
    """

    units: list[SavedUnit]
    case_variants_unit: SavedUnit
    folders: SavedFolders
    seen: list[int]
    case_variants: list[SavedVariant]
    sampled: list[int]
    top_names: dict[int, bool]
    new_names: SavedUnit
    free_duplicates: int
    charged: bool


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Saved).decode


class Scores:
    """The scores of one host."""

    __slots__ = (
        "_pages", "case_variants", "case_variants_unit", "changed", "charged", "cuts",
        "duplicates", "folders", "free_duplicates", "new_names", "sampled", "seen",
        "top_names", "under_way", "units", "weighed",
    )  # fmt: skip

    def __init__(self, cuts: dict[str, Cut] | None = None) -> None:
        self.cuts = cuts or {}
        """By name of the unit."""
        self.changed = False
        """Since they were restored."""
        self.under_way = 0
        self.weighed = 0
        """Their weight when it was last measured."""
        self.units: dict[str, Unit] = {}
        self.folders = Folders()
        self.seen = SeenContent()
        self.sampled: set[int] = set()
        """The `url_id` of pages that were read as samples for their alternate views."""
        self.free_duplicates = CREDIT // 2
        """Pages that may take the place of others without anything new."""
        self.duplicates: dict[str, int] = {}
        """Such pages beyond these, by part of the site."""
        self.charged = False
        """A unit has less than its whole credit, or had."""
        self.case_variants = CaseVariants()
        self.case_variants_unit = Unit(Role(NAME, "path", ""), 0)
        self.top_names = name_mazes.TopNames()
        self.new_names = Unit(name_mazes.ROLE, name_mazes.LISTED_DEPTH)
        self._pages = 0

    @classmethod
    def restored(cls, data: bytes, cuts: dict[str, Cut]) -> Scores:
        saved, scores = _decode(data), cls(cuts)
        scores.units = {unit.name: Unit.restored(unit) for unit in saved.units}
        scores.case_variants_unit = Unit.restored(saved.case_variants_unit)
        scores.folders = Folders(saved.folders)
        scores.seen = SeenContent(saved.seen)
        scores.case_variants = CaseVariants(saved.case_variants)
        scores.sampled = set(saved.sampled)
        scores.top_names = name_mazes.TopNames(saved.top_names)
        scores.new_names = Unit.restored(saved.new_names)
        scores.free_duplicates, scores.charged = saved.free_duplicates, saved.charged
        return scores

    def saved(self) -> bytes:
        """The form in which the store holds a host that is not in memory.

        It takes some 60 bytes for each unit and five for each block, for the MAX_SAVED
        units that were fetched most.
        """
        units = sorted(self.units.values(), key=lambda unit: -unit.fetched)[:MAX_SAVED]
        return _encode(
            Saved(
                [unit.saved() for unit in units],
                self.case_variants_unit.saved(),
                self.folders.saved(MAX_SAVED),
                self.seen.saved(),
                self.case_variants.saved(MAX_SAVED),
                [*self.sampled][:MAX_SAVED],
                self.top_names.saved(),
                self.new_names.saved(),
                self.free_duplicates,
                self.charged,
            )
        )

    def weigh(self) -> int:
        """How much heavier they are than when this was last called, in checksums."""
        before = self.weighed
        self.weighed = (
            EMPTY_WEIGHT + UNIT_WEIGHT * len(self.units) + CUT_WEIGHT * len(self.cuts)
            + len(self.sampled) + self.folders.weight + self.seen.weight
            + self.case_variants.weight + self.top_names.weight
        )  # fmt: skip
        return self.weighed - before

    def units_of(self, shape: Shape, depth: int) -> list[Unit]:
        """The units of a URL that was found at this depth."""
        units = self.units
        names = [shape.path, f"{shape.part}/..."]
        for key in shape.keys:
            names += [shape.part + key, key]
        if not all(name in units for name in names):
            self._add(shape, depth)
        found = [units[name] for name in names]
        for unit in found:
            if depth < unit.entry:
                unit.entry = depth
        return found

    def _add(self, shape: Shape, depth: int) -> None:
        """Begin to count what is new of this shape."""
        if len(self.units) >= MAX_UNITS:
            self._drop_units()
        for role in roles_of(shape):
            self.units.setdefault(role.name, Unit(role, depth))

    def reward(self, shape: Shape) -> None:
        """Credit the list of this shape that led to a new page, whatever it yields."""
        for role in roles_of(shape):
            unit = self.units.get(role.name)
            if unit is not None:
                unit.reward()

    def limit_keys(self, part: str) -> None:
        """One key of this part was cut: the others have a quarter of their credit."""
        for name, unit in self.units.items():
            if name.startswith((f"{part}?", f"{part};")):
                unit.limit = max(GAIN, unit.limit // 4)
                unit.credit = min(unit.credit, unit.limit)

    def expects_duplicate(self, shape: Shape) -> bool:
        """Whether one page more may take the place of others without anything new.

        Where no key is left, as many may as were read under the keys that were cut,
        beside the first few: each of these may be the duplicate of one that takes its
        place.
        """
        if self.free_duplicates:
            self.free_duplicates -= 1
            return True
        if shape.keys:
            return False
        read = sum(
            unit.fetched
            for name, unit in self.units.items()
            if name.startswith((f"{shape.part}?", f"{shape.part};"))
            and (name in self.cuts or unit.key in self.cuts)
        )
        self.duplicates[shape.part] = self.duplicates.get(shape.part, 0) + 1
        return self.duplicates[shape.part] <= read

    def sample(self, url: str, page: Page) -> bool:
        """Whether this page is a sample, to be compared with its alternate views."""
        self._pages += 1
        if self._pages % SAMPLE or not any(
            _may_be_view(link.url, url) for link in page.links
        ):
            return False
        if len(self.sampled) >= MAX_SAMPLED:
            self.sampled.clear()
        self.sampled.add(url_id(url))
        return True

    def _drop_units(self) -> None:
        """Drop the units that were fetched once or twice, or else all."""
        for name in [name for name, unit in self.units.items() if unit.fetched <= 2]:
            del self.units[name]
        if len(self.units) > MAX_UNITS // 2:
            self.units.clear()


def _may_be_view(url: str, page_url: str) -> bool:
    """Whether a link of a page may lead to an alternate view of it."""
    return len(url) > len(page_url) and url.startswith(page_url.rstrip("/"))
