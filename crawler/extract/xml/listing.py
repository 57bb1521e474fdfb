"""Documents that list links, told by their root element: sitemaps and feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from crawler.extract.html.links import Links
from crawler.extract.xml import feed, sitemap
from crawler.extract.xml.parser import MOST_ELEMENTS, Element, elements
from crawler.model.documents import File
from crawler.model.url import Base

_READERS: dict[str, Callable[[Iterable[Element], Links], None]] = {
    **dict.fromkeys(sitemap.ROOTS, sitemap.read_sitemap),
    **dict.fromkeys(feed.ROOTS, feed.read_feed),
}

_ELEMENTS_A_LINK = 8
"""In a sitemap: the entry, its address, what else is said of it, its pictures."""


def read_listing(
    parts: Iterable[bytes],
    url: str,
    media_type: str,
    charset: str | None,
    max_links: int,
) -> File | str:
    """The links of an XML document found at `url`; of one that is no list its root's
    name.

    An empty name: it is no XML.
    """
    most = min(_ELEMENTS_A_LINK * max_links, MOST_ELEMENTS)
    found: Iterator[Element] = elements(parts, charset, most)
    root = next(found, None)
    if root is None or root.name not in _READERS:
        return root.name if root else ""
    links = Links(Base(url), max_links)
    _READERS[root.name](chain((root,), found), links)
    return File(media_type, charset, links.links, links.images)


def read_text_listing(text: str, url: str, charset: str | None, max_links: int) -> File:
    """The links of a sitemap in plain text."""
    links = Links(Base(url), max_links)
    sitemap.read_text_sitemap(text, links)
    return File("text/plain", charset, links.links)
