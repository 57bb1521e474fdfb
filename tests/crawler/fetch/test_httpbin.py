"""The client and httpbin, an application by others on the standard library's server."""

from __future__ import annotations

import io
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.simple_server import WSGIServer as Server

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.fetch.auth.credentials import Credentials
from crawler.fetch.client import Client
from crawler.model.config import Config
from crawler.model.errors import Failure
from crawler.model.http import Request, Response
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import PolitenessConfig
from crawler.model.url import join
from tests.helpers.clients import session_auth_for

httpbin = pytest.importorskip(
    "httpbin", reason="the extra httpbin (Python 3.12 or later) is not installed"
)

CONFIG = HttpConfig(timeout=10.0, read_timeout=5.0)


class _Threads(Server):
    daemon_threads = True

    def process_request(self, request: Any, client_address: Any) -> None:
        threading.Thread(
            target=self._serve, args=(request, client_address), daemon=True
        ).start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass
        finally:
            self.shutdown_request(request)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        pass

    def get_stderr(self) -> Any:
        return io.StringIO()


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with make_server("127.0.0.1", 0, httpbin.app, _Threads, _Quiet) as server:
        thread = threading.Thread(
            target=server.serve_forever, args=(0.02,), daemon=True
        )
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Browser:
    """A client that follows redirects like the engine, one after the other."""

    def __init__(self, base: str, config: HttpConfig = CONFIG) -> None:
        self.base = base
        auth = session_auth_for(base, credentials=Credentials("ann", "s3cr3t"))
        self.client = Client(config, named_hosts={"127.0.0.1"}, auth=auth)

    def get(
        self, path: str, *headers: tuple[str, str], method: Any = "GET"
    ) -> Response:
        return self.client.fetch(
            Request(self.base + path, method=method, headers=headers)
        )

    def json(self, path: str, *headers: tuple[str, str]) -> Any:
        return json.loads(self.get(path, *headers).body)

    def follow(self, path: str) -> tuple[Response, int]:
        url, chain = self.base + path, ()
        while True:
            response = self.client.fetch(Request(url, chain=chain))
            location = response.header("location")
            if location is None:
                return response, len(chain)
            chain = (*chain, url)
            url = join(response.url, location) or ""


@pytest.fixture
def browser(base: str) -> Iterator[Browser]:
    browser = Browser(base)
    yield browser
    browser.client.close()


def test_what_is_sent(browser: Browser) -> None:
    seen = browser.json("/get?a=b%20c")
    assert seen["args"] == {"a": "b c"}
    assert seen["headers"]["Host"] == browser.base.removeprefix("http://")
    assert (
        browser.json("/anything/a/b?c=d")["url"] == browser.base + "/anything/a/b?c=d"
    )
    assert browser.json("/user-agent")["user-agent"].startswith("orbweb/")
    assert browser.json("/headers", ("X-Note", "hi"))["headers"]["X-Note"] == "hi"
    assert browser.get("/get", method="HEAD").body == b""


@pytest.mark.parametrize("kind", ["redirect", "relative-redirect", "absolute-redirect"])
@pytest.mark.parametrize("number", [1, 5])
def test_redirects(browser: Browser, kind: str, number: int) -> None:
    response, hops = browser.follow(f"/{kind}/{number}")
    assert (response.status, hops) == (200, number)
    assert json.loads(response.body)["url"] == browser.base + "/get"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_of_each_status(browser: Browser, status: int) -> None:
    response, hops = browser.follow(f"/redirect-to?url=/get&status_code={status}")
    assert (response.status, hops) == (200, 1)
    assert json.loads(response.body)["url"] == browser.base + "/get"


def test_redirects_through_the_whole_crawler(base: str, tmp_path: Path) -> None:
    paths = ["/redirect/3", "/relative-redirect/2", "/absolute-redirect/2"]
    config = Config(
        seeds=tuple(base + path for path in paths),
        dir=str(tmp_path),
        politeness=PolitenessConfig(per_host=8, wait=0.0),
        http=CONFIG,
    )
    open_crawl(config, mode="new").run()
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    ended = Counter(
        (each["type"], each.get("status")) for each in map(json.loads, lines)
    )
    # /redirect/3 leads to /relative-redirect/2, and all end at /get: each is requested
    # once.
    assert ended["redirect", 302] == 5
    assert ended["file", 200] + ended["page", 200] == 1
    assert ended["error", None] == 0


def test_cookies(browser: Browser) -> None:
    response, hops = browser.follow("/cookies/set?a=1&b=2")
    assert (json.loads(response.body)["cookies"], hops) == ({"a": "1", "b": "2"}, 1)
    browser.follow("/cookies/delete?a")
    assert browser.json("/cookies")["cookies"] == {"b": "2"}
    browser.follow("/cookies/set/b/3")
    assert browser.json("/cookies")["cookies"] == {"b": "3"}


