"""What the JSON-LD of a page declares, by schema.org's vocabulary. No tree, no I/O.

It is read as JSON, and not expanded by its `@context`: no page that a crawler meets
needs that, and it would mean requests. Its objects are those at the top, in lists, in
`@graph`, and the main entity of one; what lies deeper is part of them (an offer, an
image, a comment).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from crawler.model.documents import LeaveOut, say_nothing
from crawler.model.regex import compiled

MAX_OBJECTS = 200
"""Objects that are read of one page."""
_MAX_LOOKED_AT = 5 * MAX_OBJECTS
"""Values among which they are looked for."""
MAX_RAW = 256 * 1024
"""Characters of JSON-LD whose objects are kept as they are."""
_MAX_DEPTH = 64
_MAX_ITEMS = 50
_MAX_INT = 2**63

_WRAPPED = compiled(
    r"\s*+(?:<!--|//\s*+<!\[CDATA\[|/\*\s*+<!\[CDATA\[\s*+\*/|<!\[CDATA\[)?+(.*)",
    re.DOTALL,
).match
_UNWRAP = compiled(r"(?:(?://|/\*)?\s*(?:-->|\]\]>)\s*(?:\*/)?|;)\s*\Z").sub
_NO_JSON = compiled(
    r'("(?:[^"\\]++|\\.)*+(?:"|\\?\Z))|//[^\n]*+'
    r"|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)|,(?=\s*+[}\]])",
    re.DOTALL,
).sub
_MAX_UNWRAPPED_END = 200

_OF_OTHERS = frozenset({"Comment", "Review", "Person", "Organization"})


def decode(text: str) -> Any:
    """The document in `text`; None if it is no JSON.

    What browsers' search engines read over is read over: comments, line ends in
    strings, trailing commas, the wrappers of old XHTML.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    wrapped = _WRAPPED(text)
    text = wrapped[1] if wrapped else text
    text = text[:-_MAX_UNWRAPPED_END] + _UNWRAP("", text[-_MAX_UNWRAPPED_END:])
    text = _NO_JSON(lambda found: found[1] or "", text)
    try:
        loose = json.loads(text, strict=False, parse_constant=lambda _: None)
        # Lone surrogates and the like are not for the readers of records.
        plain = json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.json.decode(plain)
    except (ValueError, RecursionError):
        return None


def objects(document: Any, leave_out: LeaveOut) -> Iterator[dict[str, Any]]:
    """The objects of a document, in order."""
    waiting = [document]
    for _ in range(_MAX_LOOKED_AT):
        if not waiting:
            return
        one = waiting.pop()
        if isinstance(one, list):
            if len(one) > _MAX_LOOKED_AT:
                leave_out("values")
            waiting += one[:_MAX_LOOKED_AT][::-1]
        elif isinstance(one, dict):
            if len(one) > ("@context" in one) + ("@graph" in one):
                yield one
            waiting += [one.get("mainEntity"), one.get("@graph")]
    if any(isinstance(one, (dict, list)) for one in waiting):
        leave_out("values")


def raw(document: Any, leave_out: LeaveOut) -> Iterator[dict[str, Any]]:
    """The objects at the top of a document that any reader of JSON can hold."""
    for one in document if isinstance(document, list) else [document]:
        if isinstance(one, dict):
            if is_storable(one):
                yield one
            else:
                leave_out("values")


def is_storable(value: Any) -> bool:
    """Whether its depth and its integers have the sizes that databases allow."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
            elif isinstance(one, list):
                below += one
            elif isinstance(one, int) and not -_MAX_INT <= one < _MAX_INT:
                return False
        if not below:
            return True
        level = below
    return False


def types(node: dict[str, Any], leave_out: LeaveOut = say_nothing) -> list[str]:
    """The types of an object, without the vocabulary: `schema:Person` is a Person."""
    written = _first_of(node.get("@type"), leave_out)
    return [short_name for one in written if (short_name := _short_name(one))]


def _first_of(value: Any, leave_out: LeaveOut) -> list[Any]:
    """What a property has for values: one, or as many of a list as are read."""
    values = value if isinstance(value, list) else [value]
    if len(values) > _MAX_ITEMS:
        leave_out("values")
    return values[:_MAX_ITEMS]


def _short_name(written: Any) -> str:
    text = written.strip()[:200] if isinstance(written, str) else ""
    for vocabulary in ("http://schema.org/", "https://schema.org/", "schema:"):
        text = text.removeprefix(vocabulary)
    return text


def by_relevance(nodes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects that may say who wrote the page and when: articles first."""
    chosen = [node for node in nodes if _OF_OTHERS.isdisjoint(types(node))]
    return sorted(chosen, key=lambda node: not _is_article(node))


def _is_article(node: dict[str, Any]) -> bool:
    return any(name.endswith(("Article", "Posting")) for name in types(node))


def texts(node: dict[str, Any], key: str) -> list[str]:
    """The texts that a property of `node` has."""
    value = node.get(key, node.get(f"schema:{key}"))
    return [text for one in _first_of(value, say_nothing) if (text := _text(one))]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("@value")
    return value if isinstance(value, str) else ""


def names(
    value: Any, by_id: dict[str, dict[str, Any]], leave_out: LeaveOut
) -> Iterator[str]:
    """The names of persons and the like; `by_id` has the objects that are referred to.

    A URL is no name.
    """
    for one in _first_of(value, leave_out):
        if isinstance(one, dict):
            known = one if "name" in one else by_id.get(str(one.get("@id")), one)
            found = texts(known, "name")
        else:
            found = [one] if isinstance(one, str) else []
        yield from found


def breadcrumbs(node: dict[str, Any], leave_out: LeaveOut) -> list[str]:
    """The names in a BreadcrumbList, by their positions."""
    items = _first_of(node.get("itemListElement"), leave_out)
    crumbs = [one for one in items if isinstance(one, dict)]
    if all(_place(one) is not None for one in crumbs):
        crumbs.sort(key=lambda one: _place(one) or 0)
    return [name for one in crumbs if (name := _crumb(one))]


def _place(item: dict[str, Any]) -> float | None:
    try:
        return float(item["position"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _crumb(item: dict[str, Any]) -> str:
    target = item.get("item")
    named = texts(item, "name") or (
        texts(target, "name") if isinstance(target, dict) else []
    )
    return named[0] if named else ""
