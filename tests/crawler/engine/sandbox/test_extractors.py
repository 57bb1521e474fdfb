"""Each Extractor keeps the contract: equal documents and failures for a response."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing

import pytest
from msgspec.structs import replace

import hub
from crawler.engine.sandbox.extractor import WorkerExtractor
from crawler.engine.sandbox.pool import ExtractionPool
from crawler.extract.extractor import Extractor, InlineExtractor
from crawler.extract.tasks import DOCUMENT, TASKS, decode_document
from crawler.model.crawl import Destination
from crawler.model.documents import File, Image, Link, Page
from crawler.model.errors import (
    BodyFailure,
    ExtractFailure,
    ImageDecodeFailure,
    TooLarge,
)
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig

GIF = b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
HTML = "<html lang=de><title>é</title><a href=x rel=nofollow>X</a><img src=y alt=Y>"
SITEMAP = b"<urlset><url><loc>http://h/x</loc></url></urlset>"


@pytest.fixture(scope="module")
def worker() -> Iterator[ExtractionPool]:
    with closing(ExtractionPool(TASKS)) as subject:
        yield subject


@pytest.fixture(params=["inline", "worker"])
def extractor(request: pytest.FixtureRequest, worker: ExtractionPool) -> Extractor:
    return InlineExtractor() if request.param == "inline" else WorkerExtractor(worker)


def response(body: bytes, content_type: str | None) -> Response:
    headers = (("content-type", content_type),) if content_type else ()
    return Response(
        "http://h/d/p", 200, "OK", "1.1", headers, body, len(body), Timings(1),
        remote_ip=None, reused_connection=False,
    )  # fmt: skip


def test_a_page(extractor: Extractor) -> None:
    page = extractor.extract(
        response(HTML.encode(), "text/html; charset=utf-8"),
        "page",
        LimitsConfig(),
        with_text=True,
    )
    assert isinstance(page, Page)
    assert (page.title, page.lang, page.charset) == ("é", "de", "utf-8")
    assert page.links == (Link("http://h/d/x", "a", "X", "nofollow", True),)
    assert [image.alt for image in page.images] == ["Y"]


@pytest.mark.parametrize(
    ("body", "content_type", "destination", "kind"),
    [
        (b"", None, "page", File),
        (b"<p>x", "text/html", "page", Page),
        (GIF, "text/html", "page", Image),
        (GIF, "image/png", "image", Image),
        (b"<svg width='3' height='4'/>", "image/svg+xml", "image", Image),
        (SITEMAP, "application/xml", "page", File),
        (gzip.compress(SITEMAP), "application/gzip", "page", File),
    ],
)
def test_a_document(
    extractor: Extractor,
    body: bytes,
    content_type: str | None,
    destination: Destination,
    kind: type,
) -> None:
    given = response(body, content_type)
    found = extractor.extract(given, destination, LimitsConfig())
    assert type(found) is kind
    assert found == InlineExtractor().extract(given, destination, LimitsConfig())


def test_limits_hold(extractor: Extractor) -> None:
    body = b"".join(b"<a href=%d>" % number for number in range(100))
    page = extractor.extract(
        response(body, "text/html"), "page", LimitsConfig(max_links=7)
    )
    assert isinstance(page, Page)
    assert len(page.links) == 7
    assert {link.text for link in page.links} == {None}


@pytest.mark.parametrize(
    ("given", "destination", "failure", "message"),
    [
        (response(b"<p>", "text/html"), "image", ImageDecodeFailure, "no image of a"),
        (response(GIF[:25], None), "image", ImageDecodeFailure, "cut short"),
        (replace(response(GIF, None), truncated="length"), "page", TooLarge, "longer"),
    ],
)
def test_a_body_of_no_use(
    extractor: Extractor,
    given: Response,
    destination: Destination,
    failure: type[BodyFailure],
    message: str,
) -> None:
    with pytest.raises(failure, match=message) as raised:
        extractor.extract(given, destination, LimitsConfig())
    assert type(raised.value) is failure


@pytest.mark.parametrize("result", [b"", b"\x80", b"\x81\xa4type\xa4page", b"\xc1"])
def test_a_result_that_is_no_document(result: bytes) -> None:
    with pytest.raises(ExtractFailure, match="no document"):
        decode_document(result)


def test_several_greenlets_share_one_process(worker: ExtractionPool) -> None:
    subject = WorkerExtractor(worker)

    def title_of(number: int) -> str | None:
        body = f"<title>{number}</title>".encode()
        page = subject.extract(response(body, "text/html"), "page", LimitsConfig())
        assert isinstance(page, Page)
        return page.title

    jobs = [hub.spawn(title_of, number) for number in range(20)]
    assert [job.get() for job in jobs] == [str(number) for number in range(20)]
    assert worker.statistics().starts == 1


def test_an_order_that_makes_no_sense_is_a_failure(worker: ExtractionPool) -> None:
    with pytest.raises(ExtractFailure, match=r"(Decode|Validation)Error"):
        worker.run(DOCUMENT, b"nonsense")