@pytest.mark.parametrize(
    "path",
    ["/basic-auth/ann/s3cr3t", "/digest-auth/auth/ann/s3cr3t",
     "/digest-auth/none/ann/s3cr3t", "/digest-auth/auth/ann/s3cr3t/MD5",
     "/digest-auth/auth/ann/s3cr3t/SHA-256", "/digest-auth/auth/ann/s3cr3t/SHA-512",
     "/digest-auth/auth/ann/s3cr3t/MD5/never", "/digest-auth/auth/ann/s3cr3t/MD5/1"],
)  # fmt: skip
def test_authentication(browser: Browser, path: str) -> None:
    response = browser.get(path)
    assert response.status == 200
    assert json.loads(response.body)["authenticated"]
    assert json.loads(response.body)["user"] == "ann"


def test_a_stale_nonce_is_renewed(browser: Browser) -> None:
    """The nonce is refused as stale after one more request; the client copes."""
    path = "/digest-auth/auth/ann/s3cr3t/MD5/1"
    assert [browser.get(path).status for _ in range(4)] == [200] * 4


@pytest.mark.parametrize(
    "path", ["/basic-auth/ann/other", "/digest-auth/auth/ann/other"]
)
def test_the_wrong_password(browser: Browser, path: str) -> None:
    assert browser.get(path).status == 401


@pytest.mark.parametrize(
    ("path", "coding", "key"),
    [("/gzip", "gzip", "gzipped"), ("/deflate", "deflate", "deflated"),
     ("/brotli", "br", "brotli")],
)  # fmt: skip
def test_codings(browser: Browser, path: str, coding: str, key: str) -> None:
    response = browser.get(path)
    assert response.content_encoding == coding
    seen = json.loads(response.body)
    assert seen[key] is True
    assert coding in seen["headers"]["Accept-Encoding"]


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [("100-299", 100, 300), ("900-", 900, 1000), ("-50", 950, 1000)],
)
def test_ranges(browser: Browser, asked: str, first: int, end: int) -> None:
    whole = bytes(ord("a") + number % 26 for number in range(1000))
    assert browser.get("/range/1000").body == whole
    part = browser.get("/range/1000", ("Range", f"bytes={asked}"))
    assert (part.status, part.body) == (206, whole[first:end])
    assert part.header("content-range") == f"bytes {first}-{end - 1}/1000"


def test_a_range_that_is_not_there(browser: Browser) -> None:
    assert browser.get("/range/1000", ("Range", "bytes=2000-")).status == 416


def test_etag_and_cache(browser: Browser) -> None:
    assert browser.get("/etag/abc", ("If-None-Match", '"abc"')).status == 304
    assert browser.get("/etag/abc", ("If-None-Match", '"other"')).status == 200
    assert browser.get("/etag/abc", ("If-Match", '"other"')).status == 412
    first = browser.get("/cache")
    assert (first.status, json.loads(first.body)["url"]) == (
        200,
        browser.base + "/cache",
    )
    again = browser.get(
        "/cache", ("If-Modified-Since", first.header("last-modified") or "")
    )
    assert (again.status, again.body) == (304, b"")
    assert browser.get("/cache/60").header("cache-control") == "public, max-age=60"


def test_streams(browser: Browser) -> None:
    lines = browser.get("/stream/20").body.splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(20))


@pytest.mark.parametrize(
    "path", ["/bytes/5000?seed=1", "/stream-bytes/5000?seed=1&chunk_size=99"]
)
def test_bytes(browser: Browser, path: str) -> None:
    drawn = random.Random(1)  # as httpbin does
    response = browser.get(path)
    assert response.body == bytes(drawn.randint(0, 255) for _ in range(5000))
    assert response.wire_bytes == 5000


def test_drip(browser: Browser) -> None:
    dripped = browser.get("/drip?numbytes=5&duration=0.2&delay=0.1&code=203")
    assert (dripped.status, dripped.body) == (203, b"*****")
    assert dripped.timings.fetch_ms >= 250


def test_delays(base: str) -> None:
    patient = Browser(base)
    assert patient.get("/delay/0.2").timings.fetch_ms >= 200
    hasty = Browser(base, replace(CONFIG, read_timeout=0.1))
    with pytest.raises(Failure) as caught:
        hasty.get("/delay/10")
    assert caught.value.code == "read_timeout"
    patient.client.close()
    hasty.client.close()


def test_encodings(browser: Browser) -> None:
    response = browser.get("/encoding/utf8")
    assert response.header("content-type") == "text/html; charset=utf-8"
    assert "∮ E⋅da = Q" in response.body.decode()


@pytest.mark.parametrize(
    ("path", "magic"),
    [("/image/png", b"\x89PNG"), ("/image/jpeg", b"\xff\xd8\xff"),
     ("/image/webp", b"RIFF"), ("/image/svg", b"<svg")],
)  # fmt: skip
def test_images(browser: Browser, path: str, magic: bytes) -> None:
    response = browser.get(path)
    assert response.body.startswith(magic)
    kind = response.header("content-type") or ""
    assert kind.startswith("image/")
    assert browser.get("/image", ("Accept", kind)).body == response.body


@pytest.mark.parametrize("status", [200, 204, 304, 400, 404, 418, 429, 500, 503])
def test_statuses(browser: Browser, status: int) -> None:
    assert browser.get(f"/status/{status}").status == status
