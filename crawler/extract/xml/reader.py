"""The readers of sitemaps and feeds: XML, JSON Feed, packed with gzip, in plain text.

XML says by its root element what it is, so that XHTML and SVG under a type of XML go
to their readers from here. What is imported inside the functions a crawl without such
documents does not need.
"""

from __future__ import annotations

import re

from crawler.extract.body import Body, Reader, read_other
from crawler.extract.html.reader import read_xhtml
from crawler.extract.images.reader import read_svg
from crawler.model.documents import Document, File, LeftOut, lacking
from crawler.model.regex import compiled

_READERS_BY_ROOT: dict[str, Reader] = {"html": read_xhtml, "svg": read_svg}
_ROOT = compiled(rb"<(?:[\w.-]{1,40}+:)?(?:urlset|sitemapindex|rss|feed|RDF)[\s/>]")
_GZIP = b"\x1f\x8b\x08"
_OTHER_STARTS = compiled(
    rb"\x1f\x8b\x08|\xfe\xff|\xff\xfe|(?:\xef\xbb\xbf)?+\s*+https?://", re.I
).match
_HEAD = 16 * 1024
"""Characters in which a sitemap or a feed has to show what it is."""


def read_xml(body: Body) -> Document:
    from crawler.extract.xml.listing import read_listing
    from crawler.extract.xml.parser import parts_of

    listing = read_listing(
        parts_of(body.content), body.url, body.media_type, body.charset, body.max_links
    )
    if isinstance(listing, File):
        return listing
    return _READERS_BY_ROOT.get(listing, read_other)(body)


def read_gzip(body: Body) -> File:
    """A packed sitemap or feed; else a file without links."""
    return read_sitemap(body) or read_other(body)


def read_text(body: Body) -> File:
    """A sitemap, if its file name contains "sitemap", or a JSON Feed."""
    if _is_called_sitemap(body):
        return read_sitemap(body) or _read_json_feed(body)
    return _read_json_feed(body)


def read_octets(body: Body) -> File:
    """What is sent as bytes of no known type: it may be packed."""
    if body.content.startswith(_GZIP):
        return read_gzip(body)
    return read_text(body)


def read_json(body: Body) -> File:
    """A JSON Feed, or the links and images that other JSON names."""
    if b"jsonfeed.org" in body.content[:_HEAD]:
        return _read_json_feed(body)
    from crawler.extract.json_links import read_json_links

    return read_json_links(body)


def _read_json_feed(body: Body) -> File:
    if b"jsonfeed.org" not in body.content[:_HEAD]:
        return read_other(body)
    from crawler.extract.json_feed import read_json_feed

    return read_json_feed(body)


def read_sitemap(body: Body) -> File | None:
    """The sitemap or feed in `body`, whatever the media type; None: there is none.

    It may be XML, or text that begins with a URL, each packed up to two times.
    """
    called_sitemap = _is_called_sitemap(body)
    if not called_sitemap and not _may_be_sitemap(body.content):
        return None
    from crawler.extract.xml.decoding import decoded
    from crawler.extract.xml.listing import read_listing, read_text_listing
    from crawler.extract.xml.sitemap import is_url_list, unpacked

    cut: set[LeftOut] = set()
    listing: File | str = ""
    # A charset is that of the text: of what is packed the header can't tell it.
    charset = None if body.content.startswith(_GZIP) else body.charset
    head = next(decoded(unpacked(body.content), charset), "")[:_HEAD]
    if _ROOT.search(head.encode()):
        parts = unpacked(body.content, cut.add)
        listing = read_listing(
            parts, body.url, body.media_type, charset, body.max_links
        )
    elif is_url_list(head) or (called_sitemap and body.media_type == "text/plain"):
        parts = unpacked(body.content, cut.add)
        listing = read_text_listing(decoded(parts, charset), body)
    if isinstance(listing, str):
        return None
    return lacking(listing, cut)


def is_listing(start: Body) -> bool:
    """Whether a body that begins so is a sitemap or a feed, or may be one."""
    if _is_called_sitemap(start) or b"jsonfeed.org" in start.content:
        return True
    if not _may_be_sitemap(start.content):
        return False
    from crawler.extract.xml.decoding import decoded
    from crawler.extract.xml.sitemap import is_url_list, unpacked

    head = next(decoded(unpacked(start.content), None), "")[:_HEAD]
    return bool(_ROOT.search(head.encode())) or is_url_list(head)


def _may_be_sitemap(content: bytes) -> bool:
    """What most pages are not, so that they cost no more than this."""
    return bool(_OTHER_STARTS(content) or _ROOT.search(content[:_HEAD]))


def _is_called_sitemap(body: Body) -> bool:
    return "sitemap" in body.url.rpartition("/")[2]
