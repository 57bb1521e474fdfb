"""What URLs have in common: templates of paths, keys of queries, parts of a site.

No I/O.

The template of a path has `#` for digits, `+` for what is put together (`red+small`,
`red,small`), and `*` where a folder has shown more than 32 names (128 at the top); a
folder that repeats counts once (`/a/b/a/b` is `/a/b~`). Beside the path each key of the
query stands for itself, in its part of the site (the first folder) and in the whole
host.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from crawler.policy.traps.folders import NO_FOLDERS, Folders

MAX_NAMES = 32
"""Names of a folder; beyond, any name is `*`."""
MAX_TOP_NAMES = 128
"""The limit for folders at the top, and for pages there that take a query.

A site has more of these than of others. Each has its own purpose, and a trap in one of
them says nothing about the others.

A site has more folders there than elsewhere, and more pages that take a query. Each has
its own purpose, and a trap in one of them says nothing about the others.
"""
_MAX_KEYS = 16
"""Keys of a query that are looked at."""
_MAX_FOLDERS = 32
"""Names of a path that are looked at; some paths have thousands."""

_PARAMETER = re.compile(r"(;[^/;=?]+=)[^/;?]*")
_COOKIELESS = re.compile(r"(?<=/)\((?:[A-Za-z]\([0-9A-Za-z]+\))+\)/")
"""The session of an ASP.NET site without cookies.

An example is `/(S(lit3py55t21z5v55vlm25s55))/orders.aspx`.
"""
_COOKIELESS_KEY = ";(S())="
# Matches at the beginning of a row of letters and digits only, since a long row without
# digits would be slow otherwise.
_DIGITS = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]*+[0-9][0-9A-Za-z]*+")
is_key = re.compile(r"[^?;]*[?;][^=]*=").fullmatch
"""Whether the name of a unit is one of a key."""


class Shape(NamedTuple):
    """What a URL has in common with others."""

    path: str
    """In lower case."""
    first: str
    """The first folder, as it is in every URL, and not yet `*`."""
    part: str
    """The same, or `/*`."""
    keys: tuple[str, ...]
    """`?name=`, and `;name=` of path parameters."""
    repeats: bool
    """A folder is in the path twice."""
    combined: bool
    """Whether the template has two or more folders below its part.

    Then it is one of many combinations.
    """


NO_SHAPE = Shape("", "", "", (), False, False)
Level = Literal["path", "part", "key", "host_key"]


class Role(NamedTuple):
    """What URLs that are counted together have in common, under one name."""

    name: str
    level: Level
    key: str
    """The key of the query, or "/".

    A URL is self-linking by the keys of its parent, too.
    """


def shape_of(url: str, folders: Folders = NO_FOLDERS, *, record: bool = False) -> Shape:
    """The templates of a canonical URL.

    `folders` decides where any name counts as `*`; `record` adds the names to it.
    """
    path, _, query = url.split("/", 3)[3].partition("?")
    path, parameters = _parameters(path.lower())
    shape = ""
    known: set[str] = set()
    repeats = False
    names = masked(path).split("/", _MAX_FOLDERS)[:_MAX_FOLDERS]
    at_top = query or len(names) > 1
    folder, max_names = ("/", MAX_TOP_NAMES) if at_top else ("", MAX_NAMES)
    for name in names:
        if "+" in name or "," in name:
            name = "+"
        elif name and "#" not in name:
            above = shape or folder
            name = (
                folders.record(above, name, max_names)
                if record
                else folders.name_in(above, name)
            )
            if name in known and name != "*":
                repeats = True
                continue
            known.add(name)
        shape += f"/{name}"
        max_names = MAX_NAMES
    keys = [*map(key_of, pairs_of(query)), *parameters]
    part = f"/{shape.split('/', 2)[1]}"
    path = f"{shape}~" if repeats else shape
    return Shape(
        path, names[0], part, tuple(dict.fromkeys(keys)), repeats, len(names) > 2
    )


def roles_of(shape: Shape) -> list[Role]:
    """What the URLs of this shape are counted by."""
    roles = [Role(shape.path, "path", "/"), Role(f"{shape.part}/...", "part", "/")]
    for key in shape.keys:
        roles += [Role(shape.part + key, "key", key), Role(key, "host_key", key)]
    return roles


def without(url: str, key: str) -> str:
    """The URL without the parameter `?name=` of its query, or `;name=` of its path."""
    path, _, query = url.partition("?")
    if key == _COOKIELESS_KEY:
        path = _COOKIELESS.sub("", path)
    elif key[0] == ";":
        path = _PARAMETER.sub(
            lambda one: "" if masked(one[1]).lower() == key else one[0], path
        )
    kept = [pair for pair in query.split("&") if key_of(pair) != key]
    return f"{path}?{'&'.join(kept)}" if query and kept else path


def masked(name: str) -> str:
    """A name with `#` for each word that has digits."""
    return _DIGITS.sub("#", name)


def varies(masked_path: str) -> bool:
    """Whether a template stands for many paths."""
    return any(sign in masked_path for sign in "#*+")


def pairs_of(query: str) -> list[str]:
    """The pairs of a query that are looked at."""
    return query.split("&")[:_MAX_KEYS] if query else []


def key_of(pair: str) -> str:
    """The key of a pair, as `?name=`."""
    return f"?{masked(pair.partition('=')[0])}="


def _parameters(path: str) -> tuple[str, list[str]]:
    """A path without its parameters, and their keys."""
    keys: list[str] = []
    if ";" in path:
        keys = [masked(key) for key in _PARAMETER.findall(path)]
        path = _PARAMETER.sub("", path)
    if "(" in path and _COOKIELESS.search(f"/{path}"):
        keys.append(_COOKIELESS_KEY)
        path = _COOKIELESS.sub("", f"/{path}")[1:]
    return path, keys
