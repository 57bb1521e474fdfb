"""What is wrong with single pages, or with several that are alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappush, heappushpop

from crawler.frontier.state_reader import StateReader
from crawler.inspect.audit.findings import (
    MAX_RELATED,
    Finding,
    Findings,
    Related,
    Section,
    SectionName,
)
from crawler.model.documents import LinkKind
from crawler.model.link_graph import DocumentFacts, SourceLinks
from crawler.model.units import show_bytes

SUBRESOURCES: frozenset[LinkKind] = frozenset(
    {"img", "srcset", "source", "css", "iframe", "lazy", "stylesheet", "css_import",
     "script", "font", "media", "object", "preload", "manifest", "form"}
)  # fmt: skip
"""What a browser loads with a page; over http it is mixed content on an https page.

A form that is sent over http is, too: a browser warns of it.
"""


def is_indexed(source: SourceLinks) -> bool:
    """Whether search engines are to list the page, by what it says itself."""
    facts = source.facts
    if "noindex" in (facts.robots_meta or "").lower():
        return False
    return facts.canonical_url in (None, source.url)


class Texts:
    """Missing and duplicate texts: titles, or descriptions.

    Pages that are not to be listed (noindex, another canonical URL) are left out.
    """

    def __init__(
        self,
        state: StateReader,
        text_of: Callable[[DocumentFacts], str | None],
        missing: Findings,
        duplicate: Findings,
    ) -> None:
        self._state = state
        self._text_of = text_of
        self._missing, self._duplicate = missing, duplicate
        self._first: dict[int, list[int]] = {}
        self._counts: dict[int, int] = {}

    def take(self, source: SourceLinks) -> None:
        if not is_indexed(source):
            return
        text = self._text_of(source.facts)
        if not text:
            self._missing.add(Finding(source.url, ""))
            return
        key = hash(text)
        first = self._first.setdefault(key, [])
        if len(first) <= MAX_RELATED:
            first.append(source.number)
        else:
            self._counts[key] = self._counts.get(key, len(first)) + 1

    def sections(self) -> Iterator[Section]:
        yield self._missing.section()
        for key, numbers in self._first.items():
            if len(numbers) > 1:
                self._duplicate.add(self._finding(key, numbers))
        yield self._duplicate.section()

    def _finding(self, key: int, numbers: list[int]) -> Finding:
        if self._duplicate.full:
            return Finding("", "")  # it is only counted
        first = self._state.links_of(numbers[0])
        text = "" if first is None else self._text_of(first.facts) or ""
        urls = [self._state.url_at(number).url for number in numbers]
        count = self._counts.get(key, len(numbers)) - 1
        return Finding(urls[0], text, count, tuple(map(Related, urls[1:])))


class Largest:
    """The pages with the largest values of one kind."""

    def __init__(
        self,
        name: SectionName,
        title: str,
        value_of: Callable[[DocumentFacts], int | None],
        show: Callable[[int], str],
        limit: int,
    ) -> None:
        self._name, self._title = name, title
        self._value_of, self._show = value_of, show
        self._limit = limit
        self._heap: list[tuple[int, int, str]] = []

    def take(self, source: SourceLinks) -> None:
        item = (self._value_of(source.facts) or 0, -source.number, source.url)
        if len(self._heap) < self._limit:
            heappush(self._heap, item)
        else:
            heappushpop(self._heap, item)

    def sections(self) -> Iterable[Section]:
        items = sorted(self._heap, reverse=True)
        found = tuple(Finding(url, self._show(value)) for value, _, url in items)
        yield Section(self._name, "info", self._title, len(found), found)


class MixedContent:
    """What https pages load over http."""

    def __init__(self, state: StateReader, limit: int) -> None:
        self._state = state
        self._found = Findings("mixed_content", "error", "Mixed content", limit)

    def take(self, source: SourceLinks) -> None:
        if not source.url.startswith("https:"):
            return
        for link in source.links:
            if link.kind in SUBRESOURCES:
                url = link.url or self._state.url_at(link.target).url
                if url.startswith("http:"):
                    page = Related(source.url, link.text)
                    self._found.add(Finding(url, link.kind, 1, (page,)))

    def sections(self) -> Iterable[Section]:
        yield self._found.section()


def page_checks(state: StateReader, limit: int) -> list[Texts | Largest | MixedContent]:
    """All checks of this module; each names `limit` findings."""
    return [
        Texts(
            state,
            lambda facts: facts.title,
            Findings("missing_titles", "warning", "Pages without a title", limit),
            Findings("duplicate_titles", "warning", "Titles of several pages", limit),
        ),
        Texts(
            state,
            lambda facts: facts.description,
            Findings(
                "missing_descriptions", "warning", "Pages without a description", limit
            ),
            Findings(
                "duplicate_descriptions", "warning", "Descriptions of several pages",
                limit,
            ),
        ),
        MixedContent(state, limit),
        Largest(
            "slowest_pages", "Slowest pages", lambda facts: facts.fetch_ms,
            lambda ms: f"{ms / 1000:.2f} s", limit,
        ),
        Largest(
            "largest_pages", "Largest pages", lambda facts: facts.body_bytes,
            show_bytes, limit,
        ),
    ]  # fmt: skip
