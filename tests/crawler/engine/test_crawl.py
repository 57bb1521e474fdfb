"""Whole crawls in this process, against small sites on blocking sockets."""

from __future__ import annotations

import signal
import time
from collections import Counter

import pytest
from msgspec.structs import replace

import hub
from crawler.engine.builder import Crawl, open_crawl
from crawler.model.content_config import ImagesConfig, OutputConfig
from crawler.model.errors import OutputError, StateError, UsageError
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import LimitsConfig, RobotsConfig, ScopeConfig
from crawler.workspace.open import stored_config
from tests.helpers.crawling import (
    HASTY,
    config,
    crawl,
    endings,
    link,
    of,
    page,
    picture,
    png,
    records,
)
from tests.site.page import reply
from tests.site.server import Exchange


def test_each_kind_of_url_ends_in_its_record(serve, tmp_path):
    site = serve(
        robots=reply("User-agent: *\nDisallow: /secret\n", "text/plain"),
        index=page(
            link("/next", "/moved", "/gone", "/secret", "/paper", "mailto:a@b", "#top"),
            link("http://elsewhere.invalid/"),
            picture("/a_png", "/broken"),
        ),
        next=page(link("/"), picture("/a_png", "/copy")),
        moved=reply(status=301, headers=(("Location", "/target"),)),
        target=page(),
        gone=reply(status=404),
        secret=page(),
        paper=reply(b"%PDF-1.4", "application/pdf"),
        a_png=reply(png(), "image/png"),
        copy=reply(png(), "image/png"),
        broken=reply(b"no picture", "image/png"),
    )
    summary = crawl(
        config(site, tmp_path, records=OutputConfig(record=("skips", "robots")))
    )
    assert (summary.exit_code, summary.finish_reason) == (0, "done")
    assert endings(tmp_path, site) == {
        "/": "page",
        "/next": "page",
        "/moved": "redirect",
        "/target": "page",
        "/gone": "error",
        "/secret": "skip",
        "/paper": "file",
        "/a_png": "image",
        "/copy": "image",
        "/broken": "error",
        "http://elsewhere.invalid/": "skip",
    }
    assert site.hits("/secret") == []
    assert max(Counter(hit.target for hit in site.log).values()) == 1
    by_path = {
        r["url"].removeprefix(site.base): r for r in records(tmp_path) if "url" in r
    }
    assert by_path["/secret"]["rule"] == "robots.txt:2 Disallow: /secret"
    assert by_path["http://elsewhere.invalid/"]["rule"] == "scope.within: host"
    assert by_path["/gone"]["error_code"] == "status_4xx"
    assert by_path["/broken"]["error_code"] == "image_decode"
    assert by_path["/target"]["redirects"] == [
        {"url": site.url("/moved"), "status": 301}
    ]
    assert by_path["/moved"]["location"] == site.url("/target")
    assert by_path["/"]["new_links_count"] == 7
    assert by_path["/robots.txt"]["policy"] == "parsed"


def test_a_picture_is_on_disk_once_and_byte_for_byte(serve, tmp_path):
    site = serve(
        index=page(picture("/one", "/two"), link("/one")),
        one=reply(png(7, 5), "image/png"),
        two=reply(png(7, 5), "image/png"),
    )
    crawl(config(site, tmp_path))
    first, second = sorted(of(tmp_path, "image"), key=lambda record: record["seq"])
    assert (first["width"], first["height"], first["format"]) == (7, 5, "png")
    assert first["alt"] == "a picture"
    assert first["page_url"] == site.url("/")
    assert first["dup_of"] is None
    assert second["dup_of"] == first["url"]
    assert second["path"] == first["path"]
    files = [path for path in (tmp_path / "images").rglob("*") if path.is_file()]
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [first["path"]]
    assert files[0].read_bytes() == png(7, 5)


def test_the_stream_keeps_its_rules(serve, tmp_path):
    site = serve(index=page(link("/a", "/b")), a=page(), b=page())
    crawl(config(site, tmp_path))
    schema, *rest = records(tmp_path)
    assert schema["type"] == "schema"
    assert [record["type"] for record in rest if record["type"] == "run"] == [
        "run",
        "run",
    ]
    assert [record["event"] for record in (rest[0], rest[-1])] == [
        "started",
        "finished",
    ]
    sequence = [record["seq"] for record in rest]
    assert sequence == sorted(set(sequence))
    assert len({record["run_id"] for record in rest}) == 1
    assert rest[-1]["pages"] == 3
    assert rest[-1]["exit_code"] == 0
    keys = {record["type"]: set(record) for record in rest}
    assert all(set(record) == keys[record["type"]] for record in rest)


