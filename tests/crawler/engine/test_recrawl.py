"""A recrawl: changed pages are fetched, the others are only revalidated."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.model.config import Config
from crawler.model.content_config import ImagesConfig, OutputConfig
from crawler.model.errors import UsageError
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import LimitsConfig, RobotsConfig, ScopeConfig
from crawler.workspace.open import stored_config
from tests.helpers.crawling import (
    TERMINAL,
    config,
    crawl,
    link,
    page,
    picture,
    png,
    records,
    serve,
)
from tests.site.page import reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

LONG_AGO = "Wed, 01 Jan 2025 00:00:00 GMT"


class Version:
    """A page with validators, which can be given another body."""

    def __init__(
        self, body: str | bytes, content_type: str = "text/html", **validators: str
    ):
        self.body = body
        self.content_type = content_type
        self.validators = validators or {"etag": '"1"'}

    def __call__(self, exchange: Exchange) -> None:
        asked, own = exchange.hit.headers, self.validators
        headers = list(own.items())
        same = asked.get("if-none-match", own.get("etag", "?")) == own.get("etag", "?")
        if "if-none-match" not in asked:
            same = (
                "last-modified" in own
                and asked.get("if-modified-since") == own["last-modified"]
            )
        if same:
            exchange.reply(status=304, headers=headers)
        else:
            exchange.reply(self.body, self.content_type, headers=headers)


def of_run(folder: Path, number: int = -1) -> dict[str, dict[str, Any]]:
    """The terminal records of one of the runs in the stream, by path; each URL once."""
    found = [record for record in records(folder) if record["type"] != "schema"]
    runs = list(dict.fromkeys(record["run_id"] for record in found))
    ended = [r for r in found if r["run_id"] == runs[number] and r["type"] in TERMINAL]
    by_path = {"/" + record["url"].split("/", 3)[3]: record for record in ended}
    assert len(by_path) == len(ended)
    return by_path


def told(folder: Path) -> dict[str, tuple[str, int, str | None, str | None]]:
    return {
        path: (r["type"], r["status"], r.get("from_cache"), r.get("changed"))
        for path, r in of_run(folder).items()
    }


def conditions(site: Site) -> dict[str, tuple[str | None, str | None]]:
    return {
        hit.target: (
            hit.headers.get("if-none-match"),
            hit.headers.get("if-modified-since"),
        )
        for hit in site.log
    }


@pytest.fixture
def site(serve: Any) -> Site:
    made: Site = serve(
        index=Version(
            "<title>Home</title><meta name=description content=d><html lang=de>"
            + link("/plain", "/moved", "/gone", "/paper", "/secret", "/dated")
            + picture("/red", "/copy")
        ),
        plain=page("one"),
        moved=reply(status=301, headers=(("Location", "/target"),)),
        target=Version("<title>T</title>" + link("/deep")),
        deep=page("deep"),
        gone=reply(status=404),
        paper=Version(b"%PDF-1.4", "application/pdf", etag='W/"p"'),
        dated=Version("<title>D</title>", **{"last-modified": LONG_AGO}),
        red=Version(png(), "image/png"),
        copy=Version(png(), "image/png"),
        robots=reply("User-agent: *\nDisallow: /secret\n", "text/plain"),
    )
    return made


def test_a_first_crawl_compares_itself_with_nothing(site, tmp_path):
    for mode in ("new", "newer"):  # where there is no crawl, -N begins one
        summary = crawl(config(site, tmp_path / mode), mode)
        assert (summary.exit_code, summary.changes) == (0, {})
        assert {r.get("changed") for r in of_run(tmp_path / mode).values()} == {None}
        assert {
            r["recrawl_of"] for r in records(tmp_path / mode) if r["type"] == "run"
        } == {None}


def test_what_has_not_changed_is_not_sent_again(site, tmp_path):
    crawl(config(site, tmp_path))
    first = of_run(tmp_path)
    site.forget()
    summary = crawl(config(site, tmp_path), "newer")
    assert told(tmp_path) == {
        "/": ("page", 304, "not_modified", "unchanged"),
        "/plain": ("page", 200, "miss", "unchanged"),
        "/moved": ("redirect", 301, "miss", "unchanged"),
        "/target": ("page", 304, "not_modified", "unchanged"),
        "/deep": ("page", 200, "miss", "unchanged"),
        "/gone": ("error", 404, None, None),
        "/paper": ("file", 304, "not_modified", "unchanged"),
        "/dated": ("page", 304, "not_modified", "unchanged"),
        "/red": ("image", 304, "not_modified", "unchanged"),
        "/copy": ("image", 304, "not_modified", "unchanged"),
    }
    assert conditions(site) == {
        "/": ('"1"', None),
        "/plain": (None, None),
        "/moved": (None, None),
        "/target": ('"1"', None),
        "/deep": (None, None),
        "/gone": (None, None),
        "/paper": ('W/"p"', None),
        "/dated": (None, LONG_AGO),
        "/red": ('"1"', None),
        "/copy": ('"1"', None),
    }
    assert (summary.exit_code, summary.changes) == (0, {"unchanged": 9})
    # What a 304 does not say is in its record all the same.
    same = (
        "url", "url_id", "host", "parent_url", "link_kind", "depth", "seed_url",
        "content_type", "charset", "charset_source", "lang", "title", "description",
        "links_count", "images_count", "sha256", "etag", "last_modified", "body_bytes",
        "path", "format", "width", "height", "frames", "animated", "alt", "page_url",
        "redirects", "location", "dup_of",
    )  # fmt: skip
    again = of_run(tmp_path)
    for path, record in again.items():
        for name in same:
            assert record.get(name) == first[path].get(name), (path, name)
    assert again["/"]["title"] == "Home"
    assert (again["/"]["lang"], again["/"]["links_count"]) == ("de", 6)
    assert (again["/"]["wire_bytes"], again["/"]["body_bytes"]) == (
        0,
        first["/"]["body_bytes"],
    )
    pictures = [again["/red"], again["/copy"]]
    assert {p["source"] for p in pictures if p["dup_of"] is None} == {"existing"}


def test_the_stream_tells_the_crawls_apart(site, tmp_path):
    for mode in ("new", "newer", "newer"):
        crawl(config(site, tmp_path), mode)
    found = records(tmp_path)
    assert found[0]["type"] == "schema"
    assert [record["seq"] for record in found[1:]] == list(range(1, len(found)))
    runs = [
        (record["run_id"], record["recrawl_of"])
        for record in found
        if record["type"] == "run"
    ]
    ids = list(dict.fromkeys(run_id for run_id, _ in runs))
    assert list(dict.fromkeys(runs)) == list(zip(ids, [None, *ids], strict=False))
    assert (
        of_run(tmp_path, 0).keys()
        == of_run(tmp_path, 1).keys()
        == of_run(tmp_path, 2).keys()
    )


def test_what_has_changed_is_fetched_and_its_links_are_followed(site, tmp_path):
    crawl(config(site, tmp_path))
    old = of_run(tmp_path)["/red"]["path"]
    site.pages |= {
        "": Version("<title>New</title>" + link("/young"), etag='"2"'),
        "young": page("young"),
        "plain": page("two"),
        "moved": reply(status=301, headers=(("Location", "/deep"),)),
        "paper": Version("<title>no paper</title>", etag='"p2"'),
        "red": Version(png(9, 9), "image/png", etag='"2"'),
        "gone": page("back"),
        "target": reply(status=410),
    }
    summary = crawl(config(site, tmp_path), "newer")
    assert told(tmp_path) == {
        "/": ("page", 200, "miss", "changed"),
        "/young": ("page", 200, "miss", "new"),
        "/plain": ("page", 200, "miss", "changed"),
        "/moved": ("redirect", 301, "miss", "changed"),
        "/target": ("error", 410, None, None),
        "/deep": ("page", 200, "miss", "unchanged"),
        "/gone": ("page", 200, "miss", "new"),
        "/paper": ("page", 200, "miss", "changed"),
        "/dated": ("page", 304, "not_modified", "unchanged"),
        "/red": ("image", 200, "miss", "changed"),
        "/copy": ("image", 304, "not_modified", "unchanged"),
    }
    assert summary.changes == {"new": 2, "changed": 5, "unchanged": 3}
    now = of_run(tmp_path)
    assert (tmp_path / now["/red"]["path"]).read_bytes() == png(9, 9)
    assert (tmp_path / old).read_bytes() == png()  # an earlier record speaks of it
    assert now["/copy"]["path"] == old


def test_a_picture_that_has_changed_is_nobodys_original(site, tmp_path):
    one_by_one = config(site, tmp_path, concurrency=1)
    crawl(one_by_one)
    first = of_run(tmp_path)
    assert first["/copy"]["dup_of"] == first["/red"]["url"]
    site.pages["red"] = Version(png(9, 9), "image/png", etag='"2"')
    crawl(one_by_one, "newer")
    now = of_run(tmp_path)
    assert (now["/copy"]["dup_of"], now["/copy"]["path"]) == (
        None,
        first["/red"]["path"],
    )
    site.pages["red"] = site.pages["copy"]
    crawl(one_by_one, "newer")
    assert of_run(tmp_path)["/red"]["dup_of"] == now["/copy"]["url"]


def test_an_error_in_between_forgets_nothing(site, tmp_path):
    crawl(config(site, tmp_path))
    good = site.pages["target"]
    site.pages["target"] = reply(status=404)
    crawl(config(site, tmp_path), "newer")
    site.pages["target"] = good
    crawl(config(site, tmp_path), "newer")
    assert told(tmp_path)["/target"] == ("page", 304, "not_modified", "unchanged")


@pytest.mark.parametrize("change", [Path.unlink, lambda path: os.truncate(path, 9)])
def test_a_picture_whose_file_is_gone_or_cut_comes_again(site, tmp_path, change):
    one_by_one = config(site, tmp_path, concurrency=1)
    crawl(one_by_one)
    path = of_run(tmp_path)["/red"]["path"]
    change(tmp_path / path)
    site.forget()
    crawl(one_by_one, "newer")
    record = of_run(tmp_path)["/red"]
    assert (record["status"], record["changed"], record["path"]) == (
        200,
        "unchanged",
        path,
    )
    assert record["source"] == "new"
    assert (tmp_path / path).read_bytes() == png()
    assert conditions(site)["/red"] == (None, None)


def test_a_304_about_another_version_is_not_believed(site, tmp_path):
    crawl(config(site, tmp_path))

    def muddled(exchange: Exchange) -> None:
        if "if-none-match" in exchange.hit.headers:
            exchange.reply(status=304, headers=[("ETag", '"other"')])
        else:
            exchange.reply("<title>other</title>", headers=[("ETag", '"other"')])

    site.pages["target"] = muddled
    site.forget()
    crawl(config(site, tmp_path), "newer")
    record = of_run(tmp_path)["/target"]
    assert (record["status"], record["changed"], record["attempts"]) == (
        200,
        "changed",
        2,
    )
    asked = [hit.headers.get("if-none-match") for hit in site.hits("/target")]
    assert asked == ['"1"', None]


def test_a_304_that_nobody_asked_for_is_an_error(site, tmp_path):
    site.pages["plain"] = reply(status=304)
    crawl(config(site, tmp_path))
    record = of_run(tmp_path)["/plain"]
    assert (record["type"], record["error_code"], record["status"]) == (
        "error",
        "protocol",
        304,
    )


def test_a_date_of_the_same_second_is_no_validator(site, tmp_path):
    """A page may have changed again within that second, without a trace."""
    now = formatdate(time.time(), usegmt=True)
    site.pages["dated"] = Version("x", **{"last-modified": now, "date": now})
    crawl(config(site, tmp_path))
    site.forget()
    crawl(config(site, tmp_path), "newer")
    assert conditions(site)["/dated"] == (None, None)
    assert told(tmp_path)["/dated"] == ("page", 200, "miss", "unchanged")


def test_a_304_may_bring_another_validator(site, tmp_path):
    subject = Version("x", etag='W/"1"', **{"last-modified": LONG_AGO})
    site.pages["target"] = subject
    crawl(config(site, tmp_path))
    newer = {"etag": '"1"', "last-modified": LONG_AGO}

    def better(exchange: Exchange) -> None:
        exchange.reply(status=304, headers=[("ETag", '"1"')])

    site.pages["target"] = better
    crawl(config(site, tmp_path), "newer")
    assert of_run(tmp_path)["/target"]["etag"] == '"1"'
    assert of_run(tmp_path)["/target"]["last_modified"] == LONG_AGO
    site.pages["target"] = Version("x", **newer)
    site.forget()
    crawl(config(site, tmp_path), "newer")
    assert conditions(site)["/target"] == ('"1"', LONG_AGO)


READINGS: dict[str, Callable[[Config], Config]] = {
    "user_agent": lambda c: replace(c, http=replace(c.http, user_agent="other")),
    "headers": lambda c: replace(
        c, http=replace(c.http, headers={"Accept-Language": "de"})
    ),
    "max_body": lambda c: replace(c, http=replace(c.http, max_body=99_999)),
    "nofollow": lambda c: replace(c, robots=RobotsConfig(nofollow="link")),
    "strip_params": lambda c: replace(c, scope=ScopeConfig(strip_params=("x",))),
    "max_links": lambda c: replace(c, limits=LimitsConfig(max_links=3)),
    "images": lambda c: replace(c, images=ImagesConfig(fetch=False)),
}


@pytest.mark.parametrize("name", READINGS)
def test_what_would_be_read_otherwise_today_is_asked_for_whole(site, tmp_path, name):
    crawl(config(site, tmp_path))
    site.forget()
    crawl(READINGS[name](config(site, tmp_path)), "newer")
    asked = conditions(site)
    if name not in ("user_agent", "headers", "max_body"):
        for picture in ("/red", "/copy"):  # saved, so that they are extracted again
            asked[picture] = None, None
    assert set(asked.values()) == {(None, None)}
    assert {r["changed"] for r in of_run(tmp_path).values() if "changed" in r} == {
        "unchanged"
    }


def test_how_fast_and_how_long_has_no_say_in_that(site, tmp_path):
    crawl(config(site, tmp_path))
    site.forget()
    other = config(site, tmp_path, concurrency=2, http=HttpConfig(timeout=9.0),
                   records=OutputConfig(record=("robots",)))  # fmt: skip
    crawl(other, "newer")
    assert conditions(site)["/"] == ('"1"', None)


def test_a_scope_that_has_grown_or_shrunk(site, tmp_path):
    skips = OutputConfig(record=("skips",))
    shallow = config(site, tmp_path, scope=ScopeConfig(depth=1), records=skips)
    crawl(replace(shallow, scope=ScopeConfig(depth=0)))
    assert Counter(r["type"] for r in of_run(tmp_path).values()) == {
        "page": 1, "image": 2, "skip": 6,
    }  # fmt: skip
    crawl(shallow, "newer")
    first = of_run(tmp_path)
    assert (first["/plain"]["type"], first["/deep"]["rule"]) == (
        "page",
        "scope.depth: 1",
    )
    assert first["/secret"]["reason"] == "robots"
    crawl(replace(shallow, scope=ScopeConfig(rules=("-/plain", "-/red"))), "newer")
    second = of_run(tmp_path)
    assert second["/plain"]["rule"] == "scope.rules[0]: -/plain"
    assert second["/red"]["rule"] == "scope.rules[1]: -/red"
    assert (second["/deep"]["type"], second["/deep"]["changed"]) == ("page", "new")
    crawl(shallow, "newer")
    third = of_run(tmp_path)
    assert third["/plain"]["type"] == "page"
    assert third["/plain"]["changed"] == "unchanged"
    assert third["/deep"]["reason"] == "depth"


def test_more_seeds(site, tmp_path):
    crawl(config(site, tmp_path, "/deep", scope=ScopeConfig(within="page")))
    both = config(site, tmp_path, seeds=(site.url("/deep"), site.url("/plain")),
                  scope=ScopeConfig(within="page"))  # fmt: skip
    crawl(both, "newer")
    assert told(tmp_path) == {
        "/deep": ("page", 200, "miss", "unchanged"),
        "/plain": ("page", 200, "miss", "new"),
    }


def test_a_stopped_crawl_may_be_crawled_again_too(site, tmp_path):
    few = config(site, tmp_path, limits=LimitsConfig(max_pages=2))
    crawl(few)
    fetched = {
        path for path, record in of_run(tmp_path).items() if record["type"] != "error"
    }
    assert len(fetched) < 9
    crawl(config(site, tmp_path), "newer")
    again = {
        path: r["changed"]
        for path, r in of_run(tmp_path).items()
        if r["type"] != "error"
    }
    assert again == {path: "unchanged" if path in fetched else "new" for path in again}
    assert len(again) == 9


def test_limits_count_pages_that_have_not_changed(site, tmp_path):
    crawl(config(site, tmp_path))
    summary = crawl(config(site, tmp_path, limits=LimitsConfig(max_pages=2)), "newer")
    assert (summary.finish_reason, summary.counts["page"]) == ("limit_pages", 2)
    crawl(stored_config(tmp_path), "resume")
    assert summary.counts["page"] == 2
    crawl(config(site, tmp_path, limits=LimitsConfig(max_pages_per_host=3)), "newer")
    kinds = Counter(r["type"] for r in of_run(tmp_path).values())
    assert kinds["page"] == 3
    small = config(site, tmp_path, images=ImagesConfig(min_width=5))
    crawl(replace(small, records=OutputConfig(record=("skips",))), "newer")
    assert of_run(tmp_path)["/red"]["reason"] == "filter_dimensions"


def test_a_known_page_is_no_trap(serve, tmp_path):
    """An archive whose pages answer 304 is requested all the same."""

    def entry(exchange: Exchange) -> None:
        number = int(exchange.arg("0"))
        following = link(f"/archive/{number + 1}") if number < 120 else ""
        Version(
            f"<p>entry {'abcdefghij'[number % 10] * (number // 10 + 1)}" + following
        )(exchange)

    site = serve(index=page(link("/archive/0")), archive=entry)
    crawl(config(site, tmp_path))
    first = of_run(tmp_path)
    assert len(first) == 122
    crawl(config(site, tmp_path), "newer")
    assert of_run(tmp_path).keys() == first.keys()
    assert (
        Counter(r["from_cache"] for r in of_run(tmp_path).values())["not_modified"]
        == 121
    )


def test_a_trap_that_was_cut_is_asked_for_what_it_gave(serve, tmp_path):
    """Its former pages are requested again; a template that was cut stays cut."""

    def month(exchange: Exchange) -> None:
        Version("<p>Nothing this month" + link(f"/month/{int(exchange.arg('0')) + 1}"))(
            exchange
        )

    site = serve(index=page(link("/month/0")), month=month)
    skips = config(site, tmp_path, records=OutputConfig(record=("skips",)))
    crawl(skips)
    first = of_run(tmp_path)
    assert {
        record["reason"] for record in first.values() if record["type"] == "skip"
    } == {"trap"}
    site.forget()
    crawl(skips, "newer")
    again = of_run(tmp_path)
    kinds = {path: record["type"] for path, record in first.items()}
    assert {path: record["type"] for path, record in again.items()} == kinds
    pages = [path for path, kind in kinds.items() if kind == "page"]
    assert sorted(hit.target for hit in site.log) == sorted(pages)


def test_doubles_stay_doubles_until_they_differ(serve, tmp_path):
    twins = {name: Version("<p>the same") for name in ("a", "b")}
    site = serve(index=page(link("/a", "/b")), **twins)
    once = config(site, tmp_path, concurrency=1, scope=ScopeConfig(dedupe_content=True),
                  records=OutputConfig(record=("skips",)))  # fmt: skip
    crawl(once)
    for _ in range(2):
        crawl(once, "newer")
        found = of_run(tmp_path)
        assert (found["/a"]["type"], found["/a"]["status"]) == ("page", 304)
        assert found["/b"]["reason"] == "duplicate_content"
    site.pages["a"] = Version("<p>another", etag='"2"')
    crawl(once, "newer")
    found = of_run(tmp_path)
    assert found["/a"]["changed"] == "changed"
    assert (found["/b"]["type"], found["/b"]["changed"]) == ("page", "unchanged")


def test_records_may_be_moved_away_in_between(site, tmp_path):
    crawl(config(site, tmp_path))
    (tmp_path / "records.jsonl").rename(tmp_path / "yesterday.jsonl")
    crawl(config(site, tmp_path), "newer")
    found = records(tmp_path)
    assert found[0]["type"] == "schema"
    assert len({record["run_id"] for record in found[1:]}) == 1
    assert len(of_run(tmp_path)) == 10


def test_records_may_go_elsewhere(site, tmp_path):
    crawl(config(site, tmp_path / "c"))
    other = tmp_path / "other.jsonl"
    crawl(config(site, tmp_path / "c", output=(str(other),)), "newer")
    lines = other.read_text().splitlines()
    assert len(lines) == 13
    other.write_text(other.read_text() + "mine\n")
    with pytest.raises(UsageError, match="is not what the crawl before has written"):
        crawl(
            config(
                site, tmp_path / "c", output=(str(tmp_path / "c" / "records.jsonl"),)
            ),
            "newer",
        )


def test_cookies_and_robots_are_remembered(site, tmp_path):
    crawl(config(site, tmp_path))
    site.forget()
    crawl(config(site, tmp_path), "newer")
    assert site.hits("/robots.txt") == []  # it is not a day old


def test_a_refused_start_changes_nothing(site, tmp_path):
    crawl(config(site, tmp_path))
    before = (tmp_path / "records.jsonl").read_bytes()
    opened = open_crawl(config(site, tmp_path), mode="newer")
    opened.held.close()  # killed before anything was committed but the start
    assert (tmp_path / "records.jsonl").read_bytes() == before
    summary = crawl(stored_config(tmp_path), "resume")
    assert summary.counts["queued"] == 0
