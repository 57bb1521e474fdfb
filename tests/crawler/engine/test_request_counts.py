"""How many requests a crawl has made, by status or error, in its state."""

from __future__ import annotations

from pathlib import Path

from crawler.inspect.requests import request_counts
from crawler.inspect.state import open_state
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import LimitsConfig
from tests.helpers.crawling import config, crawl, link, page
from tests.site.page import reply


def counts(folder: Path) -> dict[str, int]:
    with open_state(folder) as (state, _config):
        return request_counts(state)


def test_each_request_counts_by_its_status(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    site = serve(index=page(link("/a", "/gone", "/busy")), a=page(),
                 busy=reply(status=503), robots=reply("", "text/plain"))  # fmt: skip
    crawl(config(site, tmp_path))
    # The index, /a and robots.txt; /busy has two attempts.
    assert counts(tmp_path) == {"200": 3, "404": 1, "503": 2}


def test_a_request_without_an_answer_counts_by_its_error(
    serve,  # type: ignore[no-untyped-def]
    tmp_path: Path,
) -> None:
    site = serve()
    address = site.base
    site.stop()
    changes = {"seeds": (f"{address}/",), "http": HttpConfig(timeout=5.0)}
    crawl(config(site, tmp_path, **changes))
    assert set(counts(tmp_path)) == {"connect_refused"}


def test_the_counts_go_on_in_a_resume_and_in_a_recrawl(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    site = serve(index=page(link("/a")), a=page())
    crawl(config(site, tmp_path, limits=LimitsConfig(max_pages=1)))
    assert counts(tmp_path) == {"200": 1, "404": 1}  # no robots.txt
    crawl(config(site, tmp_path), mode="resume")
    assert counts(tmp_path) == {"200": 2, "404": 1}
    crawl(config(site, tmp_path), mode="newer")
    assert counts(tmp_path)["200"] == 4
