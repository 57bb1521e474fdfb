"""What differs between two configurations of one crawl. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from crawler.model.config import Config

KeyPath = tuple[str, ...]

_NAMES_OF_THE_FOLDER = {("dir",), ("name",)}


class Change(Struct, frozen=True):
    """A setting that a resume has changed: its key, and both values."""

    path: KeyPath
    before: Any
    after: Any

    @property
    def loosens(self) -> bool:
        """Whether a limit, of which None means none, lets more pass than before."""
        return self.before is not None and (
            self.after is None or self.after > self.before
        )


def changes_between(old: Config, new: Config) -> tuple[Change, ...]:
    """The settings that differ, in the order of the configuration.

    Where the folder is, and how the crawl is called, is not compared.
    """
    return tuple(
        change
        for change in _changes(old, new, ())
        if change.path not in _NAMES_OF_THE_FOLDER
    )


def _changes(old: Struct, new: Struct, above: KeyPath) -> Iterator[Change]:
    for name in old.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if isinstance(before, Struct):
            yield from _changes(before, after, (*above, name))
        else:
            yield Change((*above, name), before, after)
