"""The character encoding of a document, found as browsers find it.

See the HTML Standard, section 13.2.3.

It is told by a byte order mark, else by the charset of the Content-Type, else by a
`<meta>` or an XML declaration; else it is windows-1252. Browsers search the first 1024
bytes for a declaration, and start anew when their parser meets one later; to search the
first 16 KiB has the same result without a second start.

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

_FIRST_PRESCAN = 1024
_MAX_PRESCAN = 16 * 1024
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xfe\xff", "utf-16be"),
    (b"\xff\xfe", "utf-16le"),
)
_UTF_16_XML = {b"<\0?\0x\0": "utf-16le", b"\0<\0?\0x": "utf-16be"}

_SPACE = r"\t\n\f\r "
_ATTRIBUTE = (
    rf"[^{_SPACE}/>][^{_SPACE}/>=]*+"
    rf"""(?:[{_SPACE}]*+=[{_SPACE}]*+(?:"[^"]*+"|'[^']*+'|(?!["'])[^{_SPACE}>]*+))?+"""
)
_ATTRIBUTES = rf"(?:[{_SPACE}/]*+{_ATTRIBUTE})*+[{_SPACE}/]*+"
# The prescan has no raw text: it reads meta elements in scripts and titles too.
_META = re.compile(
    r"[^<]*+(?:<(?:"
    rf"!--(?:>|->|(?:[^-]++|-(?!->))*+-->)|[!?](?!--)[^>]*+>|/[^a-z>][^>]*+>|/>"
    rf"|(?!meta[{_SPACE}/])/?[a-z][^{_SPACE}>]*+{_ATTRIBUTES}>|(?![a-z/!?])"
    rf")[^<]*+)*+<meta(?=[{_SPACE}/])({_ATTRIBUTES})>",
    re.IGNORECASE | re.ASCII,
).match
_EACH_ATTRIBUTE = re.compile(
    rf"([^{_SPACE}/>][^{_SPACE}/>=]*+)"
    rf"""(?:[{_SPACE}]*+=[{_SPACE}]*+(?:"([^"]*+)"|'([^']*+)'|([^{_SPACE}>]*+)))?+"""
).findall
_CONTENT_CHARSET = re.compile(
    rf"charset[{_SPACE}]*=[{_SPACE}]*"
    rf"""(?:"([^"]*)"|'([^']*)'|(?!["'])([^{_SPACE};]+))""",
    re.IGNORECASE | re.ASCII,
).search
_XML_ENCODING = re.compile(
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


_NOT_ASCII_SAFE = {
    "big5", "euc-jp", "euc-kr", "gb18030", "gbk", "iso-2022-jp", "replacement",
    "shift_jis", "utf-16be", "utf-16le",
}  # fmt: skip
"""In these encodings a byte of ASCII may be part of another character."""


def markup(body: bytes, header: str | None, limit: int) -> Markup:
    """The first `limit` bytes, decoded; `header` is the charset of the Content-Type."""
    encoding, mark = sniff_encoding(body, header)
    part = body[mark:limit] if mark or len(body) > limit else body
    if encoding.name in _NOT_ASCII_SAFE:
        return Markup(
            encoding.codec_info.decode(part, "replace")[0], encoding.name, str
        )
    return Markup(part.decode("latin-1"), encoding.name, _decoder(encoding))


@cache
def _decoder(encoding: Encoding) -> Callable[[str], str]:
    codec = encoding.codec_info.decode

    def decode(text: str) -> str:
        return text if text.isascii() else codec(text.encode("latin-1"), "replace")[0]

    return decode


def sniff_encoding(body: bytes, header: str | None) -> tuple[Encoding, int]:
    """The encoding of an HTML document, and the bytes of its byte order mark."""
    for mark, name in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _encoding(name), len(mark)
    encoding = lookup(header) if header else None
    return encoding or _prescan(body) or _encoding("windows-1252"), 0


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
