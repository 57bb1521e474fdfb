"""The character encoding of a document, found as browsers find it.

See the HTML Standard, section 13.2.3.

It is told by a byte order mark, else by the charset of the Content-Type, else by a
`<meta>` or an XML declaration; else the bytes decide (`charset_detector.py`, which is
loaded only then), and a document in ASCII is windows-1252. Browsers search the first
1024 bytes for a declaration, and start anew when their parser meets one later; to
search the first 16 KiB has the same result without a second start.

Names are labels of the WHATWG Encoding Standard (`latin1` is windows-1252). Python's
own registry, where `base64` and `zip` are encodings too, is never given a name from the
network.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

from webencodings import Encoding, lookup

from crawler.model.documents import CharsetSource
from crawler.model.regex import compiled

_FIRST_PRESCAN = 1024
_MAX_PRESCAN = 16 * 1024
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xfe\xff", "utf-16be"),
    (b"\xff\xfe", "utf-16le"),
)
_ESCAPES = (b"\0", b"\x1b")
"""Text in UTF-16 and in ISO-2022-JP may consist of bytes of ASCII, one of these too.

Each is looked for by itself, at some GB a second; a character class takes 5 ns a byte,
which was 8 % of a crawl of pages that declare no encoding.
"""
_UTF_16_XML = {b"<\0?\0x\0": "utf-16le", b"\0<\0?\0x": "utf-16be"}

_SPACE = r"\t\n\f\r "
_ATTRIBUTE = (
    rf"[^{_SPACE}/>][^{_SPACE}/>=]*+"
    rf"""(?:[{_SPACE}]*+=[{_SPACE}]*+(?:"[^"]*+"|'[^']*+'|(?!["'])[^{_SPACE}>]*+))?+"""
)
_ATTRIBUTES = rf"(?:[{_SPACE}/]*+{_ATTRIBUTE})*+[{_SPACE}/]*+"
# The prescan has no raw text: it reads meta elements in scripts and titles too.
_META = compiled(
    r"[^<]*+(?:<(?:"
    rf"!--(?:>|->|(?:[^-]++|-(?!->))*+-->)|[!?](?!--)[^>]*+>|/[^a-z>][^>]*+>|/>"
    rf"|(?!meta[{_SPACE}/])/?[a-z][^{_SPACE}>]*+{_ATTRIBUTES}>|(?![a-z/!?])"
    rf")[^<]*+)*+<meta(?=[{_SPACE}/])({_ATTRIBUTES})>",
    re.IGNORECASE | re.ASCII,
).match
_EACH_ATTRIBUTE = compiled(
    rf"([^{_SPACE}/>][^{_SPACE}/>=]*+)"
    rf"""(?:[{_SPACE}]*+=[{_SPACE}]*+(?:"([^"]*+)"|'([^']*+)'|([^{_SPACE}>]*+)))?+"""
).findall
_CONTENT_CHARSET = compiled(
    rf"charset[{_SPACE}]*=[{_SPACE}]*"
    rf"""(?:"([^"]*)"|'([^']*)'|(?!["'])([^{_SPACE};]+))""",
    re.IGNORECASE | re.ASCII,
).search
_XML_ENCODING = compiled(
    r"""<\?xml[^>]*?encoding[\x00-\x20]*=[\x00-\x20]*(?:"([^">]*)"|'([^'>]*)')[^>]*>"""
).match


class Markup(NamedTuple):
    """A document in the form in which its tags are found.

    In most encodings a byte of ASCII is that character wherever it stands. So tags are
    found in the bytes, and only the wanted parts are decoded: decoding the whole would
    cost half as much as finding the tags.
    """

    text: str
    """The document as text: one character per byte where the encoding is ASCII-safe.

    For the encodings of _NOT_ASCII_SAFE it is decoded.
    """
    charset: str
    """The standard's name of the encoding (`windows-1252`)."""
    decode: Callable[[str], str]
    """Decodes a part of `text`. Invalid sequences become U+FFFD."""
    source: CharsetSource
    """What told the encoding."""


_NOT_ASCII_SAFE = {
    "big5", "euc-jp", "euc-kr", "gb18030", "gbk", "iso-2022-jp", "replacement",
    "shift_jis", "utf-16be", "utf-16le",
}  # fmt: skip
"""In these encodings a byte of ASCII may be part of another character."""


class Sniffed(NamedTuple):
    """The encoding of a document, and how it is known."""

    encoding: Encoding
    mark: int
    """Bytes of the byte order mark."""
    source: CharsetSource


def markup(body: bytes, header: str | None, limit: int, url: str = "") -> Markup:
    """The first `limit` bytes, decoded; `header` is the charset of the Content-Type.

    `url` is that of the document; where nothing declares an encoding, its top-level
    domain is a hint.
    """
    return marked_up(sniff_encoding(body, header, url), body, limit)


