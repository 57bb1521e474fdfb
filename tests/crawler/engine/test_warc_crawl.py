"""Whole crawls with `--warc`: what the archive holds, also after `kill -9`."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import greenlet
import pytest

from crawler.engine.archive.archiving import POSITION, Archiving, open_archive
from crawler.engine.builder import open_crawl
from crawler.fetch.client import Client
from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Run
from crawler.model.config import Config
from crawler.model.content_config import WarcConfig
from crawler.model.errors import OutOfMemoryError, OutputError, UsageError
from crawler.model.http import Exchange as FetchExchange
from crawler.model.http import Peer, Response, Timings
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import RetryConfig
from crawler.workspace.paths import state_folder
from tests.helpers.crawling import config, crawl, link, page, picture, png, serve
from tests.helpers.generated_site import GeneratedSite
from tests.helpers.paths import PROGRAM
from tests.helpers.warcs import Read, read_warcs
from tests.site.page import reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

WARC = WarcConfig(write=True)


def answers(folder: Path, site: Site) -> list[tuple[str, str | None]]:
    """Path and status of each answer in the archive, sorted."""
    return sorted(
        (record.url.removeprefix(site.base), record.status or "")
        for record in read_warcs(folder / "warc")
        if record.kind in ("response", "revisit")
    )


def test_all_that_was_answered_is_in_the_archive(serve: Any, tmp_path: Path) -> None:
    """Redirects, errors, retries, robots.txt, logins and cookies."""
    asked: Counter[str] = Counter()

    def flaky(exchange: Exchange) -> None:
        asked["flaky"] += 1
        exchange.reply(status=503 if asked["flaky"] == 1 else 200)

    def login(exchange: Exchange) -> None:
        if exchange.hit.headers.get("authorization"):
            exchange.reply("welcome")
        else:
            challenge = [("WWW-Authenticate", 'Basic realm="site"')]
            exchange.reply(status=401, headers=challenge)

    def cookie(exchange: Exchange) -> None:
        if exchange.hit.headers.get("cookie"):
            exchange.reply("with a cookie")
        else:
            back = [("Location", "/cookie"), ("Set-Cookie", "id=1")]
            exchange.reply(status=302, headers=back)

    def chunked(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
        coded = b"Transfer-Encoding: chunked\r\n\r\n5\r\n<p>ab\r\n2\r\ncd\r\n0\r\n\r\n"
        exchange.raw(head + coded)

    site = serve(
        robots=reply("User-agent: *\nAllow: /", "text/plain"),
        index=page(
            link("/flaky", "/login", "/cookie", "/moved", "/chunked", "/missing"),
            picture("/p.png"),
        ),
        flaky=flaky, login=login, cookie=cookie, chunked=chunked,
        moved=reply(status=301, headers=(("Location", "/login"),)),
        **{"p.png": reply(png(), "image/png")},
    )  # fmt: skip
    http = HttpConfig(timeout=5.0, auth="user:secret")
    crawl(config(site, tmp_path / "c", warc=WARC, http=http))
    assert answers(tmp_path / "c", site) == [
        ("/", "200"),
        ("/chunked", "200"),
        ("/cookie", "200"),
        ("/cookie", "302"),
        ("/flaky", "200"),
        ("/flaky", "503"),
        ("/login", "200"),
        ("/login", "401"),
        ("/missing", "404"),
        ("/moved", "301"),
        ("/p.png", "200"),
        ("/robots.txt", "200"),
    ]
    found = read_warcs(tmp_path / "c" / "warc")
    headers = [field for record in found for field in record.http]
    assert ("Authorization", "Basic redacted") in headers
    assert ("Cookie", "id=redacted") in headers
    assert ("Set-Cookie", "id=1") in headers
    via = [record for record in found if b"via: " in record.content]
    assert {record.url for record in via} >= {site.url("/p.png")}


def test_what_was_given_up_is_in_the_archive_as_far_as_it_came(
    serve: Any, tmp_path: Path
) -> None:
    def broken(exchange: Exchange) -> None:
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")
        exchange.reset()

    site = serve(index=broken)
    once = RetryConfig(tries=1)
    crawl(config(site, tmp_path / "c", warc=WARC, retry=once))
    last = [r for r in read_warcs(tmp_path / "c" / "warc") if r.kind == "response"][-1]
    assert last.headers["WARC-Truncated"] == "disconnect"
    assert last.content == b"half"


def test_a_body_that_nothing_reads_is_whole_in_the_archive(
    serve: Any, tmp_path: Path
) -> None:
    archived = b"PK\x03\x04" + os.urandom(500_000)
    download = reply(archived, "application/zip")
    site = serve(index=page(link("/a.zip")), **{"a.zip": download})
    crawl(config(site, tmp_path / "c", warc=WARC))
    found = [r for r in read_warcs(tmp_path / "c" / "warc") if is_answer(r)]
    (kept,) = [record for record in found if record.url == site.url("/a.zip")]
    assert kept.content == archived
    assert "WARC-Truncated" not in kept.headers


def test_a_recrawl_begins_a_file_of_revisits(serve: Any, tmp_path: Path) -> None:
    def page_with_validator(exchange: Exchange) -> None:
        known = exchange.hit.headers.get("if-none-match") == '"1"'
        status = 304 if known else 200
        exchange.reply("text" * 9, status=status, headers=[("ETag", '"1"')])

    site = serve(index=page(link("/etag")), etag=page_with_validator)
    settings = config(site, tmp_path / "c", warc=WARC)
    crawl(settings)
    crawl(settings, "newer")
    found = read_warcs(tmp_path / "c" / "warc")
    assert [r.headers["WARC-Filename"] for r in found if r.kind == "warcinfo"] == [
        "c-00000.warc.gz",
        "c-00001.warc.gz",
    ]
    revisits = {
        record.url.removeprefix(site.base): record.headers["WARC-Profile"]
        for record in found
        if record.kind == "revisit"
    }
    profile = "http://netpreserve.org/warc/1.1/revisit/"
    assert revisits["/"] == profile + "identical-payload-digest"
    assert revisits["/etag"] == profile + "server-not-modified"


def test_a_name_is_kept_when_the_folder_is_moved(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page("x"))
    crawl(config(site, tmp_path / "first", warc=WARC))
    (tmp_path / "first").rename(tmp_path / "second")
    resume = [*PROGRAM, "recrawl", str(tmp_path / "second"), "-q"]
    subprocess.run(resume, check=True, timeout=300)
    names = {path.name for path in (tmp_path / "second" / "warc").iterdir()}
    assert {name[:12] for name in names} == {"first-00000.", "first-00001."}


def test_a_file_of_another_crawl_is_not_overwritten(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page("x"))
    settings = config(site, tmp_path, warc=WarcConfig(write=True, prefix="w"))
    (tmp_path / "warc").mkdir()
    foreign = tmp_path / "warc" / "w-00003.warc.gz"
    foreign.write_bytes(b"theirs")
    with pytest.raises(UsageError, match=r"w-00003\.warc\.gz is there already"):
        open_crawl(settings, mode="new")
    assert foreign.read_bytes() == b"theirs"
    crawl(settings, "fresh")
    assert {path.name for path in foreign.parent.iterdir()} == {
        "w-00000.warc.gz",
        "w-00000.cdxj",
    }


def test_without_it_no_exchange_is_made(serve: Any, tmp_path: Path) -> None:
    class Listened(Client):
        listeners = 0

        def on_exchange(self, *_: Any, **__: Any) -> None:
            self.listeners += 1

    site = serve(index=page("x"))
    counts = []
    for number, warc in enumerate((WarcConfig(), WARC)):
        settings = config(site, tmp_path / str(number), warc=warc)
        client = Listened(settings.http, named_hosts=["127.0.0.1"])
        open_crawl(settings, mode="new", client=client).run()
        counts.append(client.listeners)
    assert counts == [0, 1]
    assert not (tmp_path / "0" / "warc").exists()


def test_an_exchange_waits_for_the_answer_of_its_own_lease(tmp_path: Path) -> None:
    """A commit of another worker between a 401 and the login leaves it out."""
    store, run = MemoryStore(), Run("RUN", "{}")
    settings = Config(dir=str(tmp_path), warc=WarcConfig(write=True, prefix="w"))

    def open_again() -> Archiving:
        position = store.position(POSITION)
        return Archiving(open_archive(settings, run, store, position), time.time)

    def work() -> None:
        archiving.gather(exchange(401))
        parent.switch()  # it waits for the network
        archiving.gather(exchange(200))
        archiving.write()

    archiving, parent = open_again(), greenlet.getcurrent()
    worker = greenlet.greenlet(work)
    worker.switch()
    archiving.gather(exchange(404))
    archiving.write()
    archiving.flush(store)
    committed = store.position(POSITION)
    worker.switch()
    archiving.flush(store)
    archiving.close()
    assert statuses(tmp_path) == ["404", "401", "200"]
    store.set_position(POSITION, committed)  # killed before the second commit
    open_again().close()
    assert statuses(tmp_path) == ["404"]


def test_an_attempt_is_not_durable_without_its_exchange(
    serve: Any, tmp_path: Path
) -> None:
    """A worker fails between the two, while another one has its answer to come."""
    failed, asked = threading.Event(), Counter[str]()

    class Failing(SqliteStore):
        def retry(self, *arguments: Any) -> None:
            super().retry(*arguments)
            failed.set()
            raise MemoryError

    def unavailable_twice(exchange: Exchange) -> None:
        asked["flaky"] += 1
        exchange.reply(status=503 if asked["flaky"] <= 2 else 200)

    def late(exchange: Exchange) -> None:
        failed.wait(TIMEOUT)
        exchange.reply("late")

    pages = {"index": page(link("/late", "/flaky")), "late": late}
    site = serve(**pages, flaky=unavailable_twice)
    settings = config(site, tmp_path / "c", warc=WARC, concurrency=2)
    opened = open_crawl(settings, mode="new", store=Failing(state_folder(settings.dir)))
    with pytest.raises(OutOfMemoryError):
        opened.run()
    crawl(settings, "resume")
    of_flaky = [answer for answer in answers(tmp_path / "c", site) if "y" in answer[0]]
    assert of_flaky == [("/flaky", "200"), ("/flaky", "503")]


def exchange(status: int) -> FetchExchange:
    timings = Timings(1)
    url, head = "https://example.com/", f"HTTP/1.1 {status} X\r\n\r\n"
    response = Response(
        url, status, "X", "1.1", (), b"", 0, timings, "192.0.2.1", False
    )
    peer = Peer("192.0.2.1", 443)
    return FetchExchange(
        url, b"GET / HTTP/1.1\r\n\r\n", peer, timings, response, None, head.encode()
    )


def statuses(folder: Path) -> list[str | None]:
    return [r.status for r in read_warcs(folder / "warc") if is_answer(r)]


def test_a_disk_that_is_full_leaves_it_exact(serve: Any, tmp_path: Path) -> None:
    site = serve(
        index=page(*(link(f"/{n}") for n in range(20))),
        **{str(n): page(os.urandom(40_000).hex()) for n in range(20)},
    )
    folder = tmp_path / "c"
    quiet = [*PROGRAM, "crawl", site.url("/"), "-d", str(folder), "-w", "0", "-q"]
    full = ["bash", "-c", 'ulimit -f 500; trap "" XFSZ; exec "$@"', "-", *quiet]
    done = subprocess.run(
        [*full, "--warc"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 3, done.stderr
    assert ".warc.gz" in done.stderr
    resume = [*PROGRAM, "resume", str(folder), "-q"]
    subprocess.run(resume, check=True, timeout=300)
    paths = ["/", "/robots.txt", *(f"/{n}" for n in range(20))]
    assert sorted(path for path, _ in answers(folder, site)) == sorted(paths)


def test_a_folder_that_cannot_be_written_stops_the_crawl(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(index=page("x"))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "warc").write_bytes(b"a file")
    with pytest.raises(OutputError, match="warc"):
        crawl(config(site, tmp_path / "c", warc=WARC))


# ---------------------------------------------------------------- kill -9

PAGES = 250
TIMEOUT = 300.0


@pytest.fixture
def site() -> Iterator[GeneratedSite]:
    with GeneratedSite(PAGES, seed=5) as running:
        yield running


def run_until_killed(site: GeneratedSite, folder: Path, requests: int) -> None:
    """Run the crawl until it has made so many more requests, and kill it there."""
    goal, over = len(site.requested) + requests, threading.Event()
    site.on_request = lambda _: len(site.requested) >= goal and over.wait(TIMEOUT)
    process = start(site, folder)
    deadline = time.monotonic() + TIMEOUT
    while len(site.requested) < goal:
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    site.on_request = None
    over.set()
    assert process.wait(TIMEOUT) == -signal.SIGKILL


def start(site: GeneratedSite, folder: Path) -> subprocess.Popen[bytes]:
    new = ["crawl", site.url, "-d", str(folder), "-w", "0", "--per-host", "8"]
    new += ["--warc", "site", "--warc-size", "60K", "-q"]
    arguments = ["resume", str(folder), "-q"] if folder.exists() else new
    return subprocess.Popen([*PROGRAM, *arguments], stdin=subprocess.DEVNULL)


def test_kills_lose_and_repeat_no_exchange(site: GeneratedSite, tmp_path: Path) -> None:
    folder, dice = tmp_path / "crawl", random.Random(6)
    for _ in range(6):
        run_until_killed(site, folder, dice.randint(1, 150))
    assert start(site, folder).wait(TIMEOUT) == 0
    found = [r for r in read_warcs(folder / "warc") if is_answer(r)]
    lines = map(json.loads, (folder / "records.jsonl").read_bytes().splitlines())
    ended = {line["url"] for line in lines if line["type"] not in ("schema", "run")}
    counted = Counter(record.url for record in found)
    assert counted.pop(site.url + "/robots.txt") == 1
    assert counted.keys() == ended
    assert {url for url, times in counted.items() if times > 1} == set()
    assert len({r.headers["WARC-Warcinfo-ID"] for r in found}) > 3
    bodies = {site.url + path: body for path, (_, _, body) in site.answers.items()}
    for record in found:
        if record.kind == "response":
            assert record.content == bodies.get(record.url, record.content)


def is_answer(record: Read) -> bool:
    return record.kind in ("response", "revisit")
