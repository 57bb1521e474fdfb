"""How a URL is related to the page that links to it, on the same host. No I/O."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

from crawler.policy.traps.templates import Shape, key_of, pairs_of, varies


class Relation(NamedTuple):
    """The keys by which a URL is related to its parent page, and "/" for the path."""

    self_linking: tuple[str, ...]
    """The parent has these too, so that URLs with them lead to URLs with them."""
    return_to: tuple[str, ...]
    """The values of these name the parent: `/login?from=/the/parent`."""
    alternate_view: tuple[str, ...]
    """These are all that was added to the parent's URL: `?print=1`, `/reply`."""


UNRELATED = Relation((), (), ())


def relation(url: str, shape: Shape, parent_url: str, parent: Shape) -> Relation:
    """How `url` is related to `parent_url`, on the same host."""
    self_linking = parent.keys
    if shape.first == parent.first:
        self_linking = (*parent.keys, "/")
    if not shape.keys:
        below = _is_below(url, shape, parent_url)
        return Relation(self_linking, (), ("/",) if below else ())
    view = _added(url, shape, parent_url)
    return Relation(self_linking, () if view else _return_to(url, parent_url), view)


def _added(url: str, shape: Shape, parent_url: str) -> tuple[str, ...]:
    """The keys that make `url` an alternate view of its parent: `?print=1`.

    None where the parent is a list whose entries differ by such a key: `/list?id=1`.
    """
    path, _, query = url.partition("?")
    parent_path, _, parent_query = parent_url.partition("?")
    if path != parent_path:
        return ()
    pairs, of_parent = pairs_of(query), parent_query.split("&")
    one_of_many = (
        varies(shape.path) if not parent_query else set(of_parent) <= set(pairs)
    )
    if not one_of_many:
        return ()
    return tuple(key_of(pair) for pair in pairs if pair not in of_parent)


def _return_to(url: str, parent_url: str) -> tuple[str, ...]:
    """The keys whose values name the page that a visitor comes from."""
    query, path = url.partition("?")[2], parent_url.partition("?")[0].split("/", 3)[3]
    if not query or not path:
        return ()
    return tuple(
        key_of(pair) for pair in pairs_of(query) if f"/{path}" in unquote(pair)
    )


def _is_below(url: str, shape: Shape, parent_url: str) -> bool:
    """Whether the URL is its parent's and a word: `/post/5/reply`, not `/posts/5`."""
    above = parent_url.partition("?")[0].rstrip("/") + "/"
    if shape.repeats or not url.startswith(above):
        return False
    names = shape.path.split("/")
    level = above.count("/") - 2  # without scheme and host
    return varies(names[level - 1]) and not varies("".join(names[level:]))
