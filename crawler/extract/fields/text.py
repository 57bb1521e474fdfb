"""The text of an element, as one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_INLINE = frozenset(
    """a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark
    q ruby s samp small span strike strong sub sup time tt u var wbr""".split()  # noqa: SIM905
)
_HIDDEN = frozenset(("script", "style", "template", "noscript"))


def inner_text(element: Any) -> str:
    """All text inside; where an element is not inline, words do not run together."""
    return " ".join("".join(_pieces(element)).split())


def outer_html(element: Any) -> str:
    """The element and what is inside, as HTML."""
    from lxml import etree

    written: str = etree.tostring(
        element, method="html", encoding="unicode", with_tail=False
    )
    return written


def _pieces(element: Any) -> Iterator[str]:
    """Texts in document order, without recursion: a tree may be deep."""
    waiting: list[Any] = [iter((element,))]
    ends: list[Any] = []
    while waiting:
        node = next(waiting[-1], None)
        if node is None:
            waiting.pop()
            if ends:
                closed = ends.pop()
                if closed.tag not in _INLINE:
                    yield " "
                if closed is not element and closed.tail:
                    yield closed.tail
            continue
        if not isinstance(node.tag, str) or (
            node.tag in _HIDDEN and node is not element
        ):
            yield node.tail or ""
            continue
        if node.tag not in _INLINE:
            yield " "
        yield node.text or ""
        waiting.append(iter(node))
        ends.append(node)
