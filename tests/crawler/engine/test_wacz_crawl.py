"""Whole crawls with `--wacz`: the file, made again by each run, as others read it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.engine.crawl import Crawl
from crawler.model.content_config import OutputConfig, WarcConfig
from crawler.model.errors import OutputError
from crawler.model.policy_config import LimitsConfig
from tests.helpers.crawling import config, crawl, link, page, picture, png, serve
from tests.helpers.paths import PROGRAM
from tests.helpers.waczs import read_wacz, validate
from tests.site.page import reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

WACZ = WarcConfig(wacz=True, prefix="News", max_size=2_000)
TEXT = "<h1>A page</h1><p>It has a paragraph, which is long enough to be its text.</p>"


def pages(serve: Any, **more: Any) -> Site:
    those = {
        "index": page(link("/a", "/b", "/missing"), picture("/p.png"), TEXT),
        "a": page(link("/c"), "<p>a"),
        "b": page("<p>b"),
        "c": page("<p>c"),
        "p.png": reply(png(), "image/png"),
    }
    site: Site = serve(**(those | more))
    return site


def paths(urls: list[str], site: Site) -> list[str]:
    return [url.removeprefix(site.base) for url in urls]


ALL = ["/", "/a", "/b", "/c", "/missing", "/p.png", "/robots.txt"]


def test_it_holds_the_archive_its_index_and_the_pages(
    serve: Any, tmp_path: Path
) -> None:
    site = pages(serve)
    text = OutputConfig(include=("text",))
    crawl(config(site, tmp_path / "c", warc=WACZ, records=text, name="My news"))
    packed = read_wacz(tmp_path / "c" / "News.wacz")
    assert paths(packed.urls, site) == ALL
    assert packed.warcs == {
        file.name: file.read_bytes()
        for file in (tmp_path / "c" / "warc").glob("*.warc.gz")
    }
    assert len(packed.warcs) > 1
    assert packed.about["title"] == "My news"
    assert packed.about["wacz_version"] == "1.1.1"
    assert packed.about["mainPageUrl"] == site.url("/")
    assert packed.header["format"] == "json-pages-1.0"
    assert packed.header["hasText"] is True
    assert paths([one["url"] for one in packed.pages], site)[0] == "/"
    assert {one["url"].removeprefix(site.base) for one in packed.pages} == {
        "/", "/a", "/b", "/c",
    }  # fmt: skip
    assert {one["title"] for one in packed.pages} == {"A page"}
    assert "It has a paragraph" in packed.pages[0]["text"]
    assert len({one["id"] for one in packed.pages}) == 4
    validate(tmp_path / "c" / "News.wacz")


def test_it_is_made_again_by_a_resume_and_by_a_recrawl(
    serve: Any, tmp_path: Path
) -> None:
    def sometimes(exchange: Exchange) -> None:
        exchange.reply(os.urandom(20).hex())

    site = pages(serve, b=sometimes)
    whole = config(site, tmp_path / "c", warc=WACZ)
    target = tmp_path / "c" / "News.wacz"
    crawl(replace(whole, limits=LimitsConfig(max_pages=1)))
    first = read_wacz(target)
    assert 2 <= len(first.urls) < len(ALL)
    assert len(first.pages) == 1
    crawl(whole, "resume")
    assert paths(read_wacz(target).urls, site) == ALL
    crawl(whole, "newer")
    after = read_wacz(target)
    assert paths(after.urls, site) == sorted(ALL + ALL[:-1])
    assert len(after.pages) == 8
    assert sorted(path.name for path in target.parent.glob("*.wacz*")) == [target.name]


def test_a_crawl_without_a_file_of_records_has_the_pages_of_the_index(
    serve: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    site = pages(serve)
    crawl(config(site, tmp_path / "c", warc=WACZ, output=("-",)))
    packed = read_wacz(tmp_path / "c" / "News.wacz")
    found = sorted(one["url"] for one in packed.pages)
    assert paths(found, site) == ["/", "/a", "/b", "/c"]
    assert all(one["ts"].endswith("Z") for one in packed.pages)
    assert packed.header["hasText"] is False


def test_a_finished_crawl_with_warc_files_is_packed_by_a_resume(
    serve: Any, tmp_path: Path
) -> None:
    site = pages(serve)
    folder = tmp_path / "c"
    crawl(config(site, folder, warc=WarcConfig(write=True)))
    resume = [*PROGRAM, "resume", str(folder), "--wacz", "-q"]
    subprocess.run(resume, check=True, timeout=300)
    assert paths(read_wacz(folder / "c.wacz").urls, site) == ALL


def test_a_run_that_a_signal_ends_leaves_the_file_of_before(
    serve: Any, tmp_path: Path
) -> None:
    site = pages(serve)
    settings = config(site, tmp_path / "c", warc=WACZ)
    crawl(settings)
    before = (tmp_path / "c" / "News.wacz").read_bytes()
    again = open_crawl(settings, mode="newer")
    again.interrupt(signal.SIGTERM)
    again.run()
    assert (tmp_path / "c" / "News.wacz").read_bytes() == before


def test_a_signal_ends_the_packing(serve: Any, tmp_path: Path) -> None:
    """It comes when the last record is written, before the file is."""
    crawls: list[Crawl] = []

    class Interrupting:
        def write(self, records: Sequence[Any]) -> None:
            if any(getattr(one, "event", "") == "finished" for one in records):
                crawls[0].interrupt(signal.SIGTERM)

        def flush(self) -> None:
            return None

        def close(self) -> None:
            pass

    settings = config(pages(serve), tmp_path / "c", warc=WACZ)
    sinks = {"interrupting": lambda _: Interrupting()}
    crawls.append(open_crawl(settings, mode="new", further_sinks=sinks))
    crawls[0].run()
    assert not list((tmp_path / "c").glob("*.wacz*"))


def test_a_file_that_cannot_be_written_is_said(serve: Any, tmp_path: Path) -> None:
    site = pages(serve)
    (tmp_path / "c" / "News.wacz").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"News\.wacz"):
        crawl(config(site, tmp_path / "c", warc=WACZ))
    assert not list((tmp_path / "c").glob("*.new"))


def test_fresh_removes_it(serve: Any, tmp_path: Path) -> None:
    site = pages(serve)
    settings = config(site, tmp_path / "c", warc=WACZ)
    crawl(settings)
    open_crawl(settings, mode="fresh").held.close()
    assert not list((tmp_path / "c").glob("*.wacz"))
