"""The facts that a page declares for search engines, readers and social networks.

They are in elements that are read anyway: `<meta>`, `<link>`, JSON-LD, `<time>`, and
elements with an `itemprop` (microdata) or a `property` (RDFa). No tree is built, so
that it is not known which entry of a list, or which comment, has an element. That is
why dates and authors in the text count only where all of them say the same: on the
page of one article they do, on a list of articles they do not.

Loaded for the first page that declares one of these facts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from html import unescape
from typing import Any, TypeVar

from crawler.extract import json_ld
from crawler.extract.dates import iso_date
from crawler.extract.html.declarations import (
    AUTHORS,
    MAX_TEXT,
    MODIFIED,
    PUBLISHED,
    short,
)
from crawler.extract.html.tags import attributes, start_tags
from crawler.model.documents import Alternate, Declared, LeaveOut, say_nothing
from crawler.model.url import Base

_MAX_JSON_LD = 2 * 2**20
"""Characters of JSON-LD that are read of one page."""
_MAX_ITEMS = 100
"""Feeds, alternates, authors, types; further ones are left out."""
_MAX_CHARACTERS = 8 * 1024
"""All URLs of one list."""
_MAX_NAME = 200

_PROPERTIES = {
    "datepublished": "published",
    "schema:datepublished": "published",
    "datemodified": "modified",
    "schema:datemodified": "modified",
}
# Classes of microformats (hAtom, h-entry), which most blogs have.
_CLASSES = {
    "published": "published",
    "dt-published": "published",
    "updated": "modified",
    "dt-updated": "modified",
}
_LIST_NAME = re.compile(r"<([a-zA-Z]{1,20})\b").match
_MARKUP = re.compile(r"<[^>]*+>").sub
_BEFORE_LIST = 2000
_LIST = 20_000
"""Characters that are searched for the start, and the end, of breadcrumbs."""
_MAX_TRIES = 3
T = TypeVar("T")


class Facts:
    """What was found in one document, as written; the first of each source counts."""

    def __init__(self, leave_out: LeaveOut) -> None:
        self._leave_out = leave_out
        self._metas: dict[str, list[str]] = {}
        self._in_text: dict[str, dict[str, None]] = {}
        self._feeds: dict[str, None] = {}
        self._amp: dict[str, None] = {}
        self._alternates: dict[tuple[str, str], None] = {}
        self._objects: list[dict[str, Any]] = []
        self._raw: list[dict[str, Any]] = []
        self._characters_left = _MAX_JSON_LD
        self._raw_left = json_ld.MAX_RAW
        self._breadcrumbs: list[str] = []
        self._tries = 0

    # What elements say

    def add_meta(self, name: str, content: str) -> None:
        """Note the content of a `<meta>`; `name` is in FACTS."""
        values = self._metas.setdefault(name, [])
        if not (text := short(content)):
            return
        if len(values) < _MAX_ITEMS:
            values.append(text)
        elif text not in values:
            self._leave_out("values")

    def add_feed(self, href: str) -> None:
        _note(self._feeds, href, self._leave_out)

    def add_amp(self, href: str) -> None:
        _note(self._amp, href, say_nothing)  # the first counts

    def add_alternate(self, href: str, hreflang: str) -> None:
        """Note that the page is at `href` in another language."""
        language = short(hreflang)[:_MAX_NAME]
        if language:
            _note(self._alternates, (language, href), self._leave_out)

    def add_time(self, values: Mapping[str, str]) -> None:
        """Note a `<time>` that says that it is the date of the page's article."""
        names = values.get("class", "").lower().split()
        found = {_CLASSES[name] for name in names if name in _CLASSES}
        if "pubdate" in values:
            found.add("published")
        if "itemprop" in values or "property" in values:
            self.add_property(values)
        elif len(found) == 1:
            self._add_in_text(found.pop(), values.get("datetime", ""))

    def add_property(self, values: Mapping[str, str]) -> None:
        """Note an element with an `itemprop` or a `property` that is a date."""
        name = values.get("itemprop") or values.get("property", "")
        content = values.get("content") or values.get("datetime")
        for one in name.lower().split()[:5]:
            if content and one in _PROPERTIES:
                self._add_in_text(_PROPERTIES[one], content)
            elif content and one == "author":
                self._add_in_text("author", content)

    def add_author(self, text: str | None) -> None:
        """Note the text of a link whose `rel` is author."""
        self._add_in_text("author", text or "")

    def _add_in_text(self, fact: str, content: str) -> None:
        if text := short(content):
            _note(self._in_text.setdefault(fact, {}), text, say_nothing)  # one counts

    def add_json_ld(self, text: str) -> Any:
        """Note what a script of JSON-LD declares, and return its document.

        That is None where it is no JSON, or beyond the bound on all of one page.
        """
        self._characters_left -= len(text)
        document = json_ld.decode(text) if self._characters_left >= 0 else None
        if document is not None:
            self._add_objects(json_ld.objects(document, self._leave_out))
            self._raw_left -= len(text)
            if self._raw_left >= 0:
                self._raw += json_ld.raw(document, self._leave_out)
            else:
                self._leave_out("values")
        return document

    def _add_objects(self, found: Iterable[dict[str, Any]]) -> None:
        for one in found:
            if len(self._objects) >= json_ld.MAX_OBJECTS:
                self._leave_out("values")
                return
            self._objects.append(one)

    def add_breadcrumbs(
        self, text: str, end: int, decode: Callable[[str], str]
    ) -> None:
        """Read the breadcrumbs of which an item's tag ends at `end` of the document."""
        if self._breadcrumbs or self._tries >= _MAX_TRIES:
            return
        self._tries += 1
        kind = text.rfind("BreadcrumbList", max(0, end - _BEFORE_LIST), end)
        start = text.rfind("<", max(0, kind - _BEFORE_LIST), kind) if kind >= 0 else -1
        if start >= 0 and (name := _LIST_NAME(text, start)):
            self._breadcrumbs = _names_in(decode(_element(text, start, name[1])))

    # What follows from it

    def declared(self, base: Base) -> Declared:
        feeds = _absolute(self._feeds, base, self._leave_out)
        amp_url = next(iter(_absolute(self._amp, base, say_nothing)), None)
        alternates = self._languages(base)
        if not (self._metas or self._in_text or self._objects or self._breadcrumbs):
            return Declared(feeds=feeds, amp_url=amp_url, alternates=alternates)
        nodes = json_ld.by_relevance(self._objects)
        return Declared(
            og_type=self._first("og:type"),
            og_site_name=self._first("og:site_name"),
            author=self._author(nodes),
            published=self._date("published", "datePublished", PUBLISHED, nodes),
            modified=self._date("modified", "dateModified", MODIFIED, nodes),
            jsonld_types=self._types(),
            feeds=feeds,
            breadcrumbs=self._names_above(),
            amp_url=amp_url,
            alternates=alternates,
            jsonld=tuple(self._raw),
        )

    def _first(self, name: str) -> str | None:
        return next(iter(self._metas.get(name, ())), None)

    def _author(self, nodes: list[dict[str, Any]]) -> str | None:
        by_id = {
            node["@id"]: node
            for node in self._objects
            if isinstance(node.get("@id"), str)
        }
        for key in ("author", "creator"):
            for node in nodes:
                named = json_ld.names(node.get(key), by_id, self._leave_out)
                if found := _authors(named, self._leave_out):
                    return found
        for name in AUTHORS:
            if found := _authors(self._metas.get(name, ()), self._leave_out):
                return found
        return _authors(self._agreed("author"), self._leave_out)

    def _agreed(self, fact: str) -> list[str]:
        """The texts of a fact, if they are one."""
        found = self._in_text.get(fact, {})
        return list(found) if len(found) == 1 else []

    def _date(
        self, fact: str, key: str, metas: list[str], nodes: list[dict[str, Any]]
    ) -> str | None:
        """The first date: of Open Graph, JSON-LD, the other metas, then of the text."""
        written = [text for node in nodes for text in json_ld.texts(node, key)]
        of_metas = [text for name in metas for text in self._metas.get(name, ())]
        first = len(self._metas.get(metas[0], ()))
        agreed = {
            found for text in self._in_text.get(fact, {}) if (found := iso_date(text))
        }
        for text in (*of_metas[:first], *written, *of_metas[first:]):
            if found := iso_date(text):
                return found
        return agreed.pop() if len(agreed) == 1 else None

    def _types(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for node in self._objects:
            found |= dict.fromkeys(json_ld.types(node, self._leave_out))
        return _first_of([*found], self._leave_out)

    def _names_above(self) -> tuple[str, ...]:
        for node in self._objects:
            if "BreadcrumbList" in json_ld.types(node) and (
                names := json_ld.breadcrumbs(node, self._leave_out)
            ):
                return _names(names, self._leave_out)
        return _names(self._breadcrumbs, self._leave_out)

    def _languages(self, base: Base) -> tuple[Alternate, ...]:
        found: list[Alternate] = []
        left = _MAX_CHARACTERS
        for hreflang, href in self._alternates:
            if (url := base.join(href)) and (left := left - len(url)) >= 0:
                found.append(Alternate(hreflang, url))
        if left < 0:
            self._leave_out("values")
        return tuple(found)


def _note(found: dict[T, None], one: T, leave_out: LeaveOut) -> None:
    if len(found) < _MAX_ITEMS:
        found.setdefault(one)
    elif one not in found:
        leave_out("values")


def _absolute(
    written: Iterable[str], base: Base, leave_out: LeaveOut
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    left = _MAX_CHARACTERS
    for href in written:
        if (url := base.join(href)) and (left := left - len(url)) >= 0:
            found.setdefault(url)
    if left < 0:
        leave_out("values")
    return tuple(found)


def _first_of(names: list[str], leave_out: LeaveOut) -> tuple[str, ...]:
    if len(names) > _MAX_ITEMS:
        leave_out("values")
    return tuple(names[:_MAX_ITEMS])


def _authors(written: Iterable[str], leave_out: LeaveOut) -> str | None:
    """The names as one text; a URL, of a profile at a social network, is none."""
    names = [
        name
        for name in _names(written, leave_out)
        if not name.lower().startswith(("http://", "https://", "www."))
    ]
    together = "; ".join(dict.fromkeys(names))
    if len(together) > MAX_TEXT:
        leave_out("values")
    return short(together) or None


def _names(written: Iterable[str], leave_out: LeaveOut) -> tuple[str, ...]:
    """Texts in which markup may be escaped, as many CMS write names."""
    names = (short(unescape(text)[:_MAX_NAME]) for text in written)
    return _first_of([name for name in names if name], leave_out)


def _element(text: str, start: int, name: str) -> str:
    """The element `name` that begins at `start`, as far as _LIST characters go."""
    end = start + _LIST
    depth = 0
    for found in re.finditer(rf"<(/?){name}\b", text[start:end], re.IGNORECASE):
        depth += -1 if found[1] else 1
        if depth == 0:
            return text[start : start + found.start()]
    return text[start:end]


def _names_in(markup: str) -> list[str]:
    """The names of the items in the markup of a BreadcrumbList."""
    found: list[str] = []
    named = True
    for name, written, _href, end, _content_end in start_tags(markup):
        values = attributes(written)
        is_a = (values.get("itemprop") or values.get("property", "")).split()
        if "itemListElement" in is_a:
            named = False
        elif "name" in is_a and not named:
            closed = markup.find(f"</{name}", end)
            content = markup[end : closed if closed >= 0 else end]
            found.append(values.get("content") or _MARKUP(" ", content))
            named = True
    return found