def test_the_number_of_pages_is_exact_and_their_pictures_come(serve, tmp_path):
    def endless(exchange: Exchange) -> None:
        n = int(exchange.arg("0"))
        exchange.reply(
            f'<a href="/n/{2 * n + 1}">x</a><a href="/n/{2 * n + 2}">x</a><img src=/p>'
        )

    site = serve(n=endless, p=reply(png(), "image/png"))
    start = config(site, tmp_path, "/n/0", limits=LimitsConfig(max_pages=10))
    summary = crawl(start)
    assert (summary.finish_reason, summary.exit_code) == ("limit_pages", 0)
    assert (summary.counts["page"], summary.counts["image"]) == (10, 1)
    more = replace(stored_config(tmp_path), limits=LimitsConfig(max_pages=15))
    assert crawl(more, "resume").counts["page"] == 15
    assert len(endings(tmp_path, site)) == 16


def test_the_pictures_of_the_last_page_come_too(serve, tmp_path):
    site = serve(
        index=page(picture("/a", "/b", "/c"), link("/next")),
        next=page(),
        a=reply(png(1, 1), "image/png"),
        b=reply(png(2, 2), "image/png"),
        c=reply(png(3, 3), "image/png"),
    )
    limits = LimitsConfig(max_pages=1)
    summary = crawl(config(site, tmp_path, limits=limits, concurrency=1))
    assert summary.finish_reason == "limit_pages"
    assert (summary.counts["page"], summary.counts["image"]) == (1, 3)


def test_the_pages_of_a_host_are_counted_across_a_resume(serve, tmp_path):
    site = serve(
        index=page(link("/a", "/b", "/c", "/d")), a=page(), b=page(), c=page(), d=page()
    )
    limits = LimitsConfig(max_pages=2, max_pages_per_host=3)
    crawl(config(site, tmp_path, limits=limits, concurrency=1))
    more = replace(stored_config(tmp_path), limits=replace(limits, max_pages=None))
    summary = crawl(more, "resume")
    assert (summary.finish_reason, summary.counts["page"], summary.counts["skip"]) == (
        "done",
        3,
        2,
    )


def test_what_fails_is_tried_again_and_then_recorded(serve, tmp_path):
    answers = iter([503, 200])

    def flaky(exchange: Exchange) -> None:
        exchange.reply("<title>x</title>", status=next(answers))

    site = serve(
        index=page(link("/flaky", "/down")), flaky=flaky, down=reply(status=500)
    )
    crawl(config(site, tmp_path))
    assert endings(tmp_path, site) == {"/": "page", "/flaky": "page", "/down": "error"}
    (error,) = of(tmp_path, "error")
    assert (error["error_code"], error["status"], error["attempts"]) == (
        "status_5xx",
        500,
        2,
    )
    flaky_page = next(r for r in of(tmp_path, "page") if r["url"].endswith("/flaky"))
    assert flaky_page["attempts"] == 2
    assert len(site.hits("/down")) == 2


def test_no_page_is_asked_for_until_robots_txt_has_recovered(serve, tmp_path):
    answers = iter([503, 200])

    def robots(exchange: Exchange) -> None:
        exchange.reply(
            "User-agent: *\nDisallow: /b\n", "text/plain", status=next(answers)
        )

    site = serve(robots=robots, index=page(link("/a", "/b")), a=page(), b=page())
    crawl(config(site, tmp_path))
    assert endings(tmp_path, site) == {"/": "page", "/a": "page"}
    assert [hit.target for hit in site.log][:2] == ["/robots.txt", "/robots.txt"]


def test_robots_txt_that_stays_broken_parks_the_host(serve, tmp_path):
    site = serve(robots=reply(status=503), index=page())
    summary = crawl(config(site, tmp_path))
    assert (summary.exit_code, summary.finish_reason) == (75, "parked")
    (parked,) = summary.parked
    assert (parked.failure_code, parked.hosts, parked.urls) == (
        "robots_503",
        1,
        1,
    )
    assert [hit.target for hit in site.log] == ["/robots.txt"] * 3
    assert endings(tmp_path, site) == {}