def marked_up(sniffed: Sniffed, body: bytes, limit: int) -> Markup:
    """The first `limit` bytes in the encoding that `sniffed` names."""
    encoding, mark, source = sniffed
    part = body[mark:limit] if mark or len(body) > limit else body
    if encoding.name in _NOT_ASCII_SAFE:
        text = _decoded(part, encoding)
        return Markup(text, encoding.name, str, source)
    return Markup(part.decode("latin-1"), encoding.name, decoder(encoding), source)


def _decoded(part: bytes, encoding: Encoding) -> str:
    """`part` by the standard's decoder, where Python's codec of that name is another.

    The decoder of "replacement", to which hz-gb-2312 and others belong, gives one
    U+FFFD. GBK is decoded as GB18030, of which it is a part.
    """
    if encoding.name == "replacement":
        return "\ufffd" if part else ""
    codec = _encoding("gb18030") if encoding.name == "gbk" else encoding
    return codec.codec_info.decode(part, "replace")[0]


@cache
def decoder(encoding: Encoding) -> Callable[[str], str]:
    """Decodes a text in which each character is a byte of a document."""
    codec = encoding.codec_info.decode

    def decode(text: str) -> str:
        return text if text.isascii() else codec(text.encode("latin-1"), "replace")[0]

    return decode


def sniff_encoding(body: bytes, header: str | None, url: str = "") -> Sniffed:
    """The encoding of an HTML document ("determining the character encoding")."""
    for mark, name in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return Sniffed(_encoding(name), len(mark), "bom")
    if header and (encoding := lookup(header)):
        return Sniffed(encoding, 0, "http")
    if encoding := _prescan(body):
        return Sniffed(encoding, 0, "meta")
    return _by_the_bytes(body, url)


def sniff_xml_encoding(body: bytes, header: str | None, url: str = "") -> Sniffed:
    """The encoding of an XHTML document (XML 1.0, appendix F).

    Without a declaration it is UTF-8, unless the bytes are not.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return Sniffed(_encoding(name), len(mark), "bom")
    if header and (encoding := lookup(header)):
        return Sniffed(encoding, 0, "http")
    if encoding := declared_by_xml(body):
        return Sniffed(encoding, 0, "meta")
    if body.isascii():
        return Sniffed(_encoding("utf-8"), 0, "default")
    return sniff_encoding(body, None, url)


def _by_the_bytes(body: bytes, url: str) -> Sniffed:
    """The encoding of a document that declares none."""
    if body.isascii() and not any(escape in body for escape in _ESCAPES):
        return Sniffed(_encoding("windows-1252"), 0, "default")
    from crawler.extract.charset_detector import detect

    if detected := detect(body, url):
        return Sniffed(_encoding(detected), 0, "detected")
    return Sniffed(_encoding("windows-1252"), 0, "default")


def declared_by_xml(body: bytes) -> Encoding | None:
    """The encoding in the XML declaration ("get an XML encoding")."""
    found = _XML_ENCODING(body[:_MAX_PRESCAN].decode("latin-1"))
    return _usable(lookup(found[1] or found[2])) if found else None


def _prescan(body: bytes) -> Encoding | None:
    """The encoding that the document declares.

    This is "prescan a byte stream to determine its encoding" of the HTML Standard.
    """
    if body[:6] in _UTF_16_XML:
        return _encoding(_UTF_16_XML[body[:6]])
    declared = _declared_by_meta(body[:_FIRST_PRESCAN]) or _declared_by_meta(
        body[:_MAX_PRESCAN]
    )
    return _usable(declared) if declared else declared_by_xml(body)


def _declared_by_meta(head: bytes) -> Encoding | None:
    named = b"charset" in head or b"charset" in head.lower()
    text = head.decode("latin-1") if named else ""
    position = 0
    while meta := _META(text, position):
        label = _label(meta[1])
        encoding = lookup(label) if label else None
        if encoding:
            return encoding
        position = meta.end()
    return None


@lru_cache(maxsize=32)
def _label(written: str) -> str | None:
    """The label of an encoding in the attributes of a meta element."""
    values: dict[str, str] = {
        name.lower(): double or single or bare
        for name, double, single, bare in reversed(_EACH_ATTRIBUTE(written))
    }
    if "charset" in values:
        return values["charset"]
    if values.get("http-equiv", "").lower() != "content-type":
        return None
    found = _CONTENT_CHARSET(values.get("content", ""))
    return str(found[1] or found[2] or found[3] or "") if found else None


def _usable(encoding: Encoding | None) -> Encoding | None:
    """The encoding to use for a declared one.

    A declaration that was readable as ASCII is not in UTF-16.
    """
    if encoding is None:
        return None
    if encoding.name in ("utf-16le", "utf-16be"):
        return _encoding("utf-8")
    return _encoding("windows-1252") if encoding.name == "x-user-defined" else encoding


def _encoding(name: str) -> Encoding:
    encoding = lookup(name)
    assert encoding is not None
    return encoding
