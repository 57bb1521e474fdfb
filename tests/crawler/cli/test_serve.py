"""`orbweb serve`: what it answers, to whom, and what it says about crawls."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text

import hub
from crawler.cli import run
from crawler.cli.serving.crawls import Crawls
from crawler.cli.serving.http import Connection, HostNames, Request, text_response
from crawler.cli.serving.metrics import render
from crawler.cli.serving.page import crawl_page, list_page
from crawler.cli.serving.site import Site
from crawler.frontier.sqlite.database import FILE_NAME
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Run
from crawler.frontier.throttle import HostThrottle
from crawler.model.config import Config, to_json
from crawler.model.http_config import HttpConfig
from crawler.model.metadata import REQUESTS_BY_CODE
from crawler.model.records import ErrorRecord, PageRecord
from hub import socket
from hub.server import StreamServer
from hub.testing import VirtualClock
from tests.helpers import chromium
from tests.helpers.frontier import FAR, found, lease_all
from tests.helpers.paths import PROGRAM, ROOT

ULID = "01HZ0000000000000000000000"
HOSTILE = "<script>alert(1)</script>\x1b[2J"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def make_crawl(folder: Path, hosts: int = 1) -> SqliteStore:
    """An open crawl: a page and an error are done, a URL of each host waits."""
    config = Config(
        dir="out",
        seeds=("https://user:pass-word@a.example/",),
        http=HttpConfig(headers={"Cookie": "sid=s3cr3t"}),
    )
    store = SqliteStore(folder / "state")
    store.set_run(Run(ULID, to_json(config).decode(), 3))
    store.set(REQUESTS_BY_CODE, "200", b"7")
    store.set(REQUESTS_BY_CODE, "read_timeout", b"2")
    store.add([found("1"), found("2"), found("3", skip=FAR)], 0.0)
    one, two = lease_all(store, 0.0)
    store.finish(one, "page")
    store.finish(two, "error", "reset")
    store.add([found("4", host=f"h{n}") for n in range(hosts)], time.time())
    refuses = HostThrottle(failures=2, failure_code="rate_limited")
    store.claim(hosts, time.time())
    for n in range(1, hosts):  # h0 is due
        store.set_throttle(f"h{n}.example", refuses)
        store.block(f"h{n}.example", time.time() + 100)
        store.unclaim(f"h{n}.example", time.time() + 100)
    store.commit()
    return store


def write_records(folder: Path) -> None:
    rows = [
        PageRecord(
            url=f"https://a.example/{HOSTILE}", url_id="0", host="a", status=200,
            ts="2026-11-30T10:00:00.000Z",
        ),
        ErrorRecord(
            url="https://a.example/2", url_id="1", host="a", error_code="reset",
            error_stage="body", error_message=HOSTILE,
            ts="2026-11-30T10:00:01.000Z",
        ),
    ]  # fmt: skip
    lines = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    (folder / "records.jsonl").write_bytes(lines)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A running crawl."""
    with closing(make_crawl(tmp_path / "out")):
        write_records(tmp_path / "out")
        yield tmp_path / "out"


def samples(families: Iterator[Metric]) -> dict[str, float]:
    """By name and the labels but for `crawl`, as in `name{code=200}`."""
    found = {}
    for family in families:
        for one in family.samples:
            labels = {k: v for k, v in one.labels.items() if k != "crawl"}
            shown = ",".join(f"{key}={value}" for key, value in labels.items())
            found[f"{one.name}{{{shown}}}"] = one.value
    return found


# ------------------------------------------------------------------ metrics

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.mark.parametrize(
    ("accept", "read"), [("", read_text), (OPENMETRICS, read_openmetrics)]
)
def test_prometheus_reads_the_metrics(
    folder: Path, accept: str, read: Callable[[str], Iterator[Metric]]
) -> None:
    body, media_type = render(Crawls([str(folder)]).all(), accept, 20)
    assert media_type.startswith(OPENMETRICS.partition(";")[0] if accept else "text/")
    found = samples(read(body.decode()))
    expected = {
        "orbweb_crawl_readable{}": 1,
        "orbweb_running{}": 1,
        "orbweb_pages_total{}": 1,
        "orbweb_requests_total{code=200}": 7,
        "orbweb_requests_total{code=read_timeout}": 2,
        "orbweb_urls{state=queued}": 1,
        "orbweb_urls{state=error}": 1,
        "orbweb_failed_urls{code=reset}": 1,
        "orbweb_skipped_urls{reason=depth}": 1,
        "orbweb_queue_urls{host=h0.example}": 1,
    }
    assert {name: found.get(name) for name in expected} == expected


