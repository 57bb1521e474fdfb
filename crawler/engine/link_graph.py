"""What a document tells the link graph (`model/link_graph.py`). No I/O."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from crawler.model.crawl import Outcome
from crawler.model.documents import File, ImageLink, Link, Page
from crawler.model.link_graph import NO_LINKS, DocumentFacts, FoundLinks, OutLinks
from crawler.model.record_base import FetchRecord
from crawler.model.records import PageRecord, TerminalRecord


def found_links(document: Page | File, strip: Callable[[str], str]) -> FoundLinks:
    """All that a document refers to, as the frontier has these URLs.

    `strip` removes the parameters of `scope.strip_params`.
    """
    links = tuple(
        [one if "?" not in one.url else _stripped(one, strip) for one in document.links]
    )
    styles = [ImageLink(one.url, one.kind) for one in document.styles]
    return FoundLinks(links, (*document.images, *styles))


def _stripped(link: Link, strip: Callable[[str], str]) -> Link:
    url = strip(link.url)
    return link if url == link.url else replace(link, url=url)


def out_links(outcome: Outcome) -> OutLinks | None:
    """The links of an outcome; None: those that the state may have stay.

    They stay where the server said that the document has not changed.
    """
    record, found = outcome.record, outcome.links
    if found is not None and (
        found.links or found.images or isinstance(record, PageRecord)
    ):
        return OutLinks(found, _facts(record))
    if outcome.lease.stored is None:  # no crawl before has fetched it
        return None
    if isinstance(record, FetchRecord) and record.from_cache != "miss":
        return None
    return NO_LINKS


def held(outcome: Outcome) -> int:
    """The size (characters) of the links that wait for their commit."""
    if outcome.links is None:
        return 0
    return sum([len(one.url) + len(one.text or "") for one in outcome.links.links])


def _facts(record: TerminalRecord) -> DocumentFacts:
    if not isinstance(record, FetchRecord):
        return DocumentFacts()
    if not isinstance(record, PageRecord):
        return DocumentFacts(record.status, record.fetch_ms, record.body_bytes)
    return DocumentFacts(
        record.status,
        record.fetch_ms,
        record.body_bytes,
        record.title if record.title_source == "title" else None,
        record.description if record.description_source == "meta" else None,
        record.canonical_url if record.canonical_source != "og" else None,
        record.robots_meta,
        record.alternates,
    )
