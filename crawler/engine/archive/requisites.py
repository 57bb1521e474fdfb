"""What a document needs to be shown, as candidates: for a crawl that makes a mirror."""

from __future__ import annotations

from crawler.engine.candidates import CandidateBuilder
from crawler.engine.response_handler import Guard
from crawler.extract.body import Body
from crawler.extract.references.requisites import requisites
from crawler.extract.references.rewrite import is_rewritable
from crawler.extract.sniff import extract_media_type
from crawler.model.crawl import Discovered, Lease, Skip
from crawler.model.documents import Document, Image, LeaveOut
from crawler.model.errors import ExtractFailure
from crawler.model.http import Response


class RequisiteFinder:
    """Finds the requisites in documents that refer to any, `max_links` in one."""

    def __init__(
        self, candidates: CandidateBuilder, guard: Guard, max_links: int
    ) -> None:
        self._candidates = candidates
        self._guard = guard
        self._max_links = max_links

    def find(
        self,
        lease: Lease,
        response: Response,
        document: Document,
        noimageai: Skip | None,
        leave_out: LeaveOut,
    ) -> tuple[Discovered, ...]:
        """The requisites of `document`, the content of `response`.

        `noimageai`: why its images may not be used, if so. Raises ExtractFailure.
        """
        media_type = document.content_type
        if response.truncated == "unread" or not is_rewritable(media_type):
            return ()
        charset = _charset(response, document)
        body = Body(
            response.url, response.body, media_type, charset, self._max_links, False
        )
        with self._guard(lease.url):
            try:
                wanted = requisites(body, leave_out)
            except MemoryError:
                raise
            except Exception as error:  # this URL fails, and the crawl goes on
                raise ExtractFailure(
                    f"requisites: {type(error).__name__}: {error}"
                ) from error
        return tuple(self._candidates.requisites(lease, wanted, noimageai))


def _charset(response: Response, document: Document) -> str | None:
    if not isinstance(document, Image):
        return document.charset
    declared = extract_media_type(response.values("content-type"))
    return declared.parameters.get("charset") if declared else None
