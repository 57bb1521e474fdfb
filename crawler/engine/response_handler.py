"""From a response to an outcome: what the body is decides on the record.

A body is extracted inside the crash guard, and then by its type:

    page    noai, the page quota, the traps; record, links and images as candidates;
            with plug-ins their process reads it (`page_task.py`)
    file    noai; record, what a sitemap or a feed names as candidates
    image   noimageai, the size in pixels; record, with the bytes to be kept
    no image or style sheet, though requested as one: back to the frontier, as a page
    304     the record of what an earlier crawl was told, without its bytes
    3xx     a redirect record, and its target as a candidate
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crawler.engine import record_builder
from crawler.engine.candidates import CandidateBuilder
from crawler.engine.link_graph import found_links
from crawler.engine.revalidation import CachedFields, Revalidation, unmodified_record
from crawler.fetch.conditional import (
    updated_validators,
    validators_match,
    validators_of_whole,
)
from crawler.model.config import Config
from crawler.model.crawl import Destination, Discovered, Lease, Outcome, Skip
from crawler.model.documents import (
    Document,
    Enriched,
    File,
    Image,
    LeaveOut,
    LeftOut,
    Link,
    Listing,
    Page,
    is_json,
    lacking,
    say_nothing,
)
from crawler.model.errors import BodyFailure, ExtractFailure, ImageDecodeFailure
from crawler.model.http import BodySink, Response
from crawler.model.link_graph import FoundLinks
from crawler.model.records import ImageRecord, PageRecord
from crawler.policy.quotas import Quotas
from crawler.policy.robots_meta import HEADER, RobotsMeta, RobotsMetaReader
from crawler.policy.scope import is_named_sitemap
from crawler.policy.traps import Traps

if TYPE_CHECKING:
    from crawler.engine.open_lease import OpenLease
    from crawler.engine.pending import AnyOutcome, ReadByPlugins
    from crawler.extract.extractor import Extractor
    from crawler.extract.looks.look import Look
    from crawler.output.bodies import Saves

SeedEnded = Callable[[Lease, Iterable[Link]], None]
"""What a seed redirects to has come, with its links (`engine/seed_redirects.py`)."""

Requisites = Callable[
    [Lease, Response, Document, Skip | None, LeaveOut], tuple[Discovered, ...]
]
"""What a document needs to be shown, for a mirror (`archive/requisites.py`)."""

Guard = Callable[[str], AbstractContextManager[object]]
"""`with guard(url):` the response of `url` is read (`workspace/crash_guard.py`)."""


class Reader:
    """Reads the responses of one crawl.

    `known(url, depth)` tells whether a find there would change nothing. `saves` chooses
    the bodies that are kept, by media type. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        config: Config,
        extractor: Extractor,
        plugins: ReadByPlugins | None,
        guard: Guard,
        candidates: CandidateBuilder,
        quotas: Quotas,
        traps: Traps,
        known: Callable[[str, int], bool],
        saves: Saves | None,
        seed_ended: SeedEnded,
        revalidation: Revalidation,
        clock: Callable[[], float],
        requisites: Requisites = lambda *_: (),
        look: Look = lambda *_: (None, None),
    ) -> None:
        self._limits = config.limits
        self._max_body = config.http.max_body
        self._keep_truncated = config.records.keep_truncated
        self._images = config.images
        self._tries = config.retry.tries
        self._include = frozenset(config.records.include)
        self._extractor = extractor
        self._readers = plugins
        self._plugins = None if plugins and plugins.only_read else plugins
        self._guard = guard
        self._candidates = candidates
        self._quotas = quotas
        self._traps = traps
        self._known = known
        self._saves = saves
        self._seed_ended = seed_ended
        self._revalidation = revalidation
        self._clock = clock
        self._requisites = requisites
        self._look = look
        self._robots_meta = RobotsMetaReader(config.robots)

    def read(self, handle: OpenLease, response: Response) -> AnyOutcome:
        """The outcome of a response with a body; pending, if plug-ins work on it.

        None if there is no place for a page: then the lease is released; and if it was
        requested as an image and is none: then it is queued as a page. Raises Failure.
        """
        lease = handle.lease
        if (readers := self._readers) and self._is_read_elsewhere(lease, response):
            finish = partial(self._finish_unread, handle, response)
            return readers.submit(response, None, _asked(lease), finish)
        try:
            document = self._extract(lease, response, lease.destination)
        except ImageDecodeFailure as failure:
            if not self._is_no_image(lease, response):
                from crawler.engine.images.damaged import read_damaged  # few are

                return read_damaged(lease, response, failure, self._images, self._tries)
            handle.retry(self._clock(), failure.code, failure.message, "page")
            return None
        if self._is_no_style(lease, document):
            message = f"{document.content_type} in place of a style sheet"
            handle.retry(self._clock(), "extract", message, "page")
            return None
        robots_meta = self._directives(lease, response, document)
        if response.truncated is not None:
            from crawler.engine.truncated import check_truncated  # few are

            damaged = self._images.keep_damaged
            keep, max_body = self._keep_truncated, self._max_body
            check_truncated(response.truncated, document, keep, damaged, max_body)
        if isinstance(document, Page):
            return self._page(handle, response, document, robots_meta)
        if isinstance(document, File):
            return self._file(lease, response, document, robots_meta)
        return self._image(lease, response, document, robots_meta)

    def _directives(
        self, lease: Lease, response: Response, document: Document
    ) -> RobotsMeta:
        """The robots directives of a document, whose links count for its seed."""
        if not (lease.depth or isinstance(document, Image)) and lease.redirects:
            self._seed_ended(lease, document.links)
        meta = document.robots_meta if isinstance(document, Page) else None
        return self._robots_meta.read(meta, response.values(HEADER))

    def read_redirect(self, lease: Lease, response: Response) -> Outcome:
        """The outcome of a redirect. Raises Failure for a loop or a long chain."""
        found = self._candidates.redirect(lease, response)
        if found.skip is not None or self._known(found.url, found.depth):
            self._traps.record_nothing_new(lease)
        record = record_builder.redirect_record(lease, response, found.url)
        links = FoundLinks((Link(found.url, "redirect"),), (), found.redirects)
        return Outcome(lease, record, (found,), links=links)

    def read_unmodified(
        self, handle: OpenLease, response: Response, cached: CachedFields
    ) -> AnyOutcome:
        """The outcome of a 304. What the page links to is fetched by itself.

        None if the lease was released, or is retried: a 304 about another version is
        followed by an unconditional request.
        """
        lease = handle.lease
        if not validators_match(response, cached.validators):
            handle.retry(self._clock(), "protocol", "304 about another version")
            return None
        if self._revalidation.is_outdated(cached):
            now = self._clock()
            return self._revalidation.read(handle, response, cached, self.read, now)
        record = unmodified_record(lease, response, cached)
        if isinstance(record, PageRecord) and not self._reserve_page(handle):
            return None
        if isinstance(record, ImageRecord):
            skip = self._quotas.check_image(record, record.body_bytes)
            if skip is not None:
                return record_builder.skipped(lease, skip)
        validators = updated_validators(response, cached.validators)
        return Outcome(lease, record, validators=validators)

    def _is_no_style(self, lease: Lease, document: Document) -> bool:
        """Whether what was taken for a style sheet is a page of the crawl."""
        return (
            lease.destination == "style"
            and document.content_type in ("text/html", "application/xhtml+xml")
            and self._candidates.may_be_page(lease)
        )

    def _is_no_image(self, lease: Lease, response: Response) -> bool:
        """Whether what was taken for an image is a page or a file of the crawl.

        The body is read when it has come as a page: then the checks, the quotas and the
        traps of pages apply to it. An empty body says nothing, so the hint stands.
        """
        has_image = lease.destination == "image" and response.body
        if not has_image or not self._candidates.may_be_page(lease):
            return False
        try:
            document = self._extract(lease, response, "page")
        except BodyFailure:
            return False
        return not isinstance(document, Image)

    def _extract(
        self, lease: Lease, response: Response, destination: Destination
    ) -> Document:
        if response.streamed is not None:
            from crawler.engine.large_bodies import readable  # few bodies are so large

            response = readable(response)
        with self._guard(lease.url):
            named = is_named_sitemap(lease)
            return self._extractor.extract(
                response, destination, self._limits, with_text=True, named_sitemap=named
            )

    def _page(
        self, handle: OpenLease, response: Response, page: Page, robots_meta: RobotsMeta
    ) -> AnyOutcome:
        if self._plugins is None or robots_meta.noai is not None:
            return self._finish_page(handle, response, robots_meta, Enriched(page))
        finish = partial(self._finish_page, handle, response, robots_meta)
        return self._plugins.submit(response, page, _asked(handle.lease), finish)

    def _is_read_elsewhere(self, lease: Lease, response: Response) -> bool:
        """Whether the process that plug-ins work in reads it: it is surely a page."""
        return lease.destination == "page" and self._extractor.is_page(
            response, named_sitemap=is_named_sitemap(lease)
        )

    def _finish_unread(
        self,
        handle: OpenLease,
        response: Response,
        enriched: Enriched,
        failure: ExtractFailure | None,
    ) -> Outcome | None:
        """As `_finish_page`; a page is read here if the process failed to read it."""
        lease = handle.lease
        page = enriched.page or self._extract(lease, response, "page")
        assert isinstance(page, Page)  # `is_page` said so
        robots_meta = self._directives(lease, response, page)
        found = replace(enriched, page=page)
        return self._finish_page(handle, response, robots_meta, found, failure)

    def _finish_page(
        self,
        handle: OpenLease,
        response: Response,
        robots_meta: RobotsMeta,
        enriched: Enriched,
        failure: ExtractFailure | None = None,
    ) -> Outcome | None:
        """The outcome of a page with what plug-ins find, or with their failure."""
        lease, page = handle.lease, enriched.page
        assert page is not None
        if robots_meta.noai is not None:
            found = self._candidates.page(lease, page, robots_meta, response.status)
            record = record_builder.skip_record(lease, robots_meta.noai)
            links = found_links(page, self._candidates.strip, response)
            return Outcome(lease, record, found, links=links)
        if not self._reserve_page(handle):
            return None
        self._traps.record(lease, response.body, page)
        cut, noimageai = set[LeftOut](), robots_meta.noimageai
        found = self._candidates.page(
            lease, page, robots_meta, response.status, cut.add
        )
        found += self._requisites(lease, response, page, noimageai, cut.add)
        page = lacking(page, cut)
        saved = self._saved(response, page.content_type)
        links = found_links(page, self._candidates.strip, response)
        if failure is not None:
            return record_builder.failed(
                lease, response, failure, found, page, saved, links
            )
        page_record = record_builder.page_record(lease, response, page, self._include)
        page_record.data = enriched.data
        if enriched.text is not None:
            record_builder.add_text(page_record, enriched.text)
        items = record_builder.item_records(page_record, enriched.items)
        validators = validators_of_whole(response)
        return Outcome(
            lease, page_record, found, None, items, validators, saved, links=links
        )

    def _saved(self, response: Response, media_type: str) -> bytes | BodySink | None:
        """The body, if bodies of its type are saved."""
        if self._saves is None or not self._saves(media_type):
            return None
        return response.streamed or response.body

    def _file(
        self, lease: Lease, response: Response, file: File, robots_meta: RobotsMeta
    ) -> AnyOutcome:
        if robots_meta.noai is not None:
            return record_builder.skipped(lease, robots_meta.noai)
        if lease.destination == "style":
            self._quotas.count_style(lease.host)
        page = Page(file.content_type, file.charset or "utf-8")
        if self._plugins is None or not is_json(file.content_type):
            return self._finish_file(lease, response, file, Enriched(page))
        finish = partial(self._finish_file, lease, response, file)
        return self._plugins.submit(response, page, _asked(lease), finish)

    def _finish_file(
        self,
        lease: Lease,
        response: Response,
        file: File,
        enriched: Enriched,
        failure: ExtractFailure | None = None,
    ) -> Outcome:
        """As `_finish_page`."""
        file, found = self._found_in_file(lease, response, file, enriched.listing)
        saved = self._saved(response, file.content_type)
        links = found_links(file, self._candidates.strip)
        if failure is not None:
            return record_builder.failed(
                lease, response, failure, found, file, saved, links, enriched.items
            )
        record = record_builder.file_record(
            lease, response, file, self._include, enriched
        )
        items = record_builder.item_records(record, enriched.items)
        validators = validators_of_whole(response)
        return Outcome(
            lease, record, found, None, items, validators, saved, links=links
        )

    def _found_in_file(
        self, lease: Lease, response: Response, file: File, listing: Listing | None
    ) -> tuple[File, tuple[Discovered, ...]]:
        """The URLs in a file; of the answer of an API, with what it lists for links."""
        if listing is None:
            found = self._candidates.file(lease, file, response.status)
            cut = set[LeftOut]()
            found += self._requisites(lease, response, file, None, cut.add)
            return lacking(file, cut), found
        from crawler.engine.api_answers import read_answer  # few crawls have an API

        max_links = self._limits.max_links
        return read_answer(self._candidates, lease, file, listing, max_links)

    def _image(
        self, lease: Lease, response: Response, image: Image, robots_meta: RobotsMeta
    ) -> Outcome:
        record = record_builder.image_record(lease, response, image, self._images.gps)
        size = record.body_bytes
        skip = robots_meta.noimageai or self._quotas.check_image(record, size)
        if skip is not None:
            return record_builder.skipped(lease, skip)
        if self._images.keep_damaged and response.truncated is not None:
            record.damage = "truncated"
        found = self._requisites(lease, response, image, None, say_nothing)
        picture, validators = (
            response.streamed or response.body,
            validators_of_whole(response),
        )
        seen = self._look(record, picture)
        return Outcome(lease, record, found, picture, (), validators, None, *seen)

    def _reserve_page(self, handle: OpenLease) -> bool:
        """Whether there is a place for one page more; if not, the URL stays queued.

        A page that was requested as a subresource waits as a page: of those, requests
        are made beyond the limit.
        """
        if self._quotas.reserve_page(handle.lease):
            return True
        if handle.lease.destination == "page":
            handle.release()
        else:
            handle.retry(self._clock(), "extract", "no page is left", "page")
        return False


def _asked(lease: Lease) -> str:
    """The URL that was requested first."""
    return lease.redirects[0].url if lease.redirects else lease.url
