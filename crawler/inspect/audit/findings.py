"""What an audit returns: sections of findings, for a terminal, JSON or a report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from msgspec import Struct

from crawler.model.link_graph import SourceLinks

Level = Literal["error", "warning", "info"]
"""error: visitors meet it. warning: search engines do. info: no fault by itself."""

SectionName = Literal[
    "broken_links", "redirect_loops", "redirect_chains",
    "missing_titles", "duplicate_titles",
    "missing_descriptions", "duplicate_descriptions",
    "canonical_conflicts", "hreflang_without_return",
    "orphan_pages", "not_in_sitemap", "mixed_content",
    "slowest_pages", "largest_pages", "not_checked",
]  # fmt: skip

MAX_RELATED = 3
"""URLs that are named beside the URL of a finding."""


class Related(Struct, frozen=True):
    """Another URL of a finding."""

    url: str
    text: str | None = None
    """Text of the link there, if it is a page that links to the URL."""


class Finding(Struct, frozen=True):
    """One URL, and what was found of it."""

    url: str
    detail: str
    """In words or figures: `404 Not Found`, `2.3 s`, the title that pages share."""
    count: int = 0
    """How many pages are concerned beside the URL: with links to it, or like it."""
    related: tuple[Related, ...] = ()
    """The first of these, or the URLs to which a redirect leads."""


class Section(Struct, frozen=True):
    """All findings of one kind."""

    name: SectionName
    level: Level
    title: str
    count: int
    """How many there are, also those that are not named."""
    findings: tuple[Finding, ...]


class Audit(Struct, frozen=True):
    """The audit of one crawl."""

    pages: int
    links: int
    """Links of all documents."""
    has_sitemap: bool
    """Whether a sitemap was read; without one two sections are empty."""
    sections: tuple[Section, ...]
    urls_left: int
    """URLs that the crawl has not fetched yet: if any, only a part was audited."""


class Check(Protocol):
    """One check; it is given all documents, one after the other."""

    def take(self, source: SourceLinks) -> None:
        """A document with its links. Redirects are left out."""
        ...

    def sections(self) -> Iterable[Section]:
        """What was found, when all documents were given."""
        ...


class Findings:
    """Counts findings, and keeps the first ones."""

    def __init__(self, name: SectionName, level: Level, title: str, limit: int) -> None:
        self._name, self._level, self._title = name, level, title
        self._limit = limit
        self.count = 0
        self._kept: list[Finding] = []

    @property
    def full(self) -> bool:
        """Whether a further finding would only be counted."""
        return len(self._kept) >= self._limit

    def add(self, finding: Finding) -> None:
        self.count += 1
        if not self.full:
            self._kept.append(finding)

    def section(self) -> Section:
        kept = tuple(self._kept)
        return Section(self._name, self._level, self._title, self.count, kept)
