"""A document with other URLs in place of its own, and the same bytes elsewhere.

    body -> text in which each character is a byte, where the encoding allows that
         -> references -> edits -> body

An edit replaces the URL before its fragment. What follows from a URL that is another
now is edited as well: `integrity` and `crossorigin` of an element whose file is a local
one, and a Content-Security-Policy, get the prefix `data-`, which takes away what they
do and keeps what they say; `<base href>` becomes empty, so that the document's own URL
is its base. An encoding that only the Content-Type has told is declared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from webencodings import Encoding, lookup

from crawler.extract.body import MAX_URL_CHARACTERS, Body
from crawler.extract.charset import decoder, sniff_encoding, sniff_xml_encoding
from crawler.extract.css.reader import style_encoding
from crawler.extract.references.css import css_references
from crawler.extract.references.html import html_references
from crawler.extract.references.reference import Reference, read, whole, write
from crawler.model.regex import compiled
from crawler.model.url import Base

Local = Callable[[str], str | None]
"""How the document refers to the copy of an absolute URL; None: there is none.

Both are without a fragment. The reference is percent-encoded, so that it is ASCII
without spaces and quotation marks.
"""

_ABSOLUTE = compiled(r"(?:https?|ftp|wss?)://", re.IGNORECASE).match
_NOT_BYTEWISE = frozenset({"iso-2022-jp", "utf-16be", "utf-16le"})
"""Encodings in which a byte of ASCII may be part of another character of a tag."""
_TRAILING_ASCII = frozenset({"big5", "gb18030", "gbk", "shift_jis"})
"""Encodings in which a byte of ASCII may be the second one of a letter.

