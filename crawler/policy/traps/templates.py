"""What URLs have in common: templates of paths, keys of queries, parts of a site. No
I/O.

The path with digits as `#`, what is put together (`red+small`, `red,small`) as `+`, and
with `*` where a folder has shown more than 32 names (at the top 128); a folder that
repeats counts once (`/a/b/a/b` is `/a/b~`). Beside the path each key of the query
stands for itself, in its part of the site (the first folder) and in the whole host.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import unquote

from crawler.policy.traps.folders import NO_FOLDERS, Folders

MOST_NAMES = 32
"""Of a folder; beyond, any name is `*`."""
MOST_PARTS = 128
"""Folders at the top, and pages there that take a query: a site has more of these, each
with its own affairs, and a trap in one of them says nothing about the others."""
_MOST_KEYS = 16
_DEEPEST = 32
"""Names of a path that are looked at; others may have thousands."""

_PARAMETER = re.compile(r"(;[^/;=?]+=)[^/;?]*")
_COOKIELESS = re.compile(r"(?<=/)\((?:[A-Za-z]\([0-9A-Za-z]+\))+\)/")
"""Session of an ASP.NET site without cookies:
`/(S(lit3py55t21z5v55vlm25s55))/orders.aspx`."""
_COOKIELESS_KEY = ";(S())="
# From the beginning of a row of letters and digits only: else a long one without digits
# is slow.
_DIGITS = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]*+[0-9][0-9A-Za-z]*+")
is_key = re.compile(r"[^?;]*[?;][^=]*=").fullmatch
"""Whether the name of a unit is one of a key."""


class Shape(NamedTuple):
    """What a URL has in common with others."""

    path: str
    """In small letters."""
    first: str
    """The first folder, as it is in every URL, and not yet `*`."""
    part: str
    """The same, or `/*`."""
    keys: tuple[str, ...]
    """`?name=`, and `;name=` of path parameters."""
    repeats: bool
    combined: bool
    """It has two folders or more below its part: one of many ways to put them
    together."""


Level = Literal["path", "part", "key", "host_key"]


class Role(NamedTuple):
    """What URLs that are counted together have in common, under one name."""

    name: str
    level: Level
    key: str
    """Of a key; else "/". The parent must have the same for a URL to be fed by it."""


class Kinship(NamedTuple):
    """How a URL is related to the page that it was found on, as keys, and "/" for the
    path."""

    fed: tuple[str, ...]
    """The parent has these too."""
    back: tuple[str, ...]
    """These name the parent: `/login?from=/the/parent`."""
    view: tuple[str, ...]
    """These are all that was added to the parent's: `?print=1`, `/reply`."""


STRANGERS = Kinship((), (), ())
NOWHERE = Shape("", "", "", (), False, False)


def shape_of(url: str, folders: Folders = NO_FOLDERS, *, learn: bool = False) -> Shape:
    """The templates of a canonical URL. `folders` says where any name will do, and may
    learn it."""
    path, _, query = url.split("/", 3)[3].partition("?")
    path, parameters = _parameters(path.lower())
    shape = ""
    known: set[str] = set()
    repeats = False
    names = masked(path).split("/", _DEEPEST)[:_DEEPEST]
    folder, most = ("/", MOST_PARTS) if query or len(names) > 1 else ("", MOST_NAMES)
    for name in names:
        if "+" in name or "," in name:
            name = "+"
        elif name and "#" not in name:
            above = shape or folder
            name = (
                folders.learn(above, name, most)
                if learn
                else folders.name_in(above, name)
            )
            if name in known and name != "*":
                repeats = True
                continue
            known.add(name)
        shape += f"/{name}"
        most = MOST_NAMES
    pairs = query.split("&")[:_MOST_KEYS] if query else []
    keys = [*map(_key_of, pairs), *parameters]
    part = f"/{shape.split('/', 2)[1]}"
    path = f"{shape}~" if repeats else shape
    return Shape(
        path, names[0], part, tuple(dict.fromkeys(keys)), repeats, len(names) > 2
    )


def roles_of(shape: Shape) -> list[Role]:
    """Those of a URL."""
    roles = [Role(shape.path, "path", "/"), Role(f"{shape.part}/...", "part", "/")]
    for key in shape.keys:
        roles += [Role(shape.part + key, "key", key), Role(key, "host_key", key)]
    return roles


def kinship(url: str, shape: Shape, parent_url: str, parent: Shape) -> Kinship:
    """How `url` is related to `parent_url`, on the same host."""
    fed = (*parent.keys, "/") if shape.first == parent.first else parent.keys
    if not shape.keys:
        return Kinship(fed, (), ("/",) if _is_below(url, shape, parent_url) else ())
    view = _added(url, shape, parent_url)
    return Kinship(fed, () if view else _back(url, parent_url), view)


def without(url: str, key: str) -> str:
    """The URL without the parameter `?name=` of its query, or `;name=` of its path."""
    path, _, query = url.partition("?")
    if key == _COOKIELESS_KEY:
        path = _COOKIELESS.sub("", path)
    elif key[0] == ";":
        path = _PARAMETER.sub(
            lambda one: "" if masked(one[1]).lower() == key else one[0], path
        )
    kept = [pair for pair in query.split("&") if _key_of(pair) != key]
    return f"{path}?{'&'.join(kept)}" if query and kept else path


def masked(name: str) -> str:
    return _DIGITS.sub("#", name)


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


def _key_of(pair: str) -> str:
    return f"?{masked(pair.partition('=')[0])}="


def _added(url: str, shape: Shape, parent_url: str) -> tuple[str, ...]:
    """The keys that make `url` a view of its parent: `?print=1`.

    Not where the parent is a list of what is told apart by such a key, as `/list?id=1`.
    """
    path, _, query = url.partition("?")
    parent_path, _, parent_query = parent_url.partition("?")
    if path != parent_path:
        return ()
    pairs, of_parent = query.split("&")[:_MOST_KEYS], parent_query.split("&")
    one_of_many = (
        varies(shape.path) if not parent_query else set(of_parent) <= set(pairs)
    )
    return (
        tuple(_key_of(one) for one in pairs if one not in of_parent)
        if one_of_many
        else ()
    )


def _back(url: str, parent_url: str) -> tuple[str, ...]:
    """The keys by which `url` says where a reader comes from."""
    query, path = url.partition("?")[2], parent_url.partition("?")[0].split("/", 3)[3]
    if not query or not path:
        return ()
    pairs = query.split("&")[:_MOST_KEYS]
    return tuple(_key_of(pair) for pair in pairs if f"/{path}" in unquote(pair))


def _is_below(url: str, shape: Shape, parent_url: str) -> bool:
    """Whether the URL is its parent and a word: `/post/5/reply`, but not `/posts/5`."""
    above = parent_url.partition("?")[0].rstrip("/") + "/"
    if shape.repeats or not url.startswith(above):
        return False
    names, level = (
        shape.path.split("/"),
        above.count("/") - 2,
    )  # without scheme and host
    return varies(names[level - 1]) and not varies("".join(names[level:]))


def varies(masked_path: str) -> bool:
    """Whether a template stands for many."""
    return any(sign in masked_path for sign in "#*+")
