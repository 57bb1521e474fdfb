"""`orbweb fetch` shows what a crawl writes, field by field, for every page there is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.engine.fetch_url import FetchedUrl, fetch_url
from crawler.engine.page_task import (
    PageOrder,
    PageSettings,
    decode_answer,
    encode,
    order_parts,
    run,
)
from crawler.extract.extractor import InlineExtractor
from crawler.model.config import Config
from crawler.model.content_config import ImagesConfig, OutputConfig
from crawler.model.documents import Page
from crawler.model.policy_config import (
    LimitsConfig,
    PolitenessConfig,
    RetryConfig,
    RobotsConfig,
    ScopeConfig,
)
from crawler.plugins.child import PluginSet
from hub.pool import Pool
from tests.helpers.crawling import records
from tests.site.fixtures import LIMITS
from tests.site.page import reply
from tests.site.pages import PAGES
from tests.site.server import Site

TIMINGS = {
    "fetch_ms", "queue_ms", "dns_ms", "connect_ms", "tls_ms", "ttfb_ms",
    "download_ms", "elapsed_ms",
}  # fmt: skip
"""Two fetches never take the same time."""
OF_THE_RUN = {"run_id", "seq", "ts"}
"""Fetch has no run."""
EXCLUDED = TIMINGS | OF_THE_RUN
SESSION = {"sha256", "links"}
"""The site puts another session id into these pages each time."""
DIFFERS = {
    "/session/0": SESSION,
    "/matrix/0": SESSION,
    "/wide/0": SESSION,
    "/cookieless/(S(0))/item/0": SESSION,
    "/retry-after-date": {"retry_after_s"},  # a moment, so the seconds become fewer
}
"""Fields that differ because the answer does."""
PATHS = [page.path for page in PAGES]


def config_of(url: str, folder: Path, **changes: Any) -> Config:
    """One page; an attempt that fails is the last, since fetch never retries."""
    defaults: dict[str, Any] = {
        "seeds": (url,),
        "dir": str(folder),
        "http": LIMITS,
        "politeness": PolitenessConfig(wait=0.0),
        "retry": RetryConfig(tries=1),
        "limits": LimitsConfig(max_pages=1),
        "images": ImagesConfig(fetch=False),
        "records": OutputConfig(
            record=("skips",), include=("links", "images", "headers")
        ),
    }
    return Config(**(defaults | changes))


def crawled(config: Config) -> list[dict[str, Any]]:
    """The terminal records of a crawl."""
    open_crawl(config, mode="new").run()
    return [
        one for one in records(Path(config.dir)) if one["type"] not in ("schema", "run")
    ]


def comparable(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in EXCLUDED}


def shown(fetched: FetchedUrl) -> dict[str, Any]:
    record = msgspec.json.decode(msgspec.json.encode(fetched.record))
    return comparable(record)


def written(found: Iterable[dict[str, Any]], url: str) -> dict[str, Any]:
    """The one record of a URL."""
    (record,) = (one for one in found if one["url"] == url)
    return comparable(record)


@pytest.fixture(scope="module")
def both(
    running_site: Site, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[list[dict[str, Any]], FetchedUrl]]:
    """What a crawl writes and what fetch shows, by path; each all at once."""
    folder = tmp_path_factory.mktemp("fetched")
    configs = [
        config_of(running_site.base + path, folder / str(number))
        for number, path in enumerate(PATHS)
    ]
    crawls = Pool(16).map(crawled, configs)
    running_site.forget()
    fetches = Pool(16).map(lambda one: fetch_url(one, one.seeds[0]), configs)
    running_site.forget()
    return dict(zip(PATHS, zip(crawls, fetches, strict=True), strict=True))


def matches(path: str, found: list[dict[str, Any]], fetched: FetchedUrl) -> bool:
    """Whether fetch shows what a crawl has written."""
    record, skip = written(found, fetched.record.url), fetched.skip
    if skip is not None and skip.reason == "robots_unavailable":
        # Without robots.txt a crawl makes no request; fetch does, and fails, too.
        # Where there was no connection, both failed for the same reason.
        robots, ours = record["error_message"], shown(fetched)
        return record["error_code"] == ours["error_code"] and (
            robots.startswith("robots.txt: ") or robots == ours["error_message"]
        )
    if skip is not None:  # requested all the same, since a person asked
        return (record["reason"], record["rule"]) == (skip.reason, skip.rule)
    ours = shown(fetched)
    if record.keys() != ours.keys():
        return False
    different = {key for key in record if record[key] != ours[key]}
    return different <= DIFFERS.get(path, set())


@pytest.mark.parametrize("path", PATHS)
def test_fetch_shows_what_a_crawl_writes(
    path: str, both: Any, site: Site, tmp_path: Path
) -> None:
    found, fetched = both[path]
    if not matches(path, found, fetched):  # side by side, some come to their timeout
        config = config_of(site.base + path, tmp_path)
        found = crawled(config)
        site.forget()
        fetched = fetch_url(config, site.base + path)
        assert matches(path, found, fetched), (found, fetched.record)


def test_the_extraction_process_reads_each_page_as_the_crawl_does(both: Any) -> None:
    settings = encode(
        PageSettings(PluginSet((), LimitsConfig().max_links), RobotsConfig())
    )
    read = 0
    for _, fetched in both.values():
        response = fetched.response
        if isinstance(fetched.document, Page) and response is not None:
            if not InlineExtractor().is_page(response):  # it broke off
                continue
            order = PageOrder(settings, response.url, response.status, response.headers)
            result = run(b"".join(order_parts(order, response.body)))
            found = decode_answer(result, None, LimitsConfig().max_links)
            assert found.page == fetched.document
            read += 1
    assert read > 100


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/bytes/200000", {"http": replace(LIMITS, max_body=10_000)}),
        ("/image-numbered/1.png", {"images": ImagesConfig(min_width=5000)}),
        ("/arrived", {"scope": ScopeConfig(rules=("-arrived",))}),
        ("/redirect/12", {}),
    ],
)
def test_under_other_settings_too(
    path: str, changes: dict[str, Any], site: Site, tmp_path: Path
) -> None:
    config = config_of(site.base + path, tmp_path, **changes)
    found = crawled(config)
    site.forget()
    fetched = fetch_url(config, site.base + path)
    assert matches(path, found, fetched), (found, fetched.record)


def test_what_may_not_be_used_for_learning_is_a_skip_in_both(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(index=reply("<p>x", headers=(("X-Robots-Tag", "noai"),)))
    config = config_of(site.url("/"), tmp_path, robots=RobotsConfig(noai=True))
    fetched = fetch_url(config, config.seeds[0])
    assert fetched.record.type == "skip"
    assert matches("/", crawled(config), fetched)


def test_a_file_that_is_cut_is_an_error_in_both(serve: Any, tmp_path: Path) -> None:
    site = serve(index=reply(b"x" * 200_000, "application/zip"))
    limits = replace(LIMITS, max_body=10_000)
    config = config_of(site.url("/"), tmp_path, http=limits)
    found = [one for one in crawled(config) if one["type"] == "error"]
    assert [one["error_code"] for one in found] == ["too_large"]
    assert matches("/", found, fetch_url(config, config.seeds[0]))


def test_what_robots_txt_refuses_is_fetched_and_said(
    site: Site, tmp_path: Path
) -> None:
    config = config_of(site.base + "/private/secret", tmp_path)
    fetched = fetch_url(config, config.seeds[0])
    assert fetched.record.type == "page"
    assert fetched.skip is not None
    assert fetched.skip.reason == "robots"
    site.forget()
    assert crawled(config)[0]["rule"] == fetched.skip.rule


def test_the_document_and_the_exchange_are_there(site: Site, tmp_path: Path) -> None:
    url = site.base + "/arrived"
    fetched = fetch_url(config_of(url, tmp_path), url)
    assert fetched.document is not None
    assert fetched.exchange is not None
    assert fetched.exchange.url == url
    assert fetched.exchange.response == fetched.response


def test_a_redirect_is_followed_and_each_hop_has_its_record(both: Any) -> None:
    found, fetched = both["/redirect/3"]
    hops = [one["url"] for one in found if one["type"] == "redirect"]
    assert [hop.url for hop in fetched.record.redirects] == hops
    assert len(hops) == 3
