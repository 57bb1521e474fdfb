"""A state made of a table of URLs, for what reads states only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from crawler.frontier.sqlite.reader import open_state
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.state_reader import StateReader
from crawler.frontier.store import Ended
from crawler.model.crawl import Discovered, Skip
from crawler.model.documents import ImageLink, Link
from crawler.model.http import Hop
from crawler.model.link_graph import DocumentFacts, FoundLinks, OutLinks


class Stored(Struct):
    """What became of a URL: how it ended, and what it says and links to."""

    ended: Ended = "page"
    facts: DocumentFacts = DocumentFacts(200)
    links: tuple[Link, ...] = ()
    images: tuple[ImageLink, ...] = ()
    code: str | None = None
    detail: str | None = None


def moved(to: str) -> Stored:
    """A redirect."""
    return Stored("redirect", DocumentFacts(301), (Link(to, "redirect"),))


NOT_FOUND = Stored("error", code="status_4xx", detail="404 Not Found")
LOOP = Stored("error", code="redirect_loop", detail="leads back to itself")


@contextmanager
def stored_site(
    folder: Path, urls: Mapping[str, Stored], skipped: tuple[str, ...] = ()
) -> Iterator[StateReader]:
    """The state of a crawl that has found `urls` in this order; the first is its seed.

    `skipped` are out of its scope.
    """
    store = SqliteStore(folder)
    kinds = ["seed", *["a"] * len(urls)]
    found = [
        Discovered(url, kind, "page", 0)  # type: ignore[arg-type]
        for url, kind in zip(urls, kinds, strict=False)
    ]
    refused = Skip("scope", "scope.within: host")
    found += [Discovered(url, "a", "page", 1, skip=refused) for url in skipped]
    store.add(found, 0.0)
    for host in store.claim(99, 1.0):
        for lease in store.lease(host.name, "page", 9999, 1.0):
            one = urls[lease.url]
            hops = (Hop(lease.url, 301),) if one.ended == "redirect" else ()
            links = OutLinks(FoundLinks(one.links, one.images, hops), one.facts)
            kept = None if one.ended == "error" else links
            store.finish(lease, one.ended, one.code, one.detail, None, kept)
    store.commit()
    store.close()
    with open_state(folder) as state:
        yield state
