"""A crawl with the extraction process and one with the inline extractor.

The records are the same, but for a body that crashes its reader.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler.engine.builder import open_crawl
from crawler.engine.sandbox.extractor import WorkerExtractor
from crawler.engine.sandbox.pool import ExtractionPool
from crawler.extract.extractor import Extractor, InlineExtractor
from crawler.extract.tasks import DOCUMENT, TASKS
from crawler.model.content_config import OutputConfig
from tests.helpers.crawling import (
    config,
    endings,
    link,
    of,
    page,
    picture,
    png,
    records,
    serve,
)
from tests.helpers.poison import POISON_TYPE
from tests.site.page import reply

__all__ = ["serve"]

FATAL_TASKS = {DOCUMENT: "tests.helpers.poison:document"}
WITH_LISTS = OutputConfig(include=("links", "images"))


def crawled(
    site: Any, folder: Path, extractor: Extractor
) -> dict[str, tuple[Any, ...]]:
    """What the records of the crawl contain of each body, by path."""
    settings = config(site, folder, records=WITH_LISTS)
    open_crawl(settings, mode="new", extractor=extractor).run()
    fields = ("type", "title", "content_type", "charset", "links", "images", "width")
    return {
        record["url"].removeprefix(site.base): tuple(map(record.get, fields))
        for record in records(folder)
        if record["type"] in ("page", "file", "image")
    }


def test_the_records_are_those_of_an_inline_crawl(serve: Any, tmp_path: Path) -> None:
    site = serve(
        index=page(
            link("/1", "/2", "/file"), picture("/i.png"), "<a href=/3>a &amp; b"
        ),
        **{str(n): page(f"<p>{n}") for n in (1, 2, 3)},
        **{"i.png": reply(png(), "image/png"), "file": reply("x", "text/plain")},
    )
    with closing(ExtractionPool(TASKS)) as worker:
        found = crawled(site, tmp_path / "worker", WorkerExtractor(worker))
        assert worker.statistics().starts == 1
    assert found == crawled(site, tmp_path / "inline", InlineExtractor())
    assert len(found) == 6
    assert [one["text"] for one in found["/"][4]] == ["x", "x", "x", "a & b"]


def test_a_body_that_crashes_its_reader_is_an_error_of_its_url_alone(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(
        index=page(link("/poison", *(f"/{n}" for n in range(5)))),
        poison=reply(b"...", POISON_TYPE),
        **{f"{n}": page(f"<p>{n}") for n in range(5)},
    )
    with closing(ExtractionPool(FATAL_TASKS)) as worker:
        settings = config(site, tmp_path / "crawl")
        extractor = WorkerExtractor(worker)
        summary = open_crawl(settings, mode="new", extractor=extractor).run()
    assert summary.finish_reason == "done"
    assert endings(tmp_path / "crawl", site) == {
        "/": "page",
        "/poison": "error",
        **{f"/{n}": "page" for n in range(5)},
    }
    (error,) = of(tmp_path / "crawl", "error")
    assert (error["error_code"], error["error_stage"]) == ("extract", "extract")
    assert error["error_message"] == "the extraction process crashed: Killed"
    assert error["attempts"] == 1


@pytest.mark.parametrize("include", [(), ("links",)])
def test_texts_of_links_are_read_where_links_are_written(
    serve: Any, tmp_path: Path, include: Any
) -> None:
    site = serve(index=page("<a href=/1> One\n <b>more</b></a>"), **{"1": page("x")})
    settings = config(site, tmp_path / "c", records=OutputConfig(include=include))
    open_crawl(settings, mode="new").run()
    index = next(
        one for one in of(tmp_path / "c", "page") if one["url"] == site.url("/")
    )
    texts = index["links"] and [one["text"] for one in index["links"]]
    assert texts == (["One more"] if include else None)
