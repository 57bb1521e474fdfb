"""XML, element by element, from parts of a document, without a tree.

It is lxml's parser, made safe: nothing is fetched, the growth of entities and the
length of texts have libxml2's limits, and errors are passed over, because feeds are
full of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from lxml import etree

_MAX_TEXT = 64 * 1024
"""Characters of the text of one element; the rest is cut off."""
_PART = 16 * 1024
MAX_ELEMENTS = 400_000
"""Elements of one document; the rest is not read."""
_MAX_OPEN = 200
"""The maximum number of `<` in a row without a `>`.

For each of them libxml2 searches for the `>` anew, so a megabyte of `<a<a<a` would take
minutes.
"""
_TANGLE = re.compile(rb"<(?:[^<>]*+<){%d}" % _MAX_OPEN).search
_MAX_DEPTH = 256
"""Nested elements; deeper ones are ignored, and after as many of them reading ends."""


class Element(NamedTuple):
    """An element that has ended; or the root that has begun, without text."""

    name: str
    """Without its namespace."""
    namespace: str
    parent: str
    """The parent's name without namespace; empty: it has none."""
    text: str
    """The text between its last child and its end, stripped."""
    attributes: Mapping[str, str]
    """Names as lxml writes them, `{namespace}name`."""


def parts_of(body: bytes) -> Iterator[bytes]:
    """`body` in parts, so that reading can end early."""
    return (body[at : at + _PART] for at in range(0, len(body), _PART))


def elements(
    parts: Iterable[bytes],
    charset: str | None = None,
    max_elements: int = MAX_ELEMENTS,
) -> Iterator[Element]:
    """The root when it begins, then each element when it ends, at last the root again.

    It ends early after `max_elements`, or a few more, and where the document is no XML.
    `charset` is that of the Content-Type, which overrides the XML declaration.
    """
    target = _Target()
    parser = _parser(target, charset)
    opened = 0
    try:
        for part in parts:
            opened = _opened(part, opened)
            if opened > _MAX_OPEN:
                break
            parser.feed(part)
            yield from target.take()
            if target.ended > max_elements or target.too_deep > _MAX_DEPTH:
                return
        parser.close()
    except etree.XMLSyntaxError:
        pass  # the rest can't be read; what came before stands
    yield from target.take()


def _opened(part: bytes, before: int) -> int:
    """The number of `<` after the last `>`, at the end of `part`.

    `before` is that number at its beginning. The result is more than _MAX_OPEN if there
    are so many in a row anywhere in `part`.
    """
    first = part.find(b">")
    if first < 0:
        return before + part.count(b"<")
    if before + part.count(b"<", 0, first) > _MAX_OPEN or _TANGLE(part):
        return _MAX_OPEN + 1
    return part.count(b"<", part.rfind(b">"))


class _Parser(Protocol):
    def feed(self, data: bytes) -> None: ...

    def close(self) -> None: ...


def _parser(target: Any, charset: str | None) -> _Parser:
    try:
        return etree.XMLParser(
            encoding=charset,
            resolve_entities=False,
            no_network=True,
            recover=True,
            target=target,
        )
    except LookupError:  # libxml2 lacks the encoding; the document may declare another
        return _parser(target, None)


class _Target:
    """Receives lxml's calls, and holds the elements that have ended until `take`."""

    def __init__(self) -> None:
        self.ended = 0
        self.too_deep = 0
        self._ended: list[Element] = []
        self._open: list[tuple[str, str, Mapping[str, str]]] = []
        self._text: list[str] = []
        self._length = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) >= _MAX_DEPTH:
            self.too_deep += 1
            return
        namespace, _, name = tag.rpartition("}")
        namespace = namespace.removeprefix("{")
        if not self._open:
            self._ended.append(Element(name, namespace, "", "", dict(attributes)))
        self._open.append((name, namespace, dict(attributes)))
        self._text.clear()
        self._length = 0

    def data(self, text: str) -> None:
        if self._length < _MAX_TEXT:
            self._text.append(text)
            self._length += len(text)

    def end(self, tag: str) -> None:
        if self.too_deep:
            self.too_deep -= 1
            return
        if not self._open:
            return
        self.ended += 1
        name, namespace, attributes = self._open.pop()
        parent = self._open[-1][0] if self._open else ""
        text = "".join(self._text)[:_MAX_TEXT].strip()
        self._ended.append(Element(name, namespace, parent, text, attributes))
        self._text.clear()
        self._length = 0

    def close(self) -> None:
        pass

    def take(self) -> list[Element]:
        ended, self._ended = self._ended, []
        return ended
