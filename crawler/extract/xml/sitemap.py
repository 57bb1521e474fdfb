"""Sitemaps: URL lists, indexes, image entries, gzip and plain text.

See sitemaps.org/protocol.html.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from crawler.extract.html.links import LinkCollector
from crawler.extract.xml.parser import Element, parts_of
from crawler.model.documents import LeaveOut, say_nothing
from crawler.model.url import MAX_URL

ROOTS = frozenset({"urlset", "sitemapindex"})
_IMAGES = "http://www.google.com/schemas/sitemap-image/1.1"
_GZIP = b"\x1f\x8b\x08"
_MAX_LANGUAGE = 200
_MAX_PACKED = 2
"""Gzip within gzip: a packed file that a server packs once more."""
_MAX_UNPACKED = 50 * 2**20
"""Bytes of an unpacked sitemap; the protocol allows no more."""
_MAX_MEMBERS = 1000
"""Gzip files in a row, which are one (RFC 1952 section 2.2)."""
_PART = 64 * 1024
_begins_with_url = re.compile(r"\s*+https?://\S++[ \t]*+(?:[\r\n]|\Z)", re.I).match


def read_sitemap(elements: Iterable[Element], links: LinkCollector) -> None:
    """Add the URLs of a sitemap or of an index, and its images and translations."""
    page, others = "", list[tuple[str, str]]()
    for element in elements:
        if element.name == "loc":
            if element.namespace == _IMAGES or element.parent == "image":
                links.add_image(element.text, "sitemap")
            elif element.parent == "url":
                page = element.text
                links.add(page, "sitemap")
            elif element.parent == "sitemap":
                links.add(element.text, "sitemap_index")
        elif element.name == "link" and element.attributes.get("rel") == "alternate":
            language = element.attributes.get("hreflang", "").strip()[:_MAX_LANGUAGE]
            href = element.attributes.get("href", "")
            links.add(href, "sitemap", language or None)
            others.append((language, href))
        elif element.name == "url":
            if others:
                links.add_translations(page, others)
            page, others = "", []
        if links.full:
            return


def read_text_sitemap(texts: Iterable[str], links: LinkCollector) -> None:
    """Add the URLs of a sitemap in plain text, which comes in parts: one per line."""
    for line in _lines(texts):
        if line[:8].lower().startswith(("http://", "https://")):
            links.add(line, "sitemap")
        if links.full:
            return


def is_url_list(text: str) -> bool:
    """Whether the first line of `text` that is not blank is an absolute URL."""
    return _begins_with_url(text) is not None


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """The lines, without space around them; a long one is cut."""
    rest = ""
    for text in texts:
        *lines, rest = f"{rest}{text}".replace("\r", "\n").split("\n")
        yield from map(str.strip, lines)
        rest = rest[: MAX_URL + 1]  # longer than a URL, and so is all that follows
    yield rest.strip()


def unpacked(body: bytes, leave_out: LeaveOut = say_nothing) -> Iterator[bytes]:
    """The content of `body` in parts, unpacked as often as it is packed with gzip.

    Up to _MAX_PACKED times, and up to _MAX_UNPACKED bytes. It ends early where the file
    is damaged.
    """
    parts = parts_of(body)
    for _ in range(_MAX_PACKED):
        first = next(parts, b"")
        parts = chain((first,), parts)
        if not first.startswith(_GZIP):
            break
        parts = _inflated(parts, leave_out)
    return parts


def _inflated(parts: Iterable[bytes], leave_out: LeaveOut) -> Iterator[bytes]:
    left, members = _MAX_UNPACKED, 1
    inflate = zlib.decompressobj(wbits=31)
    try:
        for part in parts:
            rest, full = part, False
            while rest or full:
                if members > _MAX_MEMBERS:
                    if rest[:1] == _GZIP[:1]:
                        leave_out("markup")
                    return
                content = inflate.decompress(rest, _PART)
                if len(content) > left:
                    yield content[:left]
                    leave_out("markup")
                    return
                left -= len(content)
                if content:
                    yield content
                rest, full = inflate.unconsumed_tail, len(content) == _PART
                if inflate.eof:
                    rest, full = inflate.unused_data, False
                    members += 1
                    inflate = zlib.decompressobj(wbits=31)
    except zlib.error:
        return
