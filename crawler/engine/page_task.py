"""One page in the extraction process: it is read there, and plug-ins work on it.

    PageOrder, body -> Page -> plug-ins -> PageAnswer

Both ends of the task are here. The crawl sends a page that it has read, or the response
alone; then the process reads it, by the reader that the crawl would use, and sends the
page back. What the process says is data: no class is named in it, and a page is checked
(`extract/html/bounds.py`), since the process has read untrusted bytes and is not
trusted itself.

A page that refuses its use (`noai`) is read, and no plug-in sees it.
"""

from __future__ import annotations

from functools import cache

from msgspec import MsgspecError, Struct
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import replace

from crawler.extract.extractor import extract
from crawler.extract.html.bounds import check_page
from crawler.model.documents import Page
from crawler.model.errors import BodyFailure, ExtractFailure, UsageError, short_text
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig, RobotsConfig
from crawler.plugins.child import Findings, PluginSet, apply, load
from crawler.plugins.document import PluginDocument
from crawler.plugins.loading import LoadedPlugin
from crawler.policy.robots_meta import HEADER, RobotsMetaReader

TASK = "crawler.engine.page_task:run"


class PageSettings(Struct, frozen=True, array_like=True):
    """What is the same for all pages of a crawl."""

    plugins: PluginSet
    robots: RobotsConfig


class PageOrder(Struct, frozen=True, array_like=True):
    """A page to work on, but for its body; without a URL plug-ins are only loaded."""

    settings: bytes
    """Encoded PageSettings, the same in each order of a crawl."""
    url: str = ""
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    page: bytes = b""
    """An encoded Page; empty: the process is to read it."""
    asked: str = ""
    """The URL that was requested, where `url` is where redirects led."""


class PageAnswer(Struct, frozen=True, array_like=True):
    """What came of an order."""

    found: Findings = Findings()
    page: Page | None = None
    """What was read, if the process was to read it."""
    failure: str = ""
    """Why the plug-ins have failed."""


_LENGTH = 4
"""Bytes of the length of an encoded PageOrder."""

encode = Encoder().encode
_decode_answer = Decoder(PageAnswer).decode


# The end of the crawl


def order_parts(order: PageOrder, body: bytes = b"") -> tuple[bytes, bytes]:
    """The payload of the task, in two parts: so the body need not be copied."""
    head = encode(order)
    return len(head).to_bytes(_LENGTH, "big") + head, body


def decode_answer(result: bytes, read: Page | None, max_links: int) -> PageAnswer:
    """What came of an order. `read`: the page that was in it.

    Raises ExtractFailure if `result` is nothing that the task makes.
    """
    try:
        answer = _decode_answer(result)
        if read is None:
            if answer.page is None:
                raise ValueError("no page")
            check_page(answer.page, max_links)
    except (MsgspecError, RecursionError, ValueError) as error:
        raise ExtractFailure(f"the plug-ins' findings: {error}") from error
    return answer


# The end of the process


class _Prepared:
    """The settings of a crawl, its plug-ins loaded. Raises ExtractFailure."""

    def __init__(self, settings: PageSettings) -> None:
        try:
            self.plugins: tuple[LoadedPlugin, ...] = load(settings.plugins)
        except UsageError as error:
            raise ExtractFailure(str(error)) from error
        self.max_urls = settings.plugins.max_urls
        self._limits = LimitsConfig(max_links=self.max_urls)
        self._robots = RobotsMetaReader(settings.robots)

    def page(self, response: Response) -> Page:
        """Read a response. Raises BodyFailure."""
        page = extract(response, "page", self._limits, with_text=True)
        if not isinstance(page, Page):
            raise ExtractFailure(f"{page.content_type} is no page")
        return page

    def is_refused(self, response: Response, page: Page) -> bool:
        """Whether the page may not be used."""
        found = self._robots.read(page.robots_meta, response.values(HEADER))
        return found.noai is not None


@cache
def _decoders() -> tuple[Decoder[PageOrder], Decoder[Page], Decoder[PageSettings]]:
    """Decoders of what the crawl sends, which the crawl itself does not need."""
    return Decoder(PageOrder), Decoder(Page), Decoder(PageSettings)


_prepared: dict[bytes, _Prepared] = {}
"""By encoded PageSettings."""


def run(payload: bytes) -> bytes:
    """The task: from a PageOrder and its body (`order_parts`) to a PageAnswer."""
    body_at = _LENGTH + int.from_bytes(payload[:_LENGTH], "big")
    orders, pages, settings = _decoders()
    order = orders.decode(payload[_LENGTH:body_at])
    if order.settings not in _prepared:
        _prepared[order.settings] = _Prepared(settings.decode(order.settings))
    if not order.url:
        return encode(PageAnswer())
    prepared, body = _prepared[order.settings], payload[body_at:]
    if order.page:
        return encode(_worked_on(prepared, order, body, pages.decode(order.page)))
    response = _response(order, body)
    page = prepared.page(response)
    if prepared.is_refused(response, page):
        return encode(PageAnswer(page=page))
    answer = _worked_on(prepared, order, body, page)
    return encode(replace(answer, page=page))


def _worked_on(
    prepared: _Prepared, order: PageOrder, body: bytes, page: Page
) -> PageAnswer:
    """What the plug-ins find in a page, or why they fail."""
    document = PluginDocument(order.url, order.status, order.headers, body, page)
    asked = order.asked or order.url
    try:
        return PageAnswer(apply(prepared.plugins, document, prepared.max_urls, asked))
    except BodyFailure as error:
        return PageAnswer(failure=short_text(error.message))


def _response(order: PageOrder, body: bytes) -> Response:
    """The response, as far as a reader looks at it."""
    return Response(
        order.url, order.status, "", "1.1", order.headers, body, 0, Timings(0), None,
        False,
    )  # fmt: skip
