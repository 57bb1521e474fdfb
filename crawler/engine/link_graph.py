"""What a document tells the link graph (`model/link_graph.py`). No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from crawler.model.crawl import Outcome
from crawler.model.documents import Alternate, File, ImageLink, Link, Page
from crawler.model.http import Response
from crawler.model.link_graph import NO_LINKS, DocumentFacts, FoundLinks, OutLinks
from crawler.model.record_base import FetchRecord
from crawler.model.records import PageRecord, TerminalRecord

MAX_INSECURE = 1000
"""URLs of http that are kept of a page, beside its links and images."""


def found_links(
    document: Page | File, strip: Callable[[str], str], response: Response | None = None
) -> FoundLinks:
    """All that a document refers to, as the frontier has these URLs.

    `strip` removes the parameters of `scope.strip_params`. `response`: that of a page,
    which is also looked through for what it loads over http if it is one of https.
    """
    links = tuple(
        [one if "?" not in one.url else _stripped(one, strip) for one in document.links]
    )
    styles = [ImageLink(one.url, one.kind) for one in document.styles]
    further: Sequence[ImageLink] = ()
    if response is not None and response.url.startswith("https:"):
        further = _insecure(document, response)
    alternates = document.alternates if isinstance(document, File) else ()
    images = (*document.images, *styles, *further)
    return FoundLinks(links, images, alternates=alternates)


def _insecure(document: Page | File, response: Response) -> Sequence[ImageLink]:
    if b"p://" not in response.body:  # but "s://", as in most pages of https
        return ()
    from crawler.extract.body import Body  # few pages of https need it
    from crawler.extract.insecure import insecure_references, may_be_insecure

    if not may_be_insecure(response.body):
        return ()
    charset, media_type = document.charset, document.content_type
    body = Body(response.url, response.body, media_type, charset, MAX_INSECURE, False)
    return insecure_references(body)


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
        return OutLinks(found, _facts(record, found.alternates))
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


def _facts(record: TerminalRecord, alternates: tuple[Alternate, ...]) -> DocumentFacts:
    if not isinstance(record, FetchRecord):
        return DocumentFacts()
    if not isinstance(record, PageRecord):
        facts = DocumentFacts(record.status, record.fetch_ms, record.body_bytes)
        return replace(facts, alternates=alternates) if alternates else facts
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
