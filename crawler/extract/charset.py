"""The character set of a document, decided as browsers do (HTML Standard, section
13.2.3).

A byte order mark, else the charset of the Content-Type, else what a `<meta>` or an XML
declaration says, else windows-1252. Browsers look for it in the first 1024 bytes, and
begin again when their parser meets it later; looking in the first 16 KiB comes to the
same and needs no second start.

Names are labels of the WHATWG Encoding Standard (`latin1` is windows-1252). Python's
own registry, in which `base64` and `zip` are encodings too, is never asked for a name
from the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

from webencodings import Encoding, lookup

_USUAL = 1024
_PRESCANNED = 16 * 1024
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
# The prescan knows no raw text: it reads meta elements in scripts and titles too.
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
    """A document for who looks for its tags. In most encodings a byte of ASCII is that
    character wherever it stands, so tags are found in the bytes, and only the parts
    that matter are decoded; the whole would cost as much as half of finding the tags.
    """

    text: str
    """A character for each byte, or all of it decoded where the encoding is not of that
    kind."""
    charset: str
    """The standard's name of the encoding (`windows-1252`)."""
    said: Callable[[str], str]
    """From a part of `text` to what it says. Invalid sequences become U+FFFD."""


_OF_SEVERAL_BYTES = {
    "big5", "euc-jp", "euc-kr", "gb18030", "gbk", "iso-2022-jp", "replacement", "shift_jis",
    "utf-16be", "utf-16le",
}  # fmt: skip
"""In these an ASCII byte may be part of another character."""


def markup(body: bytes, header: str | None, limit: int) -> Markup:
    """The first `limit` bytes of a document; `header`: the charset of its
    Content-Type."""
    encoding, mark = decide(body, header)
    part = body[mark:limit] if mark or len(body) > limit else body
    if encoding.name in _OF_SEVERAL_BYTES:
        return Markup(
            encoding.codec_info.decode(part, "replace")[0], encoding.name, str
        )
    return Markup(part.decode("latin-1"), encoding.name, _decoder(encoding))


@cache
def _decoder(encoding: Encoding) -> Callable[[str], str]:
    decode = encoding.codec_info.decode

    def said(text: str) -> str:
        return text if text.isascii() else decode(text.encode("latin-1"), "replace")[0]

    return said


def decide(body: bytes, header: str | None) -> tuple[Encoding, int]:
    """The encoding of an HTML document, and the length of its byte order mark."""
    for mark, name in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _standard(name), len(mark)
    encoding = lookup(header) if header else None
    return encoding or _prescan(body) or _standard("windows-1252"), 0


def declared_by_xml(body: bytes) -> Encoding | None:
    """The encoding that an XML declaration names ("get an XML encoding")."""
    found = _XML_ENCODING(body[:_PRESCANNED].decode("latin-1"))
    return _readable(lookup(found[1] or found[2])) if found else None


def _prescan(body: bytes) -> Encoding | None:
    """What the document says of itself ("prescan a byte stream to determine its
    encoding")."""
    if body[:6] in _UTF_16_XML:
        return _standard(_UTF_16_XML[body[:6]])
    declared = _declared_by_meta(body[:_USUAL]) or _declared_by_meta(body[:_PRESCANNED])
    return _readable(declared) if declared else declared_by_xml(body)


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
    """The label in the attributes of one meta element, of what is written in its
    tag."""
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


def _readable(encoding: Encoding | None) -> Encoding | None:
    """Whoever could read the declaration as ASCII does not read UTF-16."""
    if encoding is None:
        return None
    if encoding.name in ("utf-16le", "utf-16be"):
        return _standard("utf-8")
    return _standard("windows-1252") if encoding.name == "x-user-defined" else encoding


def _standard(name: str) -> Encoding:
    encoding = lookup(name)
    assert encoding is not None
    return encoding
