"""WARC records by hand-made exchanges, read by warcio and FastWARC."""

from __future__ import annotations

import gzip
import os
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler.frontier.memory import MemoryStore
from crawler.model.errors import (
    ConnectionReset,
    Failure,
    ReadTimeout,
    StateError,
)
from crawler.model.http import Exchange, Peer, Response, Timings
from crawler.output.sink import Position
from crawler.output.warc.archive import WarcArchive
from crawler.output.warc.files import MAX_LINES, WarcFiles
from crawler.output.warc.surt import surt
from tests.helpers.warcs import Read, read_index, read_warc, read_warcs

URL = "https://example.com/a"
NOON = 1796040000.25  # 2026-11-30T12:00:00.250Z


def exchange(
    body: bytes = b"<p>hello",
    *headers: str,
    url: str = URL,
    status: int = 200,
    request: tuple[str, ...] = (),
    failure: Failure | None = None,
    **changes: Any,
) -> Exchange:
    lines = [f"HTTP/1.1 {status} Fine", *headers, "", ""]
    head = "\r\n".join(lines).encode("latin-1")
    timings = Timings(250)
    response = Response(
        url, status, "Fine", "1.1", (), body, len(body), timings, "192.0.2.1", False,
        truncated=changes.pop("truncated", None),
    )  # fmt: skip
    asked = "\r\n".join(["GET /a HTTP/1.1", "Host: example.com", *request, "", ""])
    fields = {
        "url": url,
        "request_head": asked.encode("latin-1"),
        "peer": Peer("192.0.2.1", 443),
        "timings": timings,
        "response": None if failure else response,
        "failure": failure,
        "response_head": head,
        "transferred": body,
    }
    return Exchange(**(fields | changes))


