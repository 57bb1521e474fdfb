"""`scope.dedupe_content`: identical content under several URLs is recorded once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.inspect.explain import explain
from crawler.inspect.state import open_state
from crawler.inspect.status import read_status
from crawler.model.config import Config
from crawler.model.content_config import OutputConfig
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import LimitsConfig, ScopeConfig
from crawler.workspace.open import stored_config
from tests.helpers.crawling import (
    HASTY,
    config,
    crawl,
    endings,
    link,
    page,
    picture,
    png,
    serve,
)
from tests.site.page import reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

ONE_AT_A_TIME = replace(HASTY, per_host=1)


def once(site: Site, folder: Path, **changes: Any) -> Config:
    changes = {
        "scope": ScopeConfig(dedupe_content=True),
        "politeness": ONE_AT_A_TIME,
    } | changes
    return config(site, folder, records=OutputConfig(record=("skips",)), **changes)


@pytest.fixture
def twins(serve: Any) -> Site:
    """/a, /b/ and /c are the same page; its relative link differs from /b/."""
    same = page("<p>the same", link("further"))
    return serve(
        index=page(link("/a", "/b/", "/c", "/one.txt", "/other.txt")),
        a=same,
        b=lambda exchange: further(exchange) if exchange.args[0] else same(exchange),
        c=same,
        further=page("<p>of the root"),
        **{
            "one.txt": reply(b"a file", "text/plain"),
            "other.txt": reply(b"a file", "text/plain"),
        },
    )


def further(exchange: Exchange) -> None:
    exchange.reply("<title>x</title><p>of the folder")


def test_the_second_one_is_a_skip_that_names_the_first(
    twins: Site, tmp_path: Path
) -> None:
    crawl(once(twins, tmp_path))
    found = endings(tmp_path, twins)
    assert found == {
        "/": "page",
        "/a": "page",
        "/b/": "skip",
        "/c": "skip",
        "/one.txt": "file",
        "/other.txt": "skip",
        "/further": "page",
        "/b/further": "page",  # a double's links are followed: they lead elsewhere
    }
    with open_state(tmp_path) as (state, stored):
        answer = explain(state, stored, twins.url("/c"), 0.0)
    assert answer.answer == (
        "skipped: duplicate_content, by scope.dedupe_content: "
        f"the same bytes as {twins.url('/a')}"
    )
    assert answer.known is not None
    assert answer.known.attempts == 1


def test_it_is_off_by_default(twins: Site, tmp_path: Path) -> None:
    crawl(config(twins, tmp_path))
    assert "skip" not in endings(tmp_path, twins).values()


def test_the_first_one_is_remembered_by_a_resume(twins: Site, tmp_path: Path) -> None:
    crawl(once(twins, tmp_path, limits=LimitsConfig(max_pages=2)))
    assert endings(tmp_path, twins) == {"/": "page", "/a": "page"}
    open_crawl(
        replace(stored_config(tmp_path), limits=LimitsConfig()), mode="resume"
    ).run()
    assert endings(tmp_path, twins)["/c"] == "skip"


def test_what_is_empty_cut_off_or_a_picture_is_no_double(
    serve: Any, tmp_path: Path
) -> None:
    long = page("<p>" + "x" * 5000)
    site = serve(
        index=page(link("/e1", "/e2", "/l1", "/l2"), picture("/i1.png", "/i2.png")),
        e1=reply(b""),
        e2=reply(b""),
        l1=long,
        l2=long,
        **{"i1.png": reply(png(), "image/png"), "i2.png": reply(png(), "image/png")},
    )
    crawl(once(site, tmp_path, http=HttpConfig(max_body=4000)))
    assert "skip" not in endings(tmp_path, site).values()


def test_a_double_counts_as_a_page_fetched_and_not_as_a_page(
    twins: Site, tmp_path: Path
) -> None:
    summary = crawl(once(twins, tmp_path, limits=LimitsConfig(max_pages=3)))
    assert (summary.finish_reason, summary.counts["page"]) == ("limit_pages", 2)
    status = read_status(tmp_path / "state")
    assert status is not None
    assert status.reasons["skip"] == {"duplicate_content": 1}
