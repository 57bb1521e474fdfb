"""`crawl()`: committed records in order, back-pressure, stops that lose nothing."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hub
from crawler.api import stream
from crawler.api.crawling import RecordStream, crawl
from crawler.cli import run
from crawler.model.errors import StateError, UsageError
from crawler.model.http_config import HttpConfig
from crawler.model.records import PageRecord, RunRecord
from crawler.output.lines import stream_files
from hub.current import get_hub_if_any
from tests.helpers.crawling import link, page, records
from tests.helpers.paths import ROOT
from tests.site.page import reply
from tests.site.server import Exchange, Site

OPTIONS: dict[str, Any] = {"wait": 0, "per_host": 8, "concurrency": 4, "robots": False,
                           "traps": False}  # fmt: skip


def tree(pages: int) -> dict[str, Any]:
    """Pages that link to the next two."""
    found = {
        str(n): page(link(f"/{2 * n + 1}", f"/{2 * n + 2}")) for n in range(1, pages)
    }
    return {"": page(link("/1", "/2")), **found}


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    """300 pages, and missing ones at their ends."""
    site = Site({**tree(300), "favicon.ico": reply(status=404)})
    yield site
    site.stop()


def start(web: Site, folder: Path, **options: Any) -> RecordStream:
    return crawl(web.url("/"), dir=folder, **(OPTIONS | options))


def urls(found: list[Any]) -> list[str]:
    return [record.url for record in found if record.type != "run"]


# ------------------------------------------------------------------ a whole crawl


def test_the_loop_gets_what_the_file_gets(web: Site, tmp_path: Path) -> None:
    given = list(start(web, tmp_path / "out"))
    lines = [one for one in records(tmp_path / "out") if one["type"] != "schema"]
    assert [one.seq for one in given] == [one["seq"] for one in lines]
    assert [one.type for one in given] == [one["type"] for one in lines]
    assert [one.seq for one in given] == list(range(1, len(given) + 1))
    assert isinstance(given[1], PageRecord)
    assert isinstance(given[-1], RunRecord)
    assert given[-1].event == "finished"
    assert len({*urls(given)}) == len(urls(given)) == 601


def test_a_record_is_durable_when_it_is_given(web: Site, tmp_path: Path) -> None:
    for record in start(web, tmp_path / "out", max_pages=20):
        seqs = [one.get("seq") for one in records(tmp_path / "out")]
        assert record.seq in seqs


def test_the_summary_tells_how_it_ended(web: Site, tmp_path: Path) -> None:
    found = start(web, tmp_path / "out", max_pages=3)
    assert found.summary is None
    assert len([one for one in found if one.type == "page"]) == 3
    assert found.summary is not None
    assert found.summary.finish_reason == "limit_pages"
    assert list(found) == []


def test_skips_are_given_like_others(web: Site, tmp_path: Path) -> None:
    found = list(start(web, tmp_path / "out", depth=3, record=["skips"]))
    assert len([one for one in found if one.type == "skip"]) == 16


# ------------------------------------------------------------------ back-pressure


def test_a_loop_that_stands_still_stops_the_fetching(tmp_path: Path) -> None:
    site = Site({"": page(*[link(f"/p/{n}") for n in range(2000)]), "p": page()})
    try:
        found = start(site, tmp_path / "out")
        next(found)
        site_hits = -1
        while site_hits != (site_hits := len(site.hits())):
            time.sleep(1.0)  # until no more requests come
        bound = stream.MAX_WAITING + 256 + 2 * 4 + 1
        assert stream.MAX_WAITING <= site_hits <= bound
        assert len(list(found)) == 2001 + 1
        assert len(site.hits()) == 2001
    finally:
        site.stop()


# ------------------------------------------------------------------ the end of a loop


def taken(found: RecordStream, number: int) -> list[Any]:
    """The first records; the stream is not closed."""
    return [next(found) for _ in range(number)]


def whole(web: Site, folder: Path, first: list[Any]) -> None:
    """The rest of the crawl is given to a second loop: each record once."""
    rest = list(crawl(dir=folder, resume=True))
    given = [*first, *rest]
    assert [one.seq for one in given] == list(range(1, len(given) + 1))
    assert len({*urls(given)}) == len(urls(given)) == 601
    assert next(crawl(dir=folder, resume=True)).seq == len(given) + 1


def test_break_stops_and_a_resume_goes_on(web: Site, tmp_path: Path) -> None:
    first = []
    for record in start(web, tmp_path / "out"):
        first.append(record)
        if len(first) == 50:
            break
    assert not any(one.name.startswith("crawl") for one in threading.enumerate())
    whole(web, tmp_path / "out", first)


def test_an_exception_stops_and_a_resume_goes_on(web: Site, tmp_path: Path) -> None:
    first = []

    def loop() -> None:
        for record in start(web, tmp_path / "out"):
            first.append(record)
            if len(first) == 50:
                raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        loop()
    gc.collect()
    whole(web, tmp_path / "out", first)


def test_close_and_with_stop_too(web: Site, tmp_path: Path) -> None:
    with start(web, tmp_path / "out") as found:
        first = taken(found, 5)
    assert list(found) == []
    assert found.summary is not None
    assert found.summary.finish_reason == "signal"
    found.close()
    again = crawl(dir=tmp_path / "out", resume=True)
    first += taken(again, 5)
    again.close()
    whole(web, tmp_path / "out", first)


def test_the_command_line_resumes_and_the_loop_gets_the_rest(
    web: Site, tmp_path: Path
) -> None:
    with start(web, tmp_path / "out") as found:
        first = taken(found, 5)
    assert run(["resume", str(tmp_path / "out"), "--quiet"]) == 0
    whole(web, tmp_path / "out", first)


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_the_rest_is_read_from_the_first_output(
    web: Site, tmp_path: Path, ending: str
) -> None:
    output = [str(tmp_path / f"r.jsonl{ending}"), str(tmp_path / "second.jsonl")]
    with start(web, tmp_path / "out", output=output) as found:
        first = taken(found, 5)
    whole(web, tmp_path / "out", first)


def test_the_rest_is_read_from_all_parts(web: Site, tmp_path: Path) -> None:
    with start(web, tmp_path / "out", rotate="64K") as found:
        first = taken(found, 5)
    whole(web, tmp_path / "out", first)
    assert len(stream_files(tmp_path / "out" / "records.jsonl")) > 2


def test_a_loop_after_the_command_line_gets_what_is_new(
    web: Site, tmp_path: Path
) -> None:
    words = ["--no-robots", "--no-traps", "-w", "0", "-n", "20", "--quiet"]
    folder = str(tmp_path / "out")
    assert run(["crawl", web.url("/"), "-d", folder, *words]) == 0
    before = len(records(tmp_path / "out")) - 1
    rest = list(crawl(dir=folder, resume=True, max_pages=None))
    assert rest[0].seq == before + 1
    assert len(urls(rest)) == 601 - (before - 2)


def test_close_in_another_thread_ends_the_loop(tmp_path: Path) -> None:
    site = Site({"": lambda exchange: exchange.sleep(30.0)})
    try:
        found = start(site, tmp_path / "out", grace=0.1)
        given: list[Any] = []

        def consume() -> None:
            for record in found:
                given.append(record)

        loop = threading.Thread(target=consume, daemon=True)
        loop.start()
        while not given:
            time.sleep(0.01)
        time.sleep(0.5)  # until it waits for the next record
        found.close()
        loop.join(20)
        assert not loop.is_alive()
    finally:
        site.stop()
    assert [one.type for one in given] == ["run"]
    assert next(crawl(dir=tmp_path / "out", resume=True, grace=0.1)).seq == 2


class Collects:
    """Collects garbage in the crawl's thread."""

    def on_record(self, _record: Any) -> None:
        gc.collect()


