"""Documents that list links: sitemaps and feeds, recognised by their root element."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain

from crawler.extract.body import Body
from crawler.extract.html.links import LinkCollector
from crawler.extract.xml import feed, sitemap
from crawler.extract.xml.parser import MAX_ELEMENTS, Element, elements
from crawler.model.documents import File
from crawler.model.url import Base

_READERS_BY_ROOT: dict[str, Callable[[Iterable[Element], LinkCollector], None]] = {
    **dict.fromkeys(sitemap.ROOTS, sitemap.read_sitemap),
    **dict.fromkeys(feed.ROOTS, feed.read_feed),
}

_ELEMENTS_PER_LINK = 8
"""A sitemap has an entry, its URL, other elements of it, and its images."""


def read_listing(
    parts: Iterable[bytes],
    url: str,
    media_type: str,
    charset: str | None,
    max_links: int,
) -> File | str:
    """The links of the XML document at `url`; its root's name if it is no list.

    The name is empty if the document is no XML.
    """
    max_elements = min(_ELEMENTS_PER_LINK * max_links, MAX_ELEMENTS)
    links = LinkCollector(Base(url), max_links)
    cut = partial(links.leave_out, "markup")
    found: Iterator[Element] = elements(parts, charset, max_elements, cut)
    root = next(found, None)
    if root is None or root.name not in _READERS_BY_ROOT:
        return root.name if root else ""
    _READERS_BY_ROOT[root.name](chain((root,), found), links)
    return File(
        media_type, charset, links.links, links.images, alternates=links.alternates,
        left_out=links.left_out,
    )  # fmt: skip


def read_text_listing(texts: Iterable[str], body: Body) -> File:
    """The links of a sitemap in plain text, which comes in parts."""
    links = LinkCollector(Base(body.url), body.max_links)
    sitemap.read_text_sitemap(texts, links)
    return File(body.media_type, body.charset, links.links, left_out=links.left_out)
