"""The site as folders and pages, by the paths of URLs, in bounded memory."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

MAX_FOLDERS = 10_000
MAX_LEAVES = 15_000
MAX_LEAVES_HERE = 2_000
"""Pages that are named in one folder."""
MAX_NAME = 200
"""Characters of a folder's name; what is below a longer one counts above it."""
MAX_LEAF = 1_000
"""Characters of the name of a page, with its query; one with a longer name counts."""
MAX_LEVELS = 12
"""Folders below a host; what is deeper counts in the last of them."""


class Leaf(Struct, frozen=True):
    """A page or file, or a URL that failed."""

    name: str
    """The end of its URL, behind the last slash."""
    title: str
    failed: str
    """The status or error code; empty for a page."""


class Folder(Struct):
    """A host or a folder of it, with all that is below."""

    name: str
    """That of a host has the scheme: `https://example.com`."""
    pages: int = 0
    pictures: int = 0
    failed: int = 0
    folders: dict[str, Folder] = field(default_factory=dict)
    leaves: list[Leaf] = field(default_factory=list)

    @property
    def unnamed(self) -> int:
        """URLs here that are counted, and not in `leaves`."""
        below = sum(one.pages + one.failed for one in self.folders.values())
        return self.pages + self.failed - below - len(self.leaves)

    def data(self) -> list[Any]:
        """The folder as the script reads it: short lists, in their order.

        [name, pages, pictures, failed, unnamed, folders, [[name, title, failed], ...]]
        """
        folders = sorted(self.folders.values(), key=lambda one: one.name)
        leaves = sorted(self.leaves, key=lambda leaf: leaf.name)
        return [
            self.name, self.pages, self.pictures, self.failed, self.unnamed,
            [one.data() for one in folders],
            [[leaf.name, leaf.title, leaf.failed] for leaf in leaves],
        ]  # fmt: skip


class SiteTree:
    """Hosts with their folders. Of too many, the later ones count in the one above."""

    def __init__(self) -> None:
        self.top = Folder("")
        self._folders = self._leaves = 0

    def add(self, url: str, title: str = "", failed: str = "") -> None:
        """A page or file, or with `failed` a URL that has none."""
        names, name = _split(url)
        way = self._way(names)
        for folder in way:
            folder.pages += not failed
            folder.failed += bool(failed)
        here = way[-1].leaves
        is_room = self._leaves < MAX_LEAVES and len(here) < MAX_LEAVES_HERE
        is_whole = len(way) == len(names) + 1 and len(name) <= MAX_LEAF
        if is_room and is_whole:
            self._leaves += 1
            here.append(Leaf(name, title, failed))

    def add_picture(self, url: str) -> None:
        for folder in self._way(_split(url)[0]):
            folder.pictures += 1

    def _way(self, names: list[str]) -> list[Folder]:
        """The folders from the top down, as far as they have a place."""
        way = [self.top]
        for name in names[: MAX_LEVELS + 1]:
            found = way[-1].folders.get(name)
            if found is None:
                if self._folders >= MAX_FOLDERS or len(name) > MAX_NAME:
                    break
                self._folders += 1
                found = way[-1].folders[name] = Folder(name)
            way.append(found)
        return way


def _split(url: str) -> tuple[list[str], str]:
    """The host and folders of a URL, and its own name; the query belongs to that."""
    path, mark, query = url.partition("?")
    scheme, _, rest = path.partition("://")
    host, *folders, name = rest.split("/")
    return [f"{scheme}://{host}", *folders], f"{name}{mark}{query}"
