"""Which names the folders of one host have shown: where they are too many, any name
will do."""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

MOST_FOLDERS = 4096
"""Of one host, that are watched."""
FOLDER = 6
"""What a folder weighs in memory, in names."""

Saved = dict[str, list[int] | None]
"""Checksums of the names in each folder; None where any name will do."""


class Folders:
    """The folders of one host. A name is kept as its checksum."""

    __slots__ = ("_names", "weight")

    def __init__(self, saved: Mapping[str, list[int] | None] | None = None) -> None:
        self._names: dict[str, set[int] | None] = {}
        self.weight = 0
        """In names."""
        for folder, names in (saved or {}).items():
            self._names[folder] = None if names is None else set(names)
            self.weight += FOLDER + len(names or ())

    def name_in(self, folder: str, name: str) -> str:
        """The name, or `*` where any will do."""
        return "*" if self._names.get(folder, _OTHERS) is None else name

    def learn(self, folder: str, name: str, most: int) -> str:
        """The same, and the name is known from now on. `most`: beyond so many any will
        do."""
        names = self._names.get(folder, _OTHERS)
        if names is None:
            return "*"
        if names is _OTHERS:
            if len(self._names) < MOST_FOLDERS:
                self._names[folder] = {crc32(name.encode())}
                self.weight += FOLDER + 1
            return name
        before = len(names)
        names.add(crc32(name.encode()))
        self.weight += len(names) - before
        if len(names) > most:
            self._names[folder] = None
            self.weight -= len(names)
        return name

    def saved(self, most: int) -> Saved:
        """As the constructor takes it: `most` folders, those in which any name will do
        first."""
        folders = sorted(self._names.items(), key=lambda one: one[1] is not None)
        return {
            folder: None if names is None else [*names]
            for folder, names in folders[:most]
        }


_OTHERS: set[int] = set()
NO_FOLDERS = Folders()
"""Nothing was learnt: no name stands for another."""