def test_each_name_has_one_type_and_follows_the_conventions(folder: Path) -> None:
    body, _ = render(Crawls([str(folder)]).all(), "", 20)
    families = list(read_text(body.decode()))
    names = [family.name for family in families]
    assert len(set(names)) == len(names) > 15
    for family in families:
        assert re.fullmatch("orbweb_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert (family.type == "counter") == any(
            one.name.endswith("_total") for one in family.samples
        ) or not family.samples


def test_the_number_of_series_is_bounded_and_causes_are_named(tmp_path: Path) -> None:
    with closing(make_crawl(tmp_path, hosts=60)):
        body, _ = render(Crawls([str(tmp_path)]).all(), "", 5)
    found = samples(read_text(body.decode()))
    assert sum(name.startswith("orbweb_queue_urls") for name in found) == 5
    assert found["orbweb_waiting_hosts{cause=429,state=backing off}"] == 59
    assert found["orbweb_urls{state=queued}"] == 60


def test_a_folder_of_any_name_is_a_label_and_a_page(tmp_path: Path) -> None:
    name = os.fsdecode(bytes(tmp_path) + b'/"\\\n\xff<b>')
    make_crawl(Path(name)).close()
    crawls = Crawls([name])
    body, _ = render(crawls.all(), "", 5)
    labels = {
        one.labels["crawl"] for f in read_text(body.decode()) for one in f.samples
    }
    assert labels == {f'{tmp_path}/"\\\n\\udcff<b>'}
    site = Site(crawls, 5)
    path = f"/crawl/{quote(os.fsencode(name), safe='')}"
    answer = site.respond(Request("GET", path))
    assert answer.status == 200
    assert b"<b>" not in answer.body


def test_what_was_read_is_served_for_a_second(folder: Path, tmp_path: Path) -> None:
    now = [0.0]
    crawls = Crawls([str(folder)], lambda: now[0])
    before = crawls.all()
    now[0] = 0.9
    assert crawls.all()[0] is before[0]
    now[0] = 1.1
    assert crawls.all()[0] is not before[0]


def test_folders_below_one_without_a_crawl_are_served(tmp_path: Path) -> None:
    crawls = Crawls([str(tmp_path), str(tmp_path / "a"), "missing"])
    assert crawls.names() == [str(tmp_path), str(tmp_path / "a"), "missing"]
    states = [one.state for one in crawls.all()]  # type: ignore[union-attr]
    assert states == ["no crawl"] * 3
    for name in "ba":
        make_crawl(tmp_path / name).close()
    assert crawls.names() == [str(tmp_path / "a"), str(tmp_path / "b"), "missing"]
    assert crawls.get(f"{tmp_path}/../{tmp_path.name}/a") is None
    (tmp_path / "a" / "state" / FILE_NAME).write_bytes(b"no database" * 1000)
    body, _ = render(Crawls([str(tmp_path)]).all(), "", 5)
    found = [one.value for f in read_text(body.decode())
             if f.name == "orbweb_crawl_readable" for one in f.samples]  # fmt: skip
    assert found == [0, 1]


def test_each_metric_is_documented(folder: Path) -> None:
    body, _ = render(Crawls([str(folder)]).all(), "", 20)
    types = dict(re.findall(r"^# TYPE (\S+) (\w+)$", body.decode(), re.MULTILINE))
    text = (ROOT / "docs" / "serve.md").read_text("utf-8")
    assert dict(re.findall(r"^\| `(orbweb_\w+)` \| (\w+) \|", text, re.M)) == types


# ------------------------------------------------------------------ the page


