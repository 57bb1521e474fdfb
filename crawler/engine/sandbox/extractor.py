"""Extraction in the extraction process, as an Extractor."""

from __future__ import annotations

from crawler.engine.sandbox.pool import ExtractionPool
from crawler.extract.tasks import DOCUMENT, decode_document, encode_order
from crawler.model.crawl import Destination
from crawler.model.documents import Document
from crawler.model.http import Response
from crawler.model.policy_config import LimitsConfig


class WorkerExtractor:
    """An Extractor that has `worker` run the readers; may switch to other greenlets.

    A body that crashes its process is an error of its URL at once, so that the crash
    guard of the crawl's own process has nothing to count.
    """

    def __init__(self, worker: ExtractionPool) -> None:
        self._worker = worker

    def extract(
        self,
        response: Response,
        destination: Destination,
        limits: LimitsConfig,
        *,
        with_text: bool = False,
        named_sitemap: bool = False,
    ) -> Document:
        """As `crawler.extract.Extractor.extract`."""
        order = encode_order(response, destination, limits, with_text, named_sitemap)
        return decode_document(self._worker.run(DOCUMENT, order))

    def is_page(self, response: Response, *, named_sitemap: bool = False) -> bool:
        """False, for what is read here is read by another process already."""
        return False
