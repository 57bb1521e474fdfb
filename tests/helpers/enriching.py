"""What the plug-ins of a crawl find in one page."""

from __future__ import annotations

from crawler.engine.document_plugins import DocumentPlugins
from crawler.engine.pending import outcome_of
from crawler.model.crawl import Outcome
from crawler.model.documents import Enriched, Page
from crawler.model.errors import ExtractFailure
from crawler.model.http import Response


def enriched(
    documents: DocumentPlugins, response: Response, page: Page | None
) -> Enriched:
    """`page` with their findings; None: they read it. Raises their ExtractFailure."""
    found: list[tuple[Enriched, ExtractFailure | None]] = []

    def finish(enriched: Enriched, failure: ExtractFailure | None) -> Outcome | None:
        found.append((enriched, failure))
        return None

    outcome_of(documents.submit(response, page, response.url, finish))
    ((answer, failure),) = found
    if failure is not None:
        raise failure
    return answer