class Archive:
    """A WARC archive in a folder, and the state that belongs to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()

    def write(
        self,
        *exchanges: Exchange,
        position: Position | None = None,
        run_id: str = "RUN",
        max_size: int = 10**9,
        secrets: bool = False,
    ) -> Position:
        with closing(self.open(position, run_id, max_size, secrets)) as archive:
            for one in exchanges:
                archive.write(one, NOON)
            return archive.flush()

    def open(
        self,
        position: Position | None = None,
        run_id: str = "RUN",
        max_size: int = 10**9,
        secrets: bool = False,
    ) -> WarcArchive:
        number, offset, records, before = 0, 0, 0, run_id
        info_id = ""
        if position is not None:
            assert isinstance(position, list)
            _, before, number, offset, records, info_id = position
        files = WarcFiles(self.folder, "crawl", number, offset, before != run_id)
        return WarcArchive(
            files, run_id, records, self.store, [("software", "test")],
            max_size, secrets, info_id,
        )  # fmt: skip

    def file(self, number: int = 0) -> Path:
        return self.folder / f"crawl-{number:05d}.warc.gz"

    def answers(self) -> list[Read]:
        return [r for r in read_warcs(self.folder) if r.kind in ("response", "revisit")]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "warc")


def test_an_exchange_is_a_response_a_request_and_metadata(archive: Archive) -> None:
    one = exchange(
        b"<p>hello",
        "CONTENT-type:   text/html; charset=x",
        "X-Odd:é",
        request=("Referer: https://example.com/",),
    )
    archive.write(one)
    info, response, request, metadata = read_warcs(archive.folder)
    assert info.content == b"software: test\r\n"
    assert response.headers["WARC-Target-URI"] == URL
    assert response.headers["WARC-Date"] == "2026-11-30T12:00:00.000Z"
    assert response.headers["WARC-IP-Address"] == "192.0.2.1"
    assert response.content == b"<p>hello"
    identifier = response.headers["WARC-Record-ID"]
    for other in (request, metadata):
        assert other.headers["WARC-Concurrent-To"] == identifier
        assert other.headers["WARC-Warcinfo-ID"] == info.headers["WARC-Record-ID"]
    assert metadata.content == b"via: https://example.com/\r\nfetchTimeMs: 250\r\n"
    plain = gzip.decompress(archive.file().read_bytes())
    assert one.response_head + b"<p>hello\r\n\r\nWARC/1.1" in plain  # exact
    assert one.request_head + b"\r\n\r\nWARC/1.1" in plain
    (line,) = read_index(archive.file())
    assert (line["mime"], line["status"]) == ("text/html", "200")


def test_each_record_is_a_gzip_member(archive: Archive) -> None:
    archive.write(exchange())
    data = archive.file().read_bytes()
    for record in read_warc(archive.file()):
        member = data[record.offset : record.offset + record.length]
        assert gzip.decompress(member).startswith(b"WARC/1.1\r\nWARC-Type: ")


def test_a_chunked_body_is_one_chunk_and_marked(archive: Archive) -> None:
    body = b"0123456789abcdef" * 2
    archive.write(exchange(body, "Transfer-Encoding: chunked"))
    _, response, _, metadata = read_warcs(archive.folder)
    assert response.content == body
    assert b"transferCoding: chunked; written as one chunk" in metadata.content
    plain = gzip.decompress(archive.file().read_bytes())
    assert b"\r\n\r\n20\r\n%s\r\n0\r\n\r\n" % body in plain


def test_the_same_payload_is_a_revisit(archive: Archive) -> None:
    first, second = exchange(b"same"), exchange(b"same", url="https://example.com/b")
    position = archive.write(first)
    archive.write(second, exchange(b"", url=URL), position=position)
    original, revisit, empty = archive.answers()
    assert (original.kind, revisit.kind, empty.kind) == (
        "response",
        "revisit",
        "response",
    )
    assert revisit.headers["WARC-Profile"].endswith("/identical-payload-digest")
    assert revisit.headers["WARC-Refers-To"] == original.headers["WARC-Record-ID"]
    assert revisit.headers["WARC-Refers-To-Target-URI"] == URL
    assert revisit.headers["WARC-Refers-To-Date"] == original.headers["WARC-Date"]
    assert (revisit.status, revisit.content) == ("200", b"")
    assert (
        revisit.headers["WARC-Payload-Digest"]
        == original.headers["WARC-Payload-Digest"]
    )


def test_a_304_is_a_revisit_of_the_last_answer_with_a_validator(
    archive: Archive,
) -> None:
    position = archive.write(exchange(b"one", 'ETag: "1"'))
    archive.write(
        exchange(b"", 'ETag: "1"', status=304),
        exchange(b"", status=304, url="https://example.com/other"),
        position=position,
        run_id="NEXT",
    )
    original, revisit, unknown = archive.answers()
    assert revisit.headers["WARC-Profile"].endswith("/server-not-modified")
    assert revisit.headers["WARC-Refers-To"] == original.headers["WARC-Record-ID"]
    assert (revisit.status, unknown.kind, unknown.status) == ("304", "response", "304")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"truncated": "length"}, "length"),
        ({"truncated": "disconnect"}, "disconnect"),
        ({"failure": ConnectionReset("gone", stage="body")}, "disconnect"),
        ({"failure": ReadTimeout("slow", stage="body")}, "time"),
    ],
)
def test_what_is_not_whole_says_so_and_is_nothing_to_refer_to(
    archive: Archive, changes: dict[str, Any], reason: str
) -> None:
    chunked = "Transfer-Encoding: chunked"
    archive.write(
        exchange(b"half", **changes), exchange(b"half", chunked, **changes), exchange()
    )
    half, chunk, whole = archive.answers()
    assert half.headers["WARC-Truncated"] == chunk.headers["WARC-Truncated"] == reason
    assert half.content == chunk.content == b"half"
    assert (half.kind, chunk.kind) == ("response", "response")
    assert "WARC-Truncated" not in whole.headers


@pytest.mark.parametrize(
    "nothing",
    [
        exchange(failure=ConnectionReset("gone", stage="request"), response_head=b""),
        exchange(failure=ConnectionReset("gone", stage="headers")),
        exchange(response=None),
    ],
)
def test_an_exchange_without_an_answer_is_not_written(
    archive: Archive, nothing: Exchange
) -> None:
    archive.write(nothing)
    assert read_warcs(archive.folder) == []


SECRET = (
    "Cookie: id=1; b=2", "Authorization: Basic YTpi", "X-Mine: s3cret", "X-Open: yes",
    "Proxy-Authorization: Basic cDpx",
)  # fmt: skip


def test_secrets_that_were_sent_are_redacted(archive: Archive) -> None:
    archive.write(
        exchange(b"x", "Set-Cookie: id=1", request=SECRET, secret_headers=("x-mine",))
    )
    _, response, request, _ = read_warcs(archive.folder)
    assert request.http == [
        ("Host", "example.com"),
        ("Cookie", "id=redacted; b=redacted"),
        ("Authorization", "Basic redacted"),
        ("X-Mine", "redacted"),
        ("X-Open", "yes"),
        ("Proxy-Authorization", "Basic redacted"),
    ]
    assert response.http == [("Set-Cookie", "id=1")]


def test_secrets_are_kept_if_that_is_wanted(archive: Archive) -> None:
    archive.write(exchange(request=SECRET), secrets=True)
    _, _, request, _ = read_warcs(archive.folder)
    assert [": ".join(field) for field in request.http[1:]] == list(SECRET)


def test_behind_a_proxy_the_address_of_the_server_is_unknown(archive: Archive) -> None:
    archive.write(exchange(peer=Peer("192.0.2.9", 3128, proxy="http://p:3128")))
    _, response, *_ = read_warcs(archive.folder)
    assert "WARC-IP-Address" not in response.headers


def test_a_full_file_is_followed_by_another(archive: Archive) -> None:
    bodies = [os.urandom(500) for _ in range(9)]
    archive.write(
        *(exchange(body, url=f"{URL}/{n}") for n, body in enumerate(bodies)),
        max_size=4000,
    )
    assert [answer.content for answer in archive.answers()] == bodies
    files = sorted(archive.folder.glob("*.warc.gz"))
    assert len(files) > 2
    for file in files[:-1]:
        assert 4000 <= file.stat().st_size < 6000
    infos = {read_warc(file)[0].headers["WARC-Record-ID"] for file in files}
    assert len(infos) == len(files)
    for file in files:  # each record names the warcinfo of its own file
        info, *others = read_warc(file)
        own = info.headers["WARC-Record-ID"]
        assert {other.headers["WARC-Warcinfo-ID"] for other in others} == {own}


@pytest.mark.parametrize("max_size", [10**9, 3000])
def test_killed_it_is_cut_back_to_its_position(archive: Archive, max_size: int) -> None:
    def numbered(*numbers: int) -> list[Exchange]:
        return [exchange(os.urandom(400), url=f"{URL}/{n}") for n in numbers]

    position = archive.write(*numbered(1, 2), max_size=max_size)
    child = os.fork()
    if child == 0:
        try:
            opened = archive.open(position, max_size=max_size)
            for one in numbered(3, 4, 5, 6, 7):
                opened.write(one, NOON)
                opened.flush()
            with archive.file().open("ab") as file:
                file.write(b"\x1f\x8b torn")
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    archive.write(*numbered(8), position=position, max_size=max_size)
    found = [answer.url.removeprefix(URL) for answer in archive.answers()]
    assert found == ["/1", "/2", "/8"]


def test_killed_before_the_first_commit_it_begins_anew(archive: Archive) -> None:
    archive.write(exchange(url=f"{URL}/1"))
    archive.store = MemoryStore()
    archive.write(exchange(url=f"{URL}/2"))
    assert [answer.url for answer in archive.answers()] == [f"{URL}/2"]


def test_a_torn_line_of_an_index_is_cut(archive: Archive) -> None:
    position = archive.write(exchange())
    index = archive.folder / "crawl-00000.cdxj"
    index.write_bytes(index.read_bytes() + b'com,example)/x 2026 {"url":"ht')
    archive.write(exchange(b"other"), position=position)
    assert len(archive.answers()) == 2


def test_a_file_that_is_shorter_than_its_position_is_refused(archive: Archive) -> None:
    position = archive.write(exchange())
    os.truncate(archive.file(), 10)
    with pytest.raises(StateError, match="has 10 bytes, but the state says"):
        archive.write(exchange(), position=position)


@pytest.mark.parametrize("lost", ["cut", "zeros"])
def test_after_a_power_failure_it_goes_on_behind_its_last_whole_record(
    archive: Archive, lost: str
) -> None:
    archive.write(exchange(b"1"), exchange(b"22" * 10**6))
    before = read_warc(archive.file())
    size = archive.file().stat().st_size
    os.truncate(archive.file(), size - 10)
    if lost == "zeros":
        os.truncate(archive.file(), size)
    files = WarcFiles(archive.folder, "crawl", 0, size, restarted=True)
    assert files.offset == before[-1].offset
    files.close()
    assert len(read_warc(archive.file())) == len(before) - 1


def test_an_index_is_never_too_long_to_be_sorted(archive: Archive) -> None:
    files = WarcFiles(archive.folder, "crawl")
    for _ in range(MAX_LINES):
        assert not files.is_full(1)
        files.add_to_index(b"x\n")
    assert files.is_full(1)
    files.begin_next()
    assert not files.is_full(1)


def test_the_next_run_has_a_file_of_its_own(archive: Archive) -> None:
    """Also where the files of the run before were moved away."""
    position = archive.write(exchange(b"1"))
    position = archive.write(exchange(b"2"), position=position, run_id="SECOND")
    for file in archive.folder.iterdir():
        file.unlink()
    archive.write(exchange(b"3"), position=position, run_id="THIRD")
    assert [file.name for file in sorted(archive.folder.iterdir())] == [
        "crawl-00002.cdxj",
        "crawl-00002.warc.gz",
    ]


@pytest.mark.parametrize(
    ("url", "key"),
    [  # as pypi surt 0.3.1 makes them
        ("https://www.example.com:8443/A/?b=1&a=2", "com,example:8443)/a?a=2&b=1"),
        ("http://127.0.0.1:8080/", "1,0,0,127:8080)/"),
        ("http://example.com/", "com,example)/"),
        ("https://example.com/a//b/", "com,example)/a/b"),
        ("https://www2.example.com/?", "com,example)/"),
        ("https://example.com/%7Euser/%E4?x=%2F&y", "com,example)/~user/%e4?x=/&y"),
        ("http://[::1]/x", "::1)/x"),
        ("http://example.com/?a=1&b&&", "com,example)/?&&a=1&b"),
        ("http://example.com/?a&a=&a=1", "com,example)/?a&a=&a=1"),
        ("http://example.com/x?%2541=1", "com,example)/x?a=1"),
        ("http://example.com/%23?%23", "com,example)/%23?%23"),
        (f"http://example.com/x?PHPSESSID={'0a' * 16}&y=1", "com,example)/x?y=1"),
        (f"http://a.example/(a({'0a' * 12}))/x.aspx", "example,a)/x.aspx"),
    ],
)
def test_the_key_of_a_url_is_that_of_other_programs(url: str, key: str) -> None:
    assert surt(url) == key
