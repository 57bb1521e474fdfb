"""The readers of sitemaps and feeds, in XML, packed with gzip, and in plain text.

XML says by its root element what it is, so that XHTML and SVG under a type of XML go
to their readers from here. What is imported inside the functions a crawl without XML
does not need.
"""

from __future__ import annotations

from crawler.extract.body import MAX_MARKUP, Body, Reader, read_other
from crawler.extract.html.reader import read_xhtml
from crawler.extract.images.reader import read_svg
from crawler.model.documents import Document, File

_READERS_BY_ROOT: dict[str, Reader] = {"html": read_xhtml, "svg": read_svg}


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
    """A packed sitemap, if its first kilobytes name one, else a file without links."""
    from crawler.extract.xml.listing import read_listing
    from crawler.extract.xml.sitemap import unpacked

    start = next(unpacked(body.content), b"")
    if b"<urlset" not in start and b"<sitemapindex" not in start:
        return read_other(body)
    listing = read_listing(
        unpacked(body.content), body.url, body.media_type, None, body.max_links
    )
    return listing if isinstance(listing, File) else read_other(body)


def read_text(body: Body) -> File:
    """A sitemap, if its file name contains "sitemap", else a file without links."""
    if "sitemap" not in body.url.rpartition("/")[2]:
        return read_other(body)
    from crawler.extract.xml.listing import read_text_listing

    text = body.content[:MAX_MARKUP].decode("utf-8", "replace")
    return read_text_listing(text, body.url, body.charset, body.max_links)
