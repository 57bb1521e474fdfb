"""The answers of `[[api]]` are read as JSON, whatever their Content-Type."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from crawler.extract.extractor import Extractor
from crawler.extract.fields.fields import compile_api
from crawler.extract.sniff import extract_media_type
from crawler.model.content_config import ApiConfig
from crawler.model.crawl import Destination
from crawler.model.documents import Document, is_json
from crawler.model.http import Response
from crawler.model.policy_config import LimitsConfig

_STARTS = (b"{", b"[")
_BEFORE = b" \t\r\n\xef\xbb\xbf"
"""White space of JSON, and the bytes of a byte order mark."""


class ApiExtractor:
    """Passes responses to another Extractor, and answers that look like JSON as JSON.

    Many scripts send JSON as `text/html`. The user says what it is, so the type counts
    for nothing; but where a body is no JSON, a page for people is read as one.
    """

    def __init__(self, extractor: Extractor, apis: Sequence[ApiConfig]) -> None:
        self._extractor = extractor
        self._apis = [compile_api(one) for one in apis]

    def extract(
        self,
        response: Response,
        destination: Destination,
        limits: LimitsConfig,
        *,
        with_text: bool = False,
        named_sitemap: bool = False,
    ) -> Document:
        """As `Extractor.extract`."""
        if self._is_answer(response):
            response = _as_json(response)
        return self._extractor.extract(
            response,
            destination,
            limits,
            with_text=with_text,
            named_sitemap=named_sitemap,
        )

    def is_page(self, response: Response, *, named_sitemap: bool = False) -> bool:
        """As `Extractor.is_page`."""
        return not self._is_answer(response) and self._extractor.is_page(
            response, named_sitemap=named_sitemap
        )

    def _is_answer(self, response: Response) -> bool:
        if not any(api.matches(response.url) for api in self._apis):
            return False
        declared = extract_media_type(response.values("content-type"))
        if declared is not None and is_json(declared.essence):
            return False
        return response.body[:1024].lstrip(_BEFORE).startswith(_STARTS)


def _as_json(response: Response) -> Response:
    """The response with the type of JSON. Its charset counts all the same."""
    declared = (response.header("content-type") or "").partition(";")[2]
    value = f"application/json;{declared}" if declared else "application/json"
    others = [one for one in response.headers if one[0] != "content-type"]
    return replace(response, headers=(*others, ("content-type", value)))
