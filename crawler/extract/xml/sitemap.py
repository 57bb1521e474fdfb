"""Sitemaps: URL lists, indexes, image entries, gzip and plain text.

See sitemaps.org/protocol.html.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from crawler.extract.html.links import LinkCollector
from crawler.extract.xml.parser import Element

ROOTS = frozenset({"urlset", "sitemapindex"})
_IMAGES = "http://www.google.com/schemas/sitemap-image/1.1"
_MAX_UNPACKED = 50 * 2**20
"""Bytes of an unpacked sitemap; the protocol allows no more."""
_PART = 64 * 1024


def read_sitemap(elements: Iterable[Element], links: LinkCollector) -> None:
    """Add the URLs of a sitemap or of an index, and its images and translations."""
    for element in elements:
        if element.name == "loc":
            if element.namespace == _IMAGES or element.parent == "image":
                links.add_image(element.text, "sitemap")
            elif element.parent == "url":
                links.add(element.text, "sitemap")
            elif element.parent == "sitemap":
                links.add(element.text, "sitemap_index")
        elif element.name == "link" and element.attributes.get("rel") == "alternate":
            links.add(element.attributes.get("href", ""), "sitemap")
        if links.full:
            return


def read_text_sitemap(text: str, links: LinkCollector) -> None:
    """Add the URLs of a sitemap in plain text: one per line."""
    for line in text.splitlines():
        if line.startswith(("http://", "https://")):
            links.add(line, "sitemap")
        if links.full:
            return


def unpacked(body: bytes) -> Iterator[bytes]:
    """The content of a gzip file in parts, up to _MAX_UNPACKED bytes.

    It ends early where the file is damaged.
    """
    inflate = zlib.decompressobj(wbits=31)
    length = 0
    try:
        while body and length < _MAX_UNPACKED and not inflate.eof:
            part = inflate.decompress(body, _PART)
            body = inflate.unconsumed_tail
            length += len(part)
            yield part
    except zlib.error:
        return
