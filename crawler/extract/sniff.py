"""The media type of a body, by its Content-Type and its first bytes.

See WHATWG MIME Sniffing.

The essentials of the standard: the first bytes of an image decide, whatever the
Content-Type is; for anything else the Content-Type is believed; without one, HTML, XML
and PDF are recognised. Plain text is never taken for HTML. Beyond the standard, which
looks for feeds in HTML alone, a sitemap or a feed is one under any type: many servers
know no type for them, and send plain text or bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from crawler.model.regex import compiled

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_SPACE = r"\t\n\r "
_ESSENCE = compiled(rf"[{_SPACE}]*({_TOKEN}/{_TOKEN})[{_SPACE}]*(?:;|\Z)").match
_PARAMETER = compiled(
    rf"""[{_SPACE}]*+([^;=]*+)"""
    r"""(?:=(?:"((?:[^"\\]++|\\.|\\\Z)*+)(?:"[^;]*+|\Z)|([^;]*+)))?+(?:;|\Z)""",
    re.DOTALL,
).match
_NAME = compiled(_TOKEN).fullmatch
# "get, decode, and split": a comma in a quoted string separates nothing.
_LIST_VALUES = compiled(
    r"""(?:[^",]++|"(?:[^"\\]++|\\.|\\\Z)*+(?:"|\Z))++""", re.DOTALL
).findall
_VALUE = compiled(r"[\t -~\x80-\xff]*").fullmatch
_MAX_HEADER = 1000

_UNKNOWN = frozenset({"unknown/unknown", "application/unknown", "*/*"})

_HTML = compiled(
    rb"[\t\n\f\r ]*(?:<!--|<(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT"
    rb"|TABLE|A|STYLE|TITLE|B|BODY|BR|P)[ >])",
    re.IGNORECASE,
).match
# What may stand before the first element of XML. It is possessive, so that no document
# can make it slow.
_PROLOG = (
    rb"(?:\xef\xbb\xbf)?(?:[\t\n\r ]|<!--.*?-->|<\?.*?\?>"
    rb"|<!(?!--)[^>\[]*+(?:\[.*?\][\t\n\r ]*+)?>)*+"
)
_LISTING = compiled(
    _PROLOG + rb"<(rss|feed|rdf:RDF|urlset|sitemapindex)[\t\n\r >]", re.DOTALL
).match
_LISTING_TYPES = {
    b"rss": "application/rss+xml",
    b"rdf:RDF": "application/rss+xml",
    b"feed": "application/atom+xml",
    b"urlset": "application/xml",
    b"sitemapindex": "application/xml",
}
_XML = frozenset(
    {"text/xml", "application/xml", "application/rdf+xml", *_LISTING_TYPES.values()}
)
_SVG = compiled(_PROLOG + rb"<(?:\w+:)?svg[\t\n\r >/]", re.DOTALL).match
_SNIFFED = 1445
"""Bytes of the resource header (MIME Sniffing, section 5.2)."""


class MediaType(NamedTuple):
    """The essence (type/subtype) and the names of parameters are in lower case."""

    essence: str
    parameters: dict[str, str]


def extract_media_type(values: list[str]) -> MediaType | None:
    """The media type of a response by all its Content-Type fields; None: there is none.

    This is "extract a MIME type" of the Fetch Standard: the last valid value counts,
    and the charset of an earlier one of the same type stays in force.
    """
    if len(values) == 1 and "," not in values[0]:
        return parse_media_type(values[0])
    found: MediaType | None = None
    for value in _LIST_VALUES(", ".join(values)[:_MAX_HEADER]):
        media_type = parse_media_type(value)
        if media_type is None or media_type.essence == "*/*":
            continue
        found = _with_charset_of(found, media_type)
    return found


def _with_charset_of(before: MediaType | None, media_type: MediaType) -> MediaType:
    if (
        before is None
        or before.essence != media_type.essence
        or "charset" not in before.parameters
        or "charset" in media_type.parameters
    ):
        return media_type
    charset = {"charset": before.parameters["charset"]}
    return media_type._replace(parameters=media_type.parameters | charset)


def parse_media_type(value: str) -> MediaType | None:
    """The media type in a Content-Type ("parse a MIME type"); None: malformed."""
    return _parse(value[:_MAX_HEADER])