def test_a_broken_robots_txt_ends_in_skips_when_there_is_no_hope_left(serve, tmp_path):
    site = serve(robots=reply(status=503), index=page())
    politeness = replace(HASTY, park_time=0.01, max_parkings=2)
    skips = OutputConfig(record=("skips",))
    crawl(config(site, tmp_path, politeness=politeness, records=skips))
    for _ in range(2):
        time.sleep(0.05)
        summary = crawl(stored_config(tmp_path), "resume")
    assert (summary.exit_code, summary.finish_reason) == (9, "done")
    assert endings(tmp_path, site) == {"/": "skip"}
    assert [hit.target for hit in site.log] == ["/robots.txt"] * 5


def test_a_redirect_loop_and_a_chain_that_is_too_long_end_in_records(serve, tmp_path):
    def onward(exchange: Exchange) -> None:
        n = int(exchange.arg("0"))
        exchange.reply(status=302, headers=(("Location", f"/chain/{n + 1}"),))

    site = serve(
        index=page(link("/ping", "/chain/0")),
        ping=reply(status=302, headers=(("Location", "/pong"),)),
        pong=reply(status=302, headers=(("Location", "/ping"),)),
        chain=onward,
    )
    crawl(config(site, tmp_path, limits=LimitsConfig(max_redirects=3)))
    codes = {
        r["url"].removeprefix(site.base): r["error_code"] for r in of(tmp_path, "error")
    }
    assert codes == {"/pong": "redirect_loop", "/chain/3": "too_many_redirects"}


def test_a_seeds_redirect_widens_the_scope_also_after_a_resume(serve, tmp_path):
    other = serve(index=page(link("/deep")), deep=page(link("/deeper")), deeper=page())
    site = serve(index=reply(status=301, headers=(("Location", other.url("/")),)))
    crawl(config(site, tmp_path, limits=LimitsConfig(max_pages=1)))
    summary = crawl(replace(stored_config(tmp_path), limits=LimitsConfig()), "resume")
    assert summary.counts["page"] == 3


def test_no_other_redirect_widens_it(serve, tmp_path):
    other = serve(index=page(link("/deep")), deep=page())
    site = serve(
        index=page(link("/moved", other.url("/deep"))),
        moved=reply(status=301, headers=(("Location", other.url("/")),)),
    )
    crawl(config(site, tmp_path))
    assert endings(tmp_path, site) == {"/": "page", "/moved": "redirect"}
    assert other.log == []


def test_depth_counts_links_from_the_seed(serve, tmp_path):
    def chain(exchange: Exchange) -> None:
        n = int(exchange.arg("0"))
        exchange.reply(link(f"/c/{n + 1}") + picture(f"/p/{n}"))

    site = serve(c=chain, p=reply(png(), "image/png"))
    crawl(config(site, tmp_path, "/c/0", scope=ScopeConfig(depth=2)))
    assert endings(tmp_path, site) == {
        "/c/0": "page",
        "/c/1": "page",
        "/c/2": "page",
        "/p/0": "image",
        "/p/1": "image",
        "/p/2": "image",
    }


def test_nothing_fetched_is_never_a_success(serve, tmp_path):
    site = serve(index=reply(status=404))
    assert crawl(config(site, tmp_path / "404")).exit_code == 10
    assert crawl(config(site, tmp_path / "no", "/none")).exit_code == 10
    forbidden = serve(index=reply(status=401))
    assert crawl(config(forbidden, tmp_path / "401")).exit_code == 6
    excluded = config(site, tmp_path / "excluded", scope=ScopeConfig(rules=("-.",)))
    assert crawl(excluded).exit_code == 9