def test_a_stream_that_is_collected_in_the_crawls_thread_stops(
    web: Site, tmp_path: Path
) -> None:
    gc.disable()
    gc.freeze()  # what other tests have left is not looked through 600 times
    try:
        found = start(web, tmp_path / "out", plugins=[Collects()], per_host=1)
        first = taken(found, 5)
        thread = next(
            one for one in threading.enumerate() if one.name.startswith("crawl")
        )
        cycle: list[Any] = [found]
        cycle.append(cycle)
        del found, cycle
        thread.join(30)
        assert not thread.is_alive()
        assert len(records(tmp_path / "out")) < 400
        rest = list(crawl(dir=tmp_path / "out", resume=True, plugins=[Collects()]))
    finally:
        gc.unfreeze()
        gc.enable()
    given = [*first, *rest]
    assert [one.seq for one in given] == list(range(1, len(given) + 1))
    assert len({*urls(given)}) == len(urls(given)) == 601


class OpensSlowly:
    """A sink that takes its time to be opened."""

    def rewind(self, _position: Any) -> None:
        time.sleep(2.0)

    def write(self, _records: Any) -> None:
        """Nothing is kept."""

    def flush(self) -> None:
        """Nor is a position."""

    def close(self) -> None:
        """Nothing is open."""


def test_a_call_that_is_interrupted_leaves_no_crawl_behind(
    web: Site, tmp_path: Path
) -> None:
    main = threading.main_thread()
    threading.Timer(1.0, lambda: signal_main(main)).start()
    with pytest.raises(KeyboardInterrupt):
        start(web, tmp_path / "out", plugins=[OpensSlowly()])
    for thread in threading.enumerate():
        if thread.name.startswith("crawl"):
            thread.join(30)
            assert not thread.is_alive()
    rest = crawl(dir=tmp_path / "out", resume=True, plugins=[OpensSlowly()])
    given = list(rest)
    assert given[0].seq == 1
    assert len({*urls(given)}) == len(urls(given)) == 601


