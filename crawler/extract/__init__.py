"""From a response to what it says: a Page, an Image or a File.

Pure: bytes and headers in, values out, so that it may run in any thread. What a body
is, its bytes and its Content-Type decide together (`sniff.py`); the table below says
who reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from webencodings import lookup

from crawler.extract.charset import declared_by_xml, markup
from crawler.extract.html.page import read_page
from crawler.extract.images.formats import PICTURES, Picture, read_picture
from crawler.extract.sniff import MediaType, looks_like_svg, parse_media_type, sniff
from crawler.model.config import LimitsConfig
from crawler.model.crawl import Destination
from crawler.model.documents import File, Image, Page
from crawler.model.errors import (
    BodyFailure,
    ExtractFailure,
    ImageDecodeFailure,
    TooLarge,
)
from crawler.model.http import Response

__all__ = ["extract"]

_MOST_MARKUP = 16 * 2**20
"""Bytes of a document that are read for its links; what lies beyond is kept, but not
looked at."""


class _Body(NamedTuple):
    """One body on its way to its reader."""

    url: str
    content: bytes
    media_type: str
    charset: str | None
    """As the Content-Type says."""
    max_links: int
    with_text: bool


def extract(
    response: Response,
    destination: Destination,
    limits: LimitsConfig,
    *,
    with_text: bool = False,
) -> Page | Image | File:
    """What the body of `response` says; `with_text` asks for the texts of a page's
    links.

    With `destination` "image" the result is an Image. Raises ImageDecodeFailure where it can
    be none, TooLarge for a picture that was cut at the size limit, ExtractFailure where
    a reader broke down; nothing else.
    """
    declared = parse_media_type(response.header("content-type") or "")
    media_type = _media_type(response, destination, declared)
    body = _Body(
        response.url,
        response.body,
        media_type,
        declared.parameters.get("charset") if declared else None,
        limits.max_links,
        with_text,
    )
    if destination == "image" and not _is_picture(media_type):
        raise ImageDecodeFailure(
            f"{media_type}: the bytes are no image of a known kind"
        )
    if response.truncated and _is_picture(media_type):
        raise TooLarge(
            f"{media_type}: longer than the {len(response.body)} bytes allowed"
        )
    try:
        return _READERS.get(media_type, _read_other)(body)
    except BodyFailure:
        raise
    except Exception as error:  # one document takes one record with it, never the crawl
        raise ExtractFailure(
            f"{media_type}: {type(error).__name__}: {error}"
        ) from error


def _media_type(
    response: Response, destination: Destination, declared: MediaType | None
) -> str:
    media_type = sniff(declared.essence if declared else None, response.body)
    if (
        destination == "image"
        and not _is_picture(media_type)
        and looks_like_svg(response.body)
    ):
        return "image/svg+xml"
    return media_type


def _is_picture(media_type: str) -> bool:
    return media_type in PICTURES or media_type == "image/svg+xml"


def _read_html(body: _Body) -> Page:
    document = markup(body.content, body.charset, _MOST_MARKUP)
    return read_page(
        document, body.url, body.media_type, body.max_links, with_text=body.with_text
    )


def _read_xhtml(body: _Body) -> Page:
    declared = lookup(body.charset) if body.charset else declared_by_xml(body.content)
    document = markup(
        body.content, declared.name if declared else "utf-8", _MOST_MARKUP
    )
    return read_page(
        document,
        body.url,
        body.media_type,
        body.max_links,
        with_text=body.with_text,
        xml=True,
    )


def _read_picture(body: _Body) -> Image:
    return _image(body, read_picture(body.content, body.media_type))


def _image(body: _Body, picture: Picture) -> Image:
    return Image(
        body.media_type, picture.format, picture.width, picture.height, picture.frames
    )


def _read_svg(body: _Body) -> Image:
    from crawler.extract.images.svg import (
        read_svg,  # lxml is 7 MB that a crawl without XML can do without
    )

    return _image(body._replace(media_type="image/svg+xml"), read_svg(body.content))


def _read_xml(body: _Body) -> Page | Image | File:
    from crawler.extract.xml.listing import read_listing
    from crawler.extract.xml.parser import parts_of

    listing = read_listing(
        parts_of(body.content), body.url, body.media_type, body.charset, body.max_links
    )
    if isinstance(listing, File):
        return listing
    return _READERS_BY_ROOT.get(listing, _read_other)(body)


def _read_gzip(body: _Body) -> File:
    """A packed sitemap, if the first kilobytes say so, or just a file."""
    from crawler.extract.xml.listing import read_listing
    from crawler.extract.xml.sitemap import unpacked

    if b"<urlset" not in (start := next(unpacked(body.content), b"")) and (
        b"<sitemapindex" not in start
    ):
        return _read_other(body)
    listing = read_listing(
        unpacked(body.content), body.url, body.media_type, None, body.max_links
    )
    return listing if isinstance(listing, File) else _read_other(body)


def _read_text(body: _Body) -> File:
    """A sitemap in plain text, if its name says so, or just a file."""
    if "sitemap" not in body.url.rpartition("/")[2]:
        return _read_other(body)
    from crawler.extract.xml.listing import read_text_listing

    text = body.content[:_MOST_MARKUP].decode("utf-8", "replace")
    return read_text_listing(text, body.url, body.charset, body.max_links)


def _read_other(body: _Body) -> File:
    return File(body.media_type, body.charset)


_Reader = Callable[[_Body], Page | Image | File]
_READERS: dict[str, _Reader] = {
    "text/html": _read_html,
    "application/xhtml+xml": _read_xhtml,
    **dict.fromkeys(PICTURES, _read_picture),
    "image/svg+xml": _read_svg,
    **dict.fromkeys(("text/xml", "application/xml"), _read_xml),
    **dict.fromkeys(
        (f"application/{name}+xml" for name in ("rss", "atom", "rdf")), _read_xml
    ),
    **dict.fromkeys(("application/gzip", "application/x-gzip"), _read_gzip),
    "text/plain": _read_text,
}
_READERS_BY_ROOT: dict[str, _Reader] = {"html": _read_xhtml, "svg": _read_svg}
