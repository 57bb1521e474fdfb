"""XML, element by element, from parts of a document, without a tree.

By lxml's parser, made safe: nothing is fetched, the growth of entities and the length
of texts have libxml2's limits, and mistakes are passed over, because feeds are full of
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from lxml import etree

_LONGEST_TEXT = 64 * 1024
"""Characters of the text of one element that are kept."""
_PART = 16 * 1024
MOST_ELEMENTS = 400_000
"""Of one document; what follows is not looked at."""
_MOST_OPEN = 200
"""Signs `<` in a row without a `>`. For each of them libxml2 looks for the `>` anew, so
that a megabyte of `<a<a<a` would take minutes."""
_TANGLE = re.compile(rb"<(?:[^<>]*+<){%d}" % _MOST_OPEN).search
_DEEPEST = 256
"""Elements in each other; what is deeper is not looked at, and a document much deeper
is left."""


class Element(NamedTuple):
    """An element that has ended, or (without text and parent) the root that has
    begun."""

    name: str
    """Without its namespace."""
    namespace: str
    parent: str
    """The parent's name without namespace; empty: none."""
    text: str
    """The text between its last child and its end, stripped."""
    attributes: Mapping[str, str]
    """Names as lxml writes them, `{namespace}name`."""


def parts_of(body: bytes) -> Iterator[bytes]:
    """`body` in pieces, so that whoever has seen enough can stop."""
    return (body[at : at + _PART] for at in range(0, len(body), _PART))


def elements(
    parts: Iterable[bytes], charset: str | None = None, most: int = MOST_ELEMENTS
) -> Iterator[Element]:
    """The root as soon as it begins, then each element when it ends, the root again at
    the end.

    After `most` elements, or a little more, it is left where it is, and so is what is
    no XML. `charset` is what the Content-Type says; it overrides the XML declaration.
    """
    target = _Target()
    parser = _parser(target, charset)
    opened = 0
    try:
        for part in parts:
            opened = _opened(part, opened)
            if opened > _MOST_OPEN:
                break
            parser.feed(part)
            yield from target.take()
            if target.ended > most or target.too_deep > _DEEPEST:
                return
        parser.close()
    except etree.XMLSyntaxError:
        pass  # beyond repair from here on; what came before stands
    yield from target.take()


def _opened(part: bytes, before: int) -> int:
    """How many `<` stand at the end of `part` after the last `>`; `before`: and at its
    beginning.

    More than _MOST_OPEN if that are so many anywhere in it.
    """
    first = part.find(b">")
    if first < 0:
        return before + part.count(b"<")
    if before + part.count(b"<", 0, first) > _MOST_OPEN or _TANGLE(part):
        return _MOST_OPEN + 1
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
    except LookupError:  # an encoding that libxml2 lacks; the document may say another
        return _parser(target, None)


class _Target:
    """Takes lxml's calls, keeps what has ended."""

    def __init__(self) -> None:
        self.ended = 0
        self.too_deep = 0
        self._ended: list[Element] = []
        self._open: list[tuple[str, str, Mapping[str, str]]] = []
        self._text: list[str] = []
        self._length = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) >= _DEEPEST:
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
        if self._length < _LONGEST_TEXT:
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
        text = "".join(self._text)[:_LONGEST_TEXT].strip()
        self._ended.append(Element(name, namespace, parent, text, attributes))
        self._text.clear()
        self._length = 0

    def close(self) -> None:
        pass

    def take(self) -> list[Element]:
        ended, self._ended = self._ended, []
        return ended