It is no character of a tag's form, but it may be a backslash, which CSS looks for.
"""
_XML = frozenset({"application/xhtml+xml", "image/svg+xml"})
HTML = frozenset({"text/html", *_XML})
STYLE = "text/css"
_HEAD = compiled(
    r"(?:[^<]*+(?:<!--.*?-->|<!doctype[^>]*+>|<html(?=[\s>])[^>]*+>"
    r"|<head(?=[\s>])[^>]*+>))*+",
    re.IGNORECASE | re.DOTALL,
).match
_MAX_HEAD = 4096
_DECLARED_IN = 1024
"""Bytes in which a browser looks for a declaration of the encoding."""


class Source(NamedTuple):
    """A document whose bytes can be taken for text, and back."""

    text: str
    encoding: Encoding
    told_by: str
    """What told the encoding, as `CharsetSource`."""
    decode: Callable[[str], str]
    """The characters of a part of `text`."""
    to_bytes: Callable[[str], bytes]
    """The bytes of the text, or of one that was edited."""


def is_rewritable(media_type: str) -> bool:
    """Whether the references of such documents are known."""
    return media_type in HTML or media_type == STYLE


MAX_REFERENCES = 100_000
"""References of one document; the rest stays as it is."""


def references(body: Body, source: Source) -> Iterable[Reference]:
    """The references of a document of a rewritable type, in order."""
    document = whole(source.text)
    if body.media_type == STYLE:
        found = css_references(document)
    else:
        found = html_references(document, xml=body.media_type in _XML)
    return islice(found, MAX_REFERENCES)


def source_of(body: Body) -> Source:
    """The text of a document of a rewritable type."""
    if body.media_type == STYLE:
        encoding = style_encoding(body.content, body.charset)
        told = encoding != style_encoding(body.content, None)
        told_by = "http" if told else "meta"
    else:
        sniff = sniff_xml_encoding if body.media_type in _XML else sniff_encoding
        encoding, _, told_by = sniff(body.content, body.charset, body.url)
    name = encoding.name
    if name in _NOT_BYTEWISE or name in _TRAILING_ASCII:
        codec = "gb18030" if name == "gbk" else encoding.codec_info.name
        errors = "surrogatepass" if name.startswith("utf-16") else "strict"
        text = _decoded(body.content, codec, errors)
        if text is not None:
            return Source(
                text, encoding, told_by, str, lambda new: new.encode(codec, errors)
            )
    return Source(
        body.content.decode("latin-1"),
        encoding,
        told_by,
        decoder(encoding),
        lambda new: new.encode("latin-1"),
    )


def _decoded(content: bytes, codec: str, errors: str) -> str | None:
    """The characters of `content`, if these are its bytes again; else None."""
    try:
        text = content.decode(codec, errors)
        return text if text.encode(codec, errors) == content else None
    except UnicodeError:
        return None


def rewrite(body: Body, local: Local) -> bytes:
    """`body`, of a rewritable type, with references to what `local` knows.

    The other references become absolute.
    """
    source = source_of(body)
    edits = _Edits(source, body, local)
    for one in edits.found:
        edits.add(one)
    edits.declare_encoding(body.media_type)
    return edits.applied()


class _Edits:
    """What is to be replaced in one document."""

    def __init__(self, source: Source, body: Body, local: Local) -> None:
        self._source = source
        self._local = local
        self.found = tuple(references(body, source))
        charset = None if body.media_type == STYLE else source.encoding.name
        self._base = Base(body.url, charset)
        self._is_based = False
        for one in self.found:
            if one.role == "base":
                joined = self._base.join(self._read(one))
                self._is_based = joined is not None and joined != body.url
                self._base = Base(joined or body.url, charset)
        self._edits: dict[int, tuple[int, str]] = {}
        self._characters_left = MAX_URL_CHARACTERS
        ascii_ = body.content.isascii() and source.encoding.name not in _NOT_BYTEWISE
        self._told = source.told_by == "http" and not ascii_
        self._is_declared = False

    def add(self, one: Reference) -> None:
        if one.role == "base":
            self._replace(one.start, one.end, "" if one.quoted else '""')
        elif one.role == "policy":
            self._replace(one.start, one.end, "data-")
        elif one.role == "charset":
            self._declared(one)
        elif one.start < one.end or self._is_based:
            self._refer(one)

    def _read(self, one: Reference) -> str:
        source = self._source
        return read(source.decode(source.text[one.start : one.end]), one.syntaxes)

    def _refer(self, one: Reference) -> None:
        value = self._read(one)
        url = self._base.join(value)
        if url is None:
            return
        target = self._local(url)
        if target is None:
            if one.role == "lazy" or _ABSOLUTE(value):
                return
            target = url
        else:
            for guard in one.guards:
                self._replace(guard, guard, "data-")
        self._characters_left -= len(target)
        if target != value and self._characters_left >= 0:
            self._replace(one.start, one.end, write(target, one.syntaxes))

    def _replace(self, start: int, end: int, new: str) -> None:
        self._edits[start] = end, new

    def _declared(self, one: Reference) -> None:
        """A `<meta>` declares the encoding: what the Content-Type said prevails."""
        label, encoding = self._read(one), self._source.encoding
        self._is_declared |= one.end <= _DECLARED_IN
        if self._told and lookup(label) != encoding:
            self._replace(one.start, one.end, encoding.name)

    def declare_encoding(self, media_type: str) -> None:
        """Declare what only the Content-Type said, if the document does not."""
        if not self._told or self._is_declared:
            return
        name, at = self._source.encoding.name, 0
        if name.startswith("utf-16"):  # a mark is the only way
            if self._source.decode is not str:
                return  # no valid UTF-16
            declaration = "\ufeff"
        elif media_type == STYLE:
            declaration = f'@charset "{name}";'
        elif media_type == "text/html":
            found = _HEAD(self._source.text, 0, _MAX_HEAD)
            at = found.end() if found else 0
            declaration = f'<meta charset="{name}">'
        elif self._source.text.startswith("<?xml"):
            return
        else:
            declaration = f'<?xml version="1.0" encoding="{name}"?>'
        self._replace(at, at, declaration)

    def applied(self) -> bytes:
        text, end = self._source.text, 0
        parts: list[str] = []
        for start, (stop, new) in sorted(self._edits.items()):
            if start < end:
                continue  # within another: a value that two readers know
            parts += text[end:start], new
            end = stop
        return self._source.to_bytes("".join([*parts, text[end:]]))
