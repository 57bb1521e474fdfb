"""What pages say of each other: canonical URLs, translations, and the sitemap."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache

from crawler.frontier.state_reader import StateReader
from crawler.inspect.audit.findings import Finding, Findings, Related, Section
from crawler.inspect.audit.pages import is_indexed
from crawler.inspect.links import LinkGraph
from crawler.model.documents import Alternate
from crawler.model.link_graph import SourceLinks

_MAX_CACHED = 1 << 14
MAX_IN_SITEMAPS = 1_000_000
"""Translations in sitemaps that are looked at; they are held in memory."""
_NAMES = {
    "redirect": "a redirect", "file": "a file", "image": "an image", "error": "an error"
}  # fmt: skip


class Canonicals:
    """Canonical URLs that cannot be what they say."""

    def __init__(self, state: StateReader, graph: LinkGraph, limit: int) -> None:
        self._state, self._graph = state, graph
        self._found = Findings(
            "canonical_conflicts", "error", "Conflicts of canonical URLs", limit
        )

    def take(self, source: SourceLinks) -> None:
        declared = {
            (link.target, link.url)
            for link in source.links
            if link.kind == "link_canonical"
        }
        canonical = source.facts.canonical_url
        if canonical is None:
            return
        if len(declared) > 1:
            problem = f"{len(declared)} canonical URLs"
        elif canonical == source.url:
            return
        else:
            problem = self._problem(canonical)
        if problem:
            self._found.add(Finding(source.url, problem, 0, (Related(canonical),)))

    def _problem(self, canonical: str) -> str:
        number = self._state.number_of(canonical)
        target = self._graph.target(number) if number else None
        if target is None or target.state in (None, "skip", "queued"):
            return ""  # it is on another site, or was left out on purpose
        if target.state != "page":
            told = None if target.state == "file" else target.detail
            return f"the canonical URL is {told or _NAMES[target.state]}"
        page = self._state.links_of(number)
        if page is None or is_indexed(page):
            return ""
        other = page.facts.canonical_url
        if other not in (None, canonical):
            return f"the canonical URL has another one: {other}"
        return "the canonical URL is noindex"

    def sections(self) -> Iterable[Section]:
        yield self._found.section()


class Translations:
    """Pages that name another as a translation, and are not named by it.

    Search engines ignore such a pair. A page names what its HTML, its header or the
    entry of a sitemap about it does. Both pages have to be in the crawl.
    """

    def __init__(self, state: StateReader, graph: LinkGraph, limit: int) -> None:
        self._state, self._graph = state, graph
        self._found = Findings(
            "hreflang_without_return", "warning", "Translations without a return", limit
        )
        self._with_own = array("q")
        """Numbers of the pages that name translations themselves."""
        self._in_sitemaps: dict[int, tuple[Alternate, ...]] = {}
        """What sitemaps say of a page, by its number."""
        self._left = MAX_IN_SITEMAPS
        self._named = lru_cache(_MAX_CACHED)(self._urls_named)

    def take(self, source: SourceLinks) -> None:
        if source.facts.alternates:
            self._with_own.append(source.number)

    def take_sitemap(self, source: SourceLinks) -> None:
        """Take what a sitemap says of its pages."""
        number = 0
        for one in source.facts.alternates:
            if not one.hreflang:
                number = self._state.number_of(one.url)
            elif number and self._left:
                self._left -= 1
                known = self._in_sitemaps.get(number, ())
                self._in_sitemaps[number] = (*known, one)

    def sections(self) -> Iterable[Section]:
        for number in sorted({*self._with_own, *self._in_sitemaps}):
            if self._graph.state(number) == "page":
                self._look_at(number)
        yield self._found.section()

    def _look_at(self, number: int) -> None:
        page = self._graph.row(number).url
        alternates: dict[str, str] = {}
        for one in self._alternates(number):
            alternates.setdefault(one.url, one.hreflang)
        for url, hreflang in alternates.items():
            other = 0 if url == page else self._state.number_of(url)
            problem = self._problem(page, other) if other else ""
            if problem:
                self._found.add(
                    Finding(page, f"{hreflang}: {problem}", 0, (Related(url),))
                )

    def _problem(self, url: str, number: int) -> str:
        target = self._graph.target(number)
        if target.state in ("error", "redirect"):
            return f"it is {target.detail or target.status or target.state}"
        if target.state != "page" or url in self._named(number):
            return ""
        return "it does not name this page"

    def _urls_named(self, number: int) -> frozenset[str]:
        return frozenset(one.url for one in self._alternates(number))

    def _alternates(self, number: int) -> tuple[Alternate, ...]:
        page = self._state.links_of(number)
        own = () if page is None else page.facts.alternates
        return (*own, *self._in_sitemaps.get(number, ()))


class Sitemap:
    """Pages that only the sitemap names, and pages that it does not name.

    A redirect that is linked links to where it leads.
    """

    def __init__(self, graph: LinkGraph, limit: int) -> None:
        self._graph = graph
        self._linked = bytearray(graph.size)
        self._listed = bytearray(graph.size)
        self._wanted = bytearray(graph.size)
        self._orphans = Findings(
            "orphan_pages", "warning", "Pages that only the sitemap names", limit
        )
        self._unlisted = Findings(
            "not_in_sitemap", "warning", "Pages that the sitemap does not name", limit
        )

    @property
    def was_read(self) -> bool:
        """Whether the crawl has read a sitemap."""
        return 1 in self._listed

    def take(self, source: SourceLinks) -> None:
        if self._graph.state(source.number) == "page":
            self._wanted[source.number] = is_indexed(source)
        for link in source.links:
            if link.kind == "sitemap":
                self._listed[link.target] = 1
            elif link.target != source.number:
                self._linked[link.target] = 1
                for hop in self._graph.hops(link.target):
                    self._linked[hop] = 1

    def sections(self) -> Iterator[Section]:
        if self.was_read:
            for number in range(1, self._graph.size):
                self._look_at(number)
        yield self._orphans.section()
        yield self._unlisted.section()

    def _look_at(self, number: int) -> None:
        listed, wanted = self._listed[number], self._wanted[number]
        row = self._graph.row
        if listed and not self._linked[number]:
            if self._graph.state(number) == "page" and row(number).kind != "seed":
                self._orphans.add(Finding(row(number).url, ""))
        elif wanted and not listed:
            self._unlisted.add(Finding(row(number).url, ""))
