"""The names seen in each folder of one host.

Where they are too many, a template has `*` in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

MAX_FOLDERS = 4096
"""Folders of one host that are watched."""
FOLDER_WEIGHT = 6
"""The memory of a folder, in names."""

Saved = dict[str, list[int] | None]
"""Checksums of the names in each folder; None where any name stands for all."""


class Folders:
    """The folders of one host. A name is kept as its checksum."""

    __slots__ = ("_names", "weight")

    def __init__(self, saved: Mapping[str, list[int] | None] | None = None) -> None:
        self._names: dict[str, set[int] | None] = {}
        self.weight = 0
        """In names."""
        for folder, names in (saved or {}).items():
            self._names[folder] = None if names is None else set(names)
            self.weight += FOLDER_WEIGHT + len(names or ())

    def name_in(self, folder: str, name: str) -> str:
        """The name, or `*` where any name stands for all."""
        return "*" if self._names.get(folder, _NOT_WATCHED) is None else name

    def record(self, folder: str, name: str, max_names: int) -> str:
        """The same as `name_in`, and the name is recorded.

        Beyond `max_names` any name counts as `*`.

        Beyond `max_names` any name counts as `*`.
        """
        names = self._names.get(folder, _NOT_WATCHED)
        if names is None:
            return "*"
        if names is _NOT_WATCHED:
            if len(self._names) < MAX_FOLDERS:
                self._names[folder] = {crc32(name.encode())}
                self.weight += FOLDER_WEIGHT + 1
            return name
        before = len(names)
        names.add(crc32(name.encode()))
        self.weight += len(names) - before
        if len(names) > max_names:
            self._names[folder] = None
            self.weight -= len(names)
        return name

    def saved(self, max_folders: int) -> Saved:
        """The state in the form that the constructor takes.

        The folders in which any name counts as `*` come first.
        """
        folders = sorted(self._names.items(), key=lambda one: one[1] is not None)
        return {
            folder: None if names is None else [*names]
            for folder, names in folders[:max_folders]
        }


_NOT_WATCHED: set[int] = set()
NO_FOLDERS = Folders()
"""No name was seen: none is replaced by `*`."""
