"""XML, element by element, from parts of a document, without a tree.

Nothing is fetched; depth, the length of texts, the number of elements and the growth of
entities are bounded; and mistakes are passed over, because feeds are full of them. An
element that is not closed ends with the one that contains it, and an end without a
beginning is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from crawler.extract.xml.decoding import decoded
from crawler.extract.xml.entities import Entities, EntityGrowth
from crawler.extract.xml.scanner import Scanner
from crawler.model.regex import compiled

_MAX_TEXT = 64 * 1024
"""Characters of the text of one element; the rest is left out."""
_PART = 64 * 1024
MAX_ELEMENTS = 400_000
"""Elements of one document; the rest is not read."""
_TEXTS_FOR_PEOPLE = frozenset({"content", "description", "encoded", "summary"})
"""Elements whose text no reader takes, so that nothing of it is left out."""
_MAX_DEPTH = 256
"""Nested elements; deeper ones are ignored, and after as many of them reading ends."""


class Element(NamedTuple):
    """An element that has ended; or the root that has begun, without text."""

    name: str
    """Without its namespace."""
    namespace: str
    """Empty: it has none, or its prefix is not declared."""
    parent: str
    """The parent's name without namespace; empty: it has none."""
    text: str
    """Its text without that of its children, stripped."""
    attributes: Mapping[str, str]
    """A name with a prefix is written `{namespace}name`."""


def parts_of(body: bytes) -> Iterator[bytes]:
    """`body` in parts, so that reading can end early."""
    return (body[at : at + _PART] for at in range(0, len(body), _PART))


def elements(
    parts: Iterable[bytes],
    charset: str | None = None,
    max_elements: int = MAX_ELEMENTS,
    cut: Callable[[], None] = lambda: None,
) -> Iterator[Element]:
    """The root when it begins, then each element when it ends, at last the root again.

    It ends early after `max_elements`, or a few more, where elements are nested far too
    deep, and where entities grow without measure. Then `cut` is called, as it is where
    a tag, a text or the depth is beyond its limit. An element that the end of the
    document leaves open is not among them. `charset` is that of the
    Content-Type, which overrides the XML declaration.
    """
    opened = _OpenElements(cut)
    scanner = Scanner(opened)
    try:
        for text in decoded(parts, charset):
            scanner.feed(text)
            yield from opened.take()
            too_deep = opened.too_deep > _MAX_DEPTH
            if opened.ended > max_elements or too_deep or scanner.lost:
                cut()
                return
        scanner.close()
    except EntityGrowth:
        cut()  # an attack; what came before stands
    yield from opened.take()


_EACH_ATTRIBUTE = compiled(
    r"""([^ \t\r\n/<>=\"']++)(?:[ \t\r\n]*+=[ \t\r\n]*+"""
    r"""(?:"([^"]*+)|'([^']*+)|([^ \t\r\n"'<>]++)))?+["']?"""
).findall
_SPACES = str.maketrans("\t\r\n", "   ")
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


def _declares(key: str) -> bool:
    """Whether an attribute declares a namespace."""
    return key == "xmlns" or key.startswith("xmlns:")


class _Scope:
    """The namespaces that are declared where an element stands."""

    __slots__ = ("_names", "_uris")

    def __init__(self, uris: Mapping[str, str]) -> None:
        self._uris = uris
        self._names: dict[str, tuple[str, str]] = {}

    def extended(self, attributes: Mapping[str, str]) -> _Scope:
        declared = {
            key.removeprefix("xmlns").removeprefix(":"): value
            for key, value in attributes.items()
            if _declares(key)
        }
        return _Scope({**self._uris, **declared}) if declared else self

    def resolve(self, written: str) -> tuple[str, str]:
        """Name and namespace of an element."""
        known = self._names.get(written)
        if known is None:
            prefix, _, name = written.rpartition(":")
            known = self._names[written] = name, self._uris.get(prefix, "")
        return known

    def attribute(self, written: str) -> str:
        prefix, colon, name = written.partition(":")
        uri = self._uris.get(prefix) if colon else None
        return written if uri is None else f"{{{uri}}}{name}"


class _Open:
    """An element that has begun."""

    __slots__ = (
        "attributes",
        "length",
        "name",
        "namespace",
        "scope",
        "text",
        "written",
    )

    def __init__(
        self,
        written: str,
        name: str,
        namespace: str,
        attributes: Mapping[str, str],
        scope: _Scope,
    ) -> None:
        self.written = written
        self.name = name
        self.namespace = namespace
        self.attributes = attributes
        self.scope = scope
        self.text: list[str] = []
        self.length = 0


class _OpenElements:
    """Receives tags and texts, and holds the elements that have ended until `take`."""

    def __init__(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        self.ended = 0
        self.too_deep = 0
        self._entities = Entities()
        self._ended: list[Element] = []
        self._open: list[_Open] = []
        self._names: dict[str, int] = {}
        """How many elements of this name, as written, are open."""
        self._outermost = _Scope({"xml": "http://www.w3.org/XML/1998/namespace"})

    def start(self, written: str, attributes: str, empty: bool) -> None:
        if len(self._open) >= _MAX_DEPTH:
            self.too_deep += not empty
            self._cut()
            return
        scope = self._open[-1].scope if self._open else self._outermost
        values = _NO_ATTRIBUTES
        if attributes:
            values = self._attributes(attributes)
            if "xmlns" in attributes:
                scope = scope.extended(values)
                values = {key: values[key] for key in values if not _declares(key)}
            if ":" in attributes:
                values = {scope.attribute(key): values[key] for key in values}
        name, namespace = scope.resolve(written)
        if not self.ended and not self._open:
            self._ended.append(Element(name, namespace, "", "", values))
        self._open.append(_Open(written, name, namespace, values, scope))
        self._names[written] = self._names.get(written, 0) + 1
        if empty:
            self._end_last()

    def end(self, written: str) -> None:
        if self.too_deep:
            self.too_deep -= 1
        elif self._names.get(written):
            while self._end_last() != written:
                pass

    def text(self, text: str) -> None:
        if not self._open or self.too_deep:
            return
        last = self._open[-1]
        length = last.length + len(text)
        if length > _MAX_TEXT:
            self._add_part(last, text)
        elif last.text or not text.isspace():
            last.text.append(text)
            last.length = length

    def _add_part(self, last: _Open, text: str) -> None:
        """Add as much to the text of an element as there is room for."""
        if not last.text:
            text = text.lstrip()
        room = _MAX_TEXT - last.length
        if room:
            last.text.append(text[:room])
            last.length += min(room, len(text))
        if text[room:].strip() and last.name not in _TEXTS_FOR_PEOPLE:
            self._cut()

    def cdata(self, text: str) -> None:
        self.text(text.replace("&", "&amp;"))

    def declarations(self, subset: str) -> None:
        self._entities.declare(subset)

    def too_long(self) -> None:
        self._cut()

    def take(self) -> list[Element]:
        ended, self._ended = self._ended, []
        return ended

    def _end_last(self) -> str:
        """End the innermost open element; its name as written."""
        last = self._open.pop()
        self._names[last.written] -= 1
        self.ended += 1
        parent = self._open[-1].name if self._open else ""
        text = self._entities.resolve("".join(last.text)).strip()
        self._ended.append(
            Element(last.name, last.namespace, parent, text, last.attributes)
        )
        return last.written

    def _attributes(self, written: str) -> dict[str, str]:
        """The attributes, decoded; the first counts of two with one name."""
        return {
            key: self._entities.resolve((double or single or bare).translate(_SPACES))
            for key, double, single, bare in reversed(_EACH_ATTRIBUTE(written))
        }
