"""The dimensions of an SVG image, which is an XML document.

A browser shows an SVG only if it is well-formed to its end, so the whole document is
parsed: that finds a file that was cut short, and text before or behind the image.
Expat does it, without a tree, without external entities, and with its limit on the
growth of entities. In an image that declares entities, and in one beyond the bounds
below, only the beginning is parsed, and the end has to look like one.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from xml.parsers import expat

from webencodings import lookup

from crawler.extract.body import MAX_MARKUP
from crawler.extract.charset import declared_by_xml
from crawler.extract.images.formats import ImageHeader, cut_short
from crawler.extract.sniff import utf_16_of_xml
from crawler.model.errors import ImageDecodeFailure
from crawler.model.regex import compiled

_NAMESPACE = "http://www.w3.org/2000/svg"
_NAMES = ("svg", f"{_NAMESPACE} svg")
_MAX_DEPTH = 2048
"""Nested elements; libxml2 in Chromium has the same bound."""
_MAX_ELEMENTS = 400_000
_FIRST_PART = 256 * 1024
"""Bytes that are parsed before anything is known; entities grow them a hundredfold."""
_ENDS_EARLY = {
    expat.errors.codes[message]
    for message in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
}


def read_svg_header(body: bytes, charset: str | None = None) -> ImageHeader:
    """Width and height in CSS pixels; `charset` is that of the Content-Type.

    Raises ImageDecodeFailure if the root is no `<svg>`, or the XML is not well-formed.
    """
    attributes = _root(_as_utf_8(body, charset))
    if attributes is None:
        raise ImageDecodeFailure("image/svg+xml: its first element is no <svg>")
    return ImageHeader("svg", *_size(attributes))


def _as_utf_8(body: bytes, charset: str | None) -> bytes:
    """By byte order mark, `charset`, XML declaration (RFC 7303 section 3), or UTF-8."""
    if body.startswith(codecs.BOM_UTF8):
        return body[3:]
    utf_16 = utf_16_of_xml(body)
    if utf_16:
        return body.decode(utf_16, "replace").removeprefix("\ufeff").encode()
    encoding = (lookup(charset) if charset else None) or declared_by_xml(body)
    if encoding is None or encoding.name.startswith("utf-"):
        return body  # in UTF-16 it would have a mark or a declaration
    return encoding.codec_info.decode(body, "replace")[0].encode()


class _Enough(Exception):
    """A bound is reached."""


class _Handler:
    def __init__(self, parser: expat.XMLParserType) -> None:
        self.root: tuple[str, Mapping[str, str]] | None = None
        self.has_entities = False
        self._depth = self._elements = 0
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._entity

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self.root is None:
            self.root = name, attributes
        self._depth += 1
        self._elements += 1
        if self._depth > _MAX_DEPTH or self._elements > _MAX_ELEMENTS:
            raise _Enough

    def _end(self, name: str) -> None:
        self._depth -= 1

    def _entity(self, *_: object) -> None:
        self.has_entities = True


def _root(body: bytes) -> Mapping[str, str] | None:
    """The attributes of the root; None: it is no `<svg>`."""
    parser = expat.ParserCreate("utf-8", " ")
    handler = _Handler(parser)
    try:
        parser.Parse(body[:_FIRST_PART], len(body) <= _FIRST_PART)
        if len(body) > MAX_MARKUP or (handler.has_entities and len(body) > _FIRST_PART):
            raise _Enough
        if len(body) > _FIRST_PART:
            parser.Parse(body[_FIRST_PART:], True)
    except _Enough:
        _check_end(body)
    except expat.ExpatError as error:
        if handler.root and error.code in _ENDS_EARLY:
            raise cut_short("image/svg+xml") from None
        raise ImageDecodeFailure(
            f"image/svg+xml: no well-formed XML: {error}"
        ) from None
    if handler.root is None or handler.root[0] not in _NAMES:
        return None
    return handler.root[1]


_END = compiled(
    rb"</(?:[\w-]+:)?svg\s*>(?:\s|<!--.*?-->|<\?.*?\?>)*+\Z", re.DOTALL
).search


def _check_end(body: bytes) -> None:
    if not _END(body[-2000:]):
        raise cut_short("image/svg+xml")


_LENGTH = compiled(
    r"\s*\+?(\d+(?:\.\d+)?|\.\d+)(?:e([+-]?\d{1,2}))?"
    r"(px|pt|pc|mm|cm|in|q|r?em|ex)?\s*",
    re.IGNORECASE,
).fullmatch
_PIXELS = {
    "px": 1.0,
    "pt": 4 / 3,
    "pc": 16.0,
    "mm": 96 / 25.4,
    "cm": 96 / 2.54,
    "q": 96 / 101.6,
    "in": 96.0,
    "em": 16.0,
    "rem": 16.0,
    "ex": 8.0,
}
"""CSS pixels per unit (CSS Values sections 6.1 and 6.2), for a font of 16 pixels."""
_MAX_PIXELS = 10**7
_Side = float | None


def _size(attributes: Mapping[str, str]) -> tuple[int | None, int | None]:
    """By the attributes of the root (CSS Images section 5.3).

    One side and the ratio of the viewBox give the other. An image without a side of its
    own has the size of its viewBox, in which it was drawn.
    """
    width, height = _length(attributes.get("width")), _length(attributes.get("height"))
    box = _view_box(attributes.get("viewBox", ""))
    if box and width:
        height = height or width * box[1] / box[0]
    elif box and height:
        width = height * box[0] / box[1]
    elif box:
        width, height = box
    return _pixels(width), _pixels(height)


def _view_box(value: str) -> tuple[float, float] | None:
    box = re.split(r"[\s,]+", value[:200].strip())
    if len(box) != 4:
        return None
    width, height = _length(box[2]), _length(box[3])
    return (width, height) if width and height else None


def _length(value: str | None) -> _Side:
    """In pixels; None: a percentage, `auto`, or no length."""
    found = _LENGTH(value) if value and len(value) < 50 else None
    if not found:
        return None
    number = float(found[1]) * 10.0 ** int(found[2] or 0)
    return number * _PIXELS[(found[3] or "px").lower()]


def _pixels(side: _Side) -> int | None:
    """In whole pixels; None beyond _MAX_PIXELS."""
    return round(side) if side and 0.5 <= side <= _MAX_PIXELS else None