@lru_cache(maxsize=256)
def _parse(value: str) -> MediaType | None:
    found = _ESSENCE(value)
    if not found:
        return None
    parameters: dict[str, str] = {}
    position = found.end()
    while position < len(value):
        parameter = _PARAMETER(value, position)
        assert parameter is not None  # it matches anything up to a semicolon
        position = parameter.end()
        name, quoted, bare = parameter.groups()
        text = (
            _unquoted(quoted) if quoted is not None else (bare or "").rstrip("\t\n\r ")
        )
        if _NAME(name) and _VALUE(text) and (text or quoted is not None):
            parameters.setdefault(name.lower(), text)
    return MediaType(found[1].lower(), parameters)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def sniff(declared: str | None, body: bytes) -> str:
    """The media type of `body`; `declared` is the essence in its Content-Type."""
    image = image_type(body)
    if image:
        return image
    if declared is None or declared in _UNKNOWN:
        return _sniff_unknown(body)
    return declared if declared in _XML else _listing_type(body) or declared


def _listing_type(body: bytes) -> str | None:
    """The media type of a sitemap or a feed in XML, by its root; None: it is none."""
    found = _LISTING(_xml_start(body))
    return _LISTING_TYPES[found[1]] if found else None


def image_type(body: bytes) -> str | None:
    """The image format by the first bytes, as a media type; None: no known one."""
    found = _MAGIC(body)
    if not found:
        return None
    kind = found.lastgroup
    if kind == "iso":
        return _iso_image(body)
    return "image/x-icon" if kind == "icon" else f"image/{kind}"


# A text may begin with the two letters of a bitmap, so the size of its second header is
# compared, too.
_MAGIC = compiled(
    rb"(?P<png>\x89PNG\r\n\x1a\n)|(?P<jpeg>\xff\xd8\xff)|(?P<gif>GIF8[79]a)"
    rb"|(?P<webp>RIFF.{4}WEBP)|(?P<icon>\0\0[\1\2]\0)|(?P<tiff>II\*\0|MM\0\*)"
    rb"|(?P<jxl>\xff\n|\0\0\0\x0cJXL \r\n\x87\n)|(?P<iso>.{4}ftyp)"
    rb"|(?P<bmp>BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0)",
    re.DOTALL,
).match
_ISO_BRANDS = {b"avif": "image/avif", b"avis": "image/avif"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    "image/heic",
)


def _iso_image(body: bytes) -> str | None:
    """The image format of an ISO base media file, by its brands.

    It is AVIF if that is among them, else the first known one (ISO/IEC 14496-12 section
    4.3).
    """
    size = min(int.from_bytes(body[:4], "big"), 256)
    brands = [body[8:12], *(body[at : at + 4] for at in range(16, size, 4))]
    known = [_ISO_BRANDS[brand] for brand in brands if brand in _ISO_BRANDS]
    return "image/avif" if "image/avif" in known else next(iter(known), None)


def _sniff_unknown(body: bytes) -> str:
    start = body[:_SNIFFED]
    if listing := _listing_type(body):  # before HTML: either may begin with a comment
        return listing
    if _HTML(start.removeprefix(b"\xef\xbb\xbf")):
        return "text/html"
    if start.removeprefix(b"\xef\xbb\xbf").lstrip(b"\t\n\f\r ").startswith(b"<?xml"):
        return "text/xml"
    if looks_like_svg(start):
        return "image/svg+xml"
    if start.startswith(b"%PDF-"):
        return "application/pdf"
    if start.startswith(b"\x1f\x8b\x08"):
        return "application/gzip"
    return "application/octet-stream" if _is_binary(start) else "text/plain"


_BINARY = frozenset([*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])


def _is_binary(start: bytes) -> bool:
    """Whether there is a byte that text does not contain ("binary data byte")."""
    return not start.startswith((b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")) and not (
        _BINARY.isdisjoint(start)
    )


def looks_like_svg(body: bytes) -> bool:
    """Whether the first element is `<svg>`, in UTF-8 or in UTF-16."""
    return _SVG(_xml_start(body)) is not None


def _xml_start(body: bytes) -> bytes:
    """The beginning of `body`, in UTF-8 if it is XML in UTF-16."""
    utf_16 = utf_16_of_xml(body)
    if not utf_16:
        return body[:_SNIFFED]
    text = body[: 2 * _SNIFFED].decode(utf_16, "replace")
    return text.removeprefix("\ufeff").encode()


def utf_16_of_xml(body: bytes) -> str | None:
    """The codec of XML in UTF-16: it has a byte order mark, or a declaration.

    See XML 1.0 appendix F.1. None: it is not in UTF-16.
    """
    return _UTF_16.get(body[:2]) or _UTF_16.get(body[:4])


_UTF_16 = {
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
    b"<\0?\0": "utf-16-le",
    b"\0<\0?": "utf-16-be",
}