# ------------------------------------------------------------------ where it is called


def test_in_a_thread_and_side_by_side(web: Site, tmp_path: Path) -> None:
    counts = {}

    def count(name: str) -> None:
        counts[name] = len(list(start(web, tmp_path / name, max_pages=30)))

    threads = [threading.Thread(target=count, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts["a"] >= 31
    assert counts["b"] >= 31


def test_nested_and_one_after_the_other(web: Site, tmp_path: Path) -> None:
    pairs = [
        (outer.seq, inner.seq)
        for outer in start(web, tmp_path / "outer", max_pages=2)
        for inner in start(web, tmp_path / f"{outer.seq}", max_pages=2)
    ]
    assert len(pairs) >= 16


def test_a_program_on_the_hub_goes_on_meanwhile(web: Site, tmp_path: Path) -> None:
    ticks = []

    def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            hub.sleep(0.01)

    def consume() -> int:
        return len(list(start(web, tmp_path / "out")))

    ticker = hub.spawn(tick)
    assert hub.spawn(consume).get() == 603
    ticker.kill()
    assert len(ticks) > 10


def test_a_caller_without_a_hub_gets_none(web: Site, tmp_path: Path) -> None:
    found: list[object] = []

    def loop() -> None:
        found.append(len(list(start(web, tmp_path / "out", max_pages=5))))
        found.append(get_hub_if_any())

    thread = threading.Thread(target=loop)
    thread.start()
    thread.join()
    assert found[0] >= 7
    assert found[1] is None


# ------------------------------------------------------------------ mistakes


def test_what_cannot_begin_is_told_by_the_call(web: Site, tmp_path: Path) -> None:
    start(web, tmp_path / "out", max_pages=1).close()
    with pytest.raises(UsageError, match="holds a crawl already"):
        start(web, tmp_path / "out")
    with pytest.raises(UsageError, match="holds no crawl"):
        crawl(dir=tmp_path / "none", resume=True)
    with pytest.raises(UsageError, match="no URL to start from"):
        crawl(dir=tmp_path / "none")
    with pytest.raises(UsageError, match="exclude one another"):
        crawl(web.url("/"), resume=True, fresh=True)
    with pytest.raises(UsageError, match="is not a seed of the crawl"):
        crawl("https://other.test/", dir=tmp_path / "out", resume=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_page'"):
        crawl(web.url("/"), max_page=1)  # type: ignore[call-arg]
    assert not (tmp_path / "none").exists()


def test_a_state_in_use_is_told(web: Site, tmp_path: Path) -> None:
    with start(web, tmp_path / "out"), pytest.raises(StateError):
        crawl(dir=tmp_path / "out", resume=True)


def test_fresh_and_newer(web: Site, tmp_path: Path) -> None:
    assert len(list(start(web, tmp_path / "out", max_pages=3))) >= 5
    again = list(start(web, tmp_path / "out", fresh=True, max_pages=3))
    assert again[0].seq == 1
    newer = list(start(web, tmp_path / "out", newer=True, max_pages=3))
    assert newer[0].seq == len(again) + 1
    assert newer[0].run_id != again[0].run_id


def test_an_interrupted_wait_stops_the_crawl(tmp_path: Path) -> None:
    def slow(exchange: Exchange) -> None:
        exchange.sleep(30.0)

    site = Site({"": slow})
    try:
        found = start(site, tmp_path / "out", grace=30)
        next(found)
        timer = threading.Timer(1.0, lambda: signal_main(threading.main_thread()))
        timer.start()
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            next(found)
        timer = threading.Timer(1.0, lambda: signal_main(threading.main_thread()))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            found.close()
        assert time.monotonic() - begun < 20
    finally:
        site.stop()


def signal_main(thread: threading.Thread) -> None:
    import signal

    assert thread.ident is not None
    signal.pthread_kill(thread.ident, signal.SIGINT)


def test_a_slow_loop_gets_all_skips_of_the_end(tmp_path: Path) -> None:
    site = Site({"": page(*[link(f"/p/{n}") for n in range(2000)])})
    try:
        skips = 0
        for record in start(site, tmp_path / "out", depth=0, record=["skips"]):
            if record.type == "skip":
                skips += 1
                time.sleep(1.0 if skips == 1 else 0.0)  # meanwhile too many wait
        assert skips == 2000
    finally:
        site.stop()


def test_a_program_that_ends_in_its_loop_leaves_a_crawl_to_resume(
    web: Site, tmp_path: Path
) -> None:
    script = (
        "import sys; from crawler import crawl\n"
        "found = crawl(sys.argv[1], dir='out', wait=0, robots=False, traps=False)\n"
        "print(next(found).seq, next(found).seq)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, web.url("/")],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("1 2\n", "", 0)
    (finished,) = [
        one for one in records(tmp_path / "out") if one.get("event") == "finished"
    ]
    assert finished["finish_reason"] == "signal"
    rest = crawl(dir=tmp_path / "out", resume=True)
    assert next(rest).seq == 3
    assert len(urls(list(rest))) == 601 - 2


def test_a_resume_with_options_changes_settings_as_the_command_line_does(
    web: Site, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    list(crawl(web.url("/"), dir=folder, wait=0, max_pages=1))
    again = list(crawl(dir=folder, resume=True, max_pages=None, timeout=9))
    started = next(record for record in again if isinstance(record, RunRecord))
    assert [str(change) for change in started.changed_settings] == [
        f"http.timeout {HttpConfig().timeout:.0f}s -> 9s",
        "limits.max_pages 1 -> none",
    ]
    with pytest.raises(UsageError, match=r"records\.schema_line can't change"):
        crawl(dir=folder, resume=True, schema_line=True)
    assert crawl(dir=folder, resume=True).summary is None  # the new settings are kept