def test_an_interrupt_drains_and_a_resume_completes(serve, tmp_path):
    running: list[Crawl] = []

    def numbered(exchange: Exchange) -> None:
        n = int(exchange.arg("0"))
        if n == 20 and running:
            hub_loop.run_callback_threadsafe(running.pop().interrupt, signal.SIGINT)
        others = link(*(f"/n/{i}" for i in range(n + 1, min(n + 4, 60))))
        exchange.reply(f"<p>{'abcdef'[n // 10]} {'abcdefghij'[n % 10]}{others}")

    hub_loop = hub.get_hub().loop
    site = serve(n=numbered)
    subject = open_crawl(config(site, tmp_path, "/n/0"), mode="new")
    running.append(subject)
    summary = subject.run()
    assert (summary.exit_code, summary.finish_reason) == (75, "signal")
    assert 0 < summary.counts["page"] < 60
    assert summary.next_command == f"orbweb resume {tmp_path}"
    again = crawl(stored_config(tmp_path), "resume")
    assert again.counts["page"] == 60
    assert endings(tmp_path, site) == {f"/n/{i}": "page" for i in range(60)}


def test_a_folder_with_a_crawl_is_not_overwritten(serve, tmp_path):
    site = serve(index=page(link("/a")), a=page())
    crawl(config(site, tmp_path))
    before = (tmp_path / "records.jsonl").read_bytes()
    with pytest.raises(UsageError, match="orbweb resume"):
        open_crawl(config(site, tmp_path), mode="new")
    assert (tmp_path / "records.jsonl").read_bytes() == before
    assert crawl(config(site, tmp_path), "fresh").counts["page"] == 2
    assert len(of(tmp_path, "page")) == 2


def test_a_foreign_output_file_is_not_overwritten(serve, tmp_path):
    site = serve(index=page())
    mine = tmp_path / "mine.jsonl"
    mine.write_text("precious\n")
    with pytest.raises(UsageError, match=r"mine\.jsonl is there already"):
        open_crawl(config(site, tmp_path / "out", output=(str(mine),)), mode="new")
    assert mine.read_text() == "precious\n"
    assert not (tmp_path / "out").exists()


def test_an_output_that_can_not_be_written_leaves_no_trace(serve, tmp_path):
    site = serve(index=page())
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        open_crawl(
            config(
                site, tmp_path / "out", output=(str(tmp_path / "file" / "x.jsonl"),)
            ),
            mode="new",
        )
    assert not (tmp_path / "out").exists()


def test_a_setting_that_can_not_be_used_leaves_no_trace(serve, tmp_path):
    unusable = config(
        serve(index=page()), tmp_path / "out", http=HttpConfig(cookies="missing")
    )
    with pytest.raises(UsageError, match="missing: No such file"):
        open_crawl(unusable, mode="new")
    assert not (tmp_path / "out").exists()


def test_nothing_is_thrown_away_for_a_crawl_that_can_not_begin(serve, tmp_path):
    site = serve(index=page())
    crawl(config(site, tmp_path))
    before = (tmp_path / "records.jsonl").read_bytes()
    for http in (HttpConfig(cookies="missing"), HttpConfig(client_cert="missing")):
        with pytest.raises(UsageError, match="missing: No such file"):
            open_crawl(config(site, tmp_path, http=http), mode="fresh")
    with pytest.raises(UsageError, match=r"images\.name"):
        open_crawl(
            config(site, tmp_path, images=ImagesConfig(name="{x}")), mode="fresh"
        )
    assert (tmp_path / "records.jsonl").read_bytes() == before
    assert stored_config(tmp_path).seeds == (site.url("/"),)


def test_a_running_crawl_keeps_others_out(serve, tmp_path):
    site = serve(index=page())
    subject = open_crawl(config(site, tmp_path), mode="new")
    for mode in ("new", "resume", "fresh"):
        with pytest.raises(StateError, match="in use by a running crawl"):
            open_crawl(config(site, tmp_path), mode=mode)
    subject.run()


def test_a_folder_that_can_not_be_written_is_said(serve, tmp_path):
    site = serve(index=page())
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        open_crawl(config(site, tmp_path / "file" / "below"), mode="new")


def test_resume_without_a_crawl(tmp_path):
    with pytest.raises(UsageError, match="holds no crawl"):
        stored_config(tmp_path)


def test_robots_off_is_obeyed_too(serve, tmp_path):
    site = serve(
        robots=reply("User-agent: *\nDisallow: /\n", "text/plain"), index=page()
    )
    crawl(config(site, tmp_path, robots=RobotsConfig(obey=False)))
    assert endings(tmp_path, site) == {"/": "page"}
    assert site.hits("/robots.txt") == []