class Tags(HTMLParser):
    """The names of all elements, and the attributes that load something."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.names: list[str] = []
        self.urls: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.names.append(tag)
        self.urls += [v for name, v in attrs if name in ("src", "href", "action")]


def test_a_page_escapes_what_comes_from_the_web_and_shows_no_secret(
    folder: Path,
) -> None:
    [view] = Crawls([str(folder)]).all()
    for page in (crawl_page(view), list_page([view, view])):
        tags = Tags(page)
        assert tags.names.count("script") == 1
        assert all(url.startswith("/") for url in tags.urls)
        assert b"\x1b" not in page
        assert b"s3cr3t" not in page
        assert b"pass-word" not in page
    page = crawl_page(view)
    assert page.count(b"&lt;script&gt;alert(1)&lt;/script&gt;?[2J") == 2
    assert b"running" in page


def test_the_policy_names_what_the_page_holds(folder: Path) -> None:
    answer = Site(Crawls([str(folder)]), 5).respond(Request("GET", "/"))
    policy = answer.headers["Content-Security-Policy"]
    page = answer.body.decode()
    assert "default-src 'none'" in policy
    for name in ("style", "script"):
        [text] = re.findall(f"<{name}>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert re.search('<noscript><meta http-equiv="refresh" content="5">', page)


# ------------------------------------------------------------------ the server


def ask(request: bytes, host: str = "127.0.0.1", names: tuple[str, ...] = ()) -> bytes:
    """What a server on `host` answers to these bytes, to the end."""

    def respond(request: Request) -> Any:
        return text_response(200 if request.path in ("/", "/a") else 404)

    serve = Connection(respond, HostNames(host, names)).serve
    with StreamServer(("127.0.0.1", 0), serve) as server:
        client = socket.create_connection(server.address)
        client.sendall(request)
        answer = b""
        while data := client.recv(65536):
            answer += data
        client.close()
        return answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (GET, 200),
        (b"GET /a?b HTTP/1.1\r\nhost: 127.0.0.1:9090\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: [::1]:9090\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: a.localhost.\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET http://localhost/a HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n"
         b"Connection: upgrade\r\n\r\n", 200),
        (GET + b"garbage", 200),
        (b"GET /b HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: \r\n\r\n", 421),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000, 431),
        (b"GET /" + b"a" * 200_000, 431),
    ],
)  # fmt: skip
def test_requests(request_bytes: bytes, status: int) -> None:
    answer = ask(request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1


def test_head_is_get_without_the_body() -> None:
    whole, head = ask(GET), ask(GET.replace(b"GET", b"HEAD"))
    assert head.endswith(b"\r\n\r\n")
    without_date = [re.sub(rb"Date: .*\r\n", b"", one) for one in (whole, head)]
    assert without_date[0] == without_date[1] + b"ok\n"


def test_names_of_the_server() -> None:
    other = b"GET / HTTP/1.1\r\nHost: crawls.example:80\r\n\r\n"
    assert b" 421 " in ask(other)
    assert b" 200 " in ask(other, names=("Crawls.example",))
    assert b" 200 " in ask(other, host="0.0.0.0")
    assert b" 421 " in ask(other, host="0.0.0.0", names=("another.example",))


class Silent:
    """A connection whose client sends a beginning, and nothing more for an hour."""

    def __init__(self) -> None:
        self.sent = b""
        self._first = True

    def recv(self, size: int) -> bytes:
        if self._first:
            self._first = False
            return b"GET / HT"
        hub.sleep(3600)
        return b""

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def shutdown(self, how: int) -> None:
        pass


def test_a_slow_client_is_answered_and_let_go(clock: VirtualClock) -> None:
    client, began = Silent(), clock.time
    Connection(lambda _: text_response(200), HostNames("127.0.0.1")).serve(client, "")
    assert client.sent.startswith(b"HTTP/1.1 408 ")
    assert 5 < clock.time - began < 20


def test_an_error_is_answered_and_reported() -> None:
    def fail(_request: Request) -> Any:
        raise ZeroDivisionError("a bug")

    client = Silent()
    client.recv = lambda size: GET if client.sent == b"" else b""  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        Connection(fail, HostNames("::1")).serve(client, "")
    assert client.sent.startswith(b"HTTP/1.1 500 ")
    assert b"a bug" not in client.sent


# ------------------------------------------------------------------ the program


@pytest.mark.parametrize(
    "listen", ["9090x", "::1:9090", "localhost", "127.0.0.1:70000", "127.0.0.1:-1"]
)
def test_a_wrong_address(listen: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--listen", listen]) == 2
    assert "--listen" in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    listen = f"127.0.0.1:{taken.getsockname()[1]}"
    assert run(["serve", "--listen", listen]) == 2
    taken.close()
    message = f"orbweb: --listen {listen}: Address already in use\n"
    assert capsys.readouterr().err == message


@pytest.fixture
def program(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of the running program, and its process."""
    with subprocess.Popen(
        [*PROGRAM, "serve", str(folder), "--listen", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            yield line.split()[1], process
        finally:
            process.kill()


def test_the_program_serves_until_a_signal(
    program: tuple[str, subprocess.Popen[str]],
) -> None:
    url, process = program
    for path, start in (("healthz", b"ok\n"), ("metrics", b"# HELP orbweb_")):
        with urllib.request.urlopen(url + path, timeout=60) as answer:
            assert answer.read(len(start)) == start
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


@pytest.mark.skipif(chromium.missing() is not None, reason=str(chromium.missing()))
def test_the_page_refreshes_itself_in_a_browser(
    program: tuple[str, subprocess.Popen[str]], folder: Path
) -> None:
    url, _ = program
    with chromium.browser(loopback=True) as browser:
        shown = browser.open(url)
        assert (shown.failed, shown.broken) == ([], [])
        style = "getComputedStyle(document.querySelector('section')).borderTopStyle"
        assert browser.evaluate(style) == "solid"  # the policy lets it apply
        assert "/2" in browser.evaluate("document.querySelector('main').innerText")
        (folder / "records.jsonl").write_bytes(b"")
        gone = """new Promise(done => {
            const look = () => document.querySelector("#recent > *")
                ? setTimeout(look, 50) : done("gone");
            look();
        })"""
        assert browser.evaluate(gone) == "gone"
