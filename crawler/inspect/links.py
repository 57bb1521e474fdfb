"""The links of a crawl: who links where, and what became of the target.

All of it is read from the state, one document at a time. What is held in memory are two
bytes for each URL, eight more if the crawl has met redirects, forty where links are
grouped by their targets, and a bounded number of rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

from msgspec import Struct

from crawler.frontier.state_reader import StateReader, UrlRow
from crawler.frontier.store import STATES, State
from crawler.inspect.typed_url import TypedUrl
from crawler.model.documents import LinkKind
from crawler.model.errors import UsageError
from crawler.model.link_graph import OutLink, SourceLinks

T = TypeVar("T")

MAX_SOURCES = 3
"""Documents that are named with a URL to which many link."""
MAX_HOPS = 20
"""Redirects that are followed from a link; `limits.max_redirects` is 10."""
_MAX_ROWS = 1 << 14
_ERROR, _REDIRECT = STATES.index("error") + 1, STATES.index("redirect") + 1
NEVER_ASKED = ("blocked_address",)
"""Codes of errors of the crawl alone: no request was made, so the link may work."""
_WITH_STATUS = ("status_4xx", "status_5xx", "status_other", "rate_limited")


class Target(Struct, frozen=True):
    """What became of a URL that a document links to."""

    url: str
    state: State | None
    """None: the crawl does not know it, as an image where none are fetched."""
    status: int | None
    """HTTP status; None where there was no response, or none was wanted."""
    code: str | None
    """`error_code` of an error, `reason` of a skip."""
    detail: str | None
    """The same in words."""


class LinkLine(Struct, frozen=True):
    """A link of a document."""

    source_url: str
    target_url: str
    text: str | None
    """Text of the link, or alternative text of the image."""
    kind: LinkKind
    rel: str | None
    external: bool
    """Whether it leaves the scope."""
    state: State | None
    """What became of the target; null: the crawl does not know it."""
    status: int | None
    code: str | None
    detail: str | None
    redirects: tuple[str, ...] = ()
    """URLs to which the target redirects, one after the other."""
    final_status: int | None = None
    """What the last of them answered."""
    final_code: str | None = None
    broken: bool = False
    """Whether the target, or where it redirects to, ended as an error.

    Not where it was never asked; then `code`, or `final_code`, says why.
    """


class LinkedUrl(Struct, frozen=True):
    """A URL, with the first documents that link to it."""

    links: int
    """How many documents link to it."""
    first: tuple[LinkLine, ...]
    """The links of the first documents, at most MAX_SOURCES."""


class GroupedLinks(Struct, frozen=True):
    """The URLs to which links lead, those with the most links first."""

    urls: int
    links: int
    """A document counts once for each URL that it links to."""
    groups: Iterator[LinkedUrl]
    """Each URL with its links, read when it is asked for."""


class Chosen(Struct, frozen=True):
    """Which links are listed: those to which all of it applies."""

    broken: bool = False
    redirects: bool = False
    external: bool = False
    to: TypedUrl | None = None
    """The URL that they lead to."""
    source: TypedUrl | None = None
    """The URL of the document that they are in."""
    not_checked: bool = False
    """The target failed by one of the codes NEVER_ASKED."""


class LinkGraph:
    """The links of `state`, and what became of the URLs in it, by their numbers."""

    def __init__(self, state: StateReader) -> None:
        self._state = state
        self._states = state.url_states()
        self._external = state.external_urls()
        self.size = len(self._states)
        """One more than the largest number."""
        self._next = _redirects(state, self.size)
        self.row = _cached(state.url_at)
        self.target = _cached(self._target)

    def state(self, number: int) -> State | None:
        """The state of a URL; None for 0."""
        place = self._states[number]
        return STATES[place - 1] if place else None

    def hops(self, number: int) -> tuple[int, ...]:
        """The URLs to which this one redirects, one after the other.

        A loop ends where it comes back to a URL for the first time.
        """
        found: list[int] = []
        last = number
        while self._next and (last := self._next[last]) and len(found) < MAX_HOPS:
            found.append(last)
            if last == number or last in found[:-1]:
                break
        return tuple(found)

    def first_redirects(self) -> Iterator[int]:
        """The redirects to which no other redirect leads, and those of loops."""
        later = {target for target in self._next if target}
        for number, target in enumerate(self._next):
            if target and (number not in later or number in self.hops(number)):
                yield number

    def is_broken(self, number: int) -> bool:
        """Whether the URL, or where it redirects to, was asked and is an error."""
        place = self._states[number]  # requested every link of a crawl
        if place == _REDIRECT and (hops := self.hops(number)):
            number = hops[-1]
            place = self._states[number]
        if place == _ERROR:
            return self.row(number).code not in NEVER_ASKED
        return place == _REDIRECT and self._goes_on(number)

    def was_not_checked(self, number: int) -> bool:
        """Whether the URL, or where it redirects to, is an error of the crawl alone."""
        last = (self.hops(number) or (number,))[-1]
        return self._states[last] == _ERROR and self.row(last).code in NEVER_ASKED

    def _goes_on(self, number: int) -> bool:
        """Whether a URL redirects; if it is the last one of `hops`, that is a loop."""
        return bool(self._next) and self._next[number] != 0

    def is_external(self, number: int) -> bool:
        """Whether the URL is out of scope, also if it was requested."""
        return self._external[number] != 0

    def line(self, source: SourceLinks, link: OutLink) -> LinkLine:
        """The link, with all that is known of its target."""
        target = self.target(link.target) if link.target else _unknown(link)
        hops = [self.target(number) for number in self.hops(link.target)]
        last = hops[-1] if hops else None
        code = last.code if last else None
        if last and last.state == "redirect" and self.is_broken(link.target):
            code = "redirect_loop"
        return LinkLine(
            source.url,
            target.url,
            link.text,
            link.kind,
            link.rel,
            self.is_external(link.target),
            target.state,
            target.status,
            target.code,
            target.detail,
            tuple(hop.url for hop in hops),
            last.status if last else None,
            code,
            self.is_broken(link.target),
        )

    def _target(self, number: int) -> Target:
        row = self.row(number)
        return Target(
            row.url, row.state, self._status(number, row), row.code, row.detail
        )

    def _status(self, number: int, row: UrlRow) -> int | None:
        if row.state == "error":
            return status_of_error(row)
        if row.state not in ("page", "file", "image", "redirect"):
            return None
        document = self._state.links_of(number)
        return 200 if document is None else document.facts.status


def list_links(state: StateReader, chosen: Chosen) -> Iterator[LinkLine]:
    """The chosen links, in the order of their documents.

    Links of redirects are left out: they belong to the links that lead there. Raises
    UsageError where the crawl has read no document at `chosen.source`.
    """
    graph = LinkGraph(state)
    for document, link in _chosen(state, graph, chosen):
        yield graph.line(document, link)


def count_links(state: StateReader, chosen: Chosen) -> tuple[int, int]:
    """How many links `list_links` gives, and in how many documents they are."""
    links = documents = last = 0
    for document, _link in _chosen(state, LinkGraph(state), chosen):
        links += 1
        documents += document.number != last
        last = document.number
    return links, documents


def group_links(state: StateReader, chosen: Chosen) -> GroupedLinks:
    """The URLs to which the chosen links lead.

    URLs that the crawl does not know are left out. Raises as `list_links`.
    """
    graph = LinkGraph(state)
    counts = array("q", bytes(8 * graph.size))
    first = [array("q", bytes(8 * graph.size)) for _ in range(MAX_SOURCES)]
    last = array("q", bytes(8 * graph.size))  # a page may show what it links to
    for document, link in _chosen(state, graph, chosen):
        if last[link.target] == document.number:
            continue
        last[link.target] = document.number
        place = counts[link.target]
        if place < MAX_SOURCES:
            first[place][link.target] = document.number
        counts[link.target] += 1
    numbers = [number for number in range(1, graph.size) if counts[number]]
    numbers.sort(key=lambda number: -counts[number])

    def group(number: int) -> LinkedUrl:
        sources = [state.links_of(one[number]) for one in first if one[number]]
        lines = [
            graph.line(
                source, next(one for one in source.links if one.target == number)
            )
            for source in sources
            if source is not None
        ]
        return LinkedUrl(counts[number], tuple(lines))

    return GroupedLinks(len(numbers), sum(counts), map(group, numbers))


def _chosen(
    state: StateReader, graph: LinkGraph, chosen: Chosen
) -> Iterator[tuple[SourceLinks, OutLink]]:
    to = chosen.to
    to_number = 0 if to is None else state.number_of(to.url)
    for document in _documents(state, chosen.source):
        if graph.state(document.number) == "redirect":
            continue
        for link in document.links:
            number = link.target
            if (
                (not chosen.broken or graph.is_broken(number))
                and (not chosen.redirects or graph.state(number) == "redirect")
                and (not chosen.external or graph.is_external(number))
                and (not chosen.not_checked or graph.was_not_checked(number))
                and (
                    to is None
                    or (number == to_number if number else link.url in to.forms)
                )
            ):
                yield document, link


def _documents(state: StateReader, source: TypedUrl | None) -> Iterator[SourceLinks]:
    if source is None:
        yield from state.source_links()
        return
    document = state.links_of(state.number_of(source.url))
    if document is None:
        raise UsageError(f"--from {source.url}: the crawl has read no links there")
    yield document


def _redirects(state: StateReader, size: int) -> array[int]:
    """By number of a URL, the one to which it redirects, or 0; empty without any."""
    targets: array[int] = array("q")
    for source in state.redirects():
        targets = targets or array("q", bytes(8 * size))
        targets[source.number] = source.links[0].target
    return targets


def status_of_error(row: UrlRow) -> int | None:
    """The status with which the detail of such an error begins (`404 Not Found`)."""
    first = (row.detail or "").partition(" ")[0]
    is_status = row.code in _WITH_STATUS and first.isascii() and first.isdigit()
    return int(first) if is_status else None


def _unknown(link: OutLink) -> Target:
    return Target(link.url or "", None, None, None, None)


def _cached(read: Callable[[int], T]) -> Callable[[int], T]:
    return lru_cache(_MAX_ROWS)(read)
