"""What is told beside the records: as text, as JSON, on a terminal and in a file."""

from __future__ import annotations

import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler.cli.terminal.log import JsonLog, JsonView, LogFile, TextLog, to_stream
from crawler.cli.terminal.views import LineView
from crawler.engine.stats import Snapshot
from crawler.model.errors import ConnectRefused, OutputError
from crawler.model.http import Exchange, Peer, Response, Timings
from crawler.model.records import ErrorRecord, PageRecord, SkipRecord

NOW = 1_800_000_000.25
STAMP = "2027-01-15T08:00:00.250Z"
WHERE: dict[str, Any] = {
    "url": "http://a.example/\x1b[2Jx",
    "url_id": "0",
    "host": "a.example",
}

HEAD = (
    b"GET /\x1b[2Jx HTTP/1.1\r\nHost: a.example\r\n"
    b"Authorization: Basic czNjcjN0\r\n\r\n"
)
COOKIE = ("set-cookie", "sid=s3cr3t; Path=/")
ANSWER = Response(
    "http://a.example/x", 200, "O\x9bK", "1.1", (COOKIE,), b"hello", 3,
    Timings(7, ttfb_ms=5), "192.0.2.1", False,
)  # fmt: skip
EXCHANGE = Exchange(
    "http://a.example/\x1b[2Jx",
    HEAD,
    Peer("192.0.2.1", 80),
    Timings(7, ttfb_ms=5),
    ANSWER,
)
REFUSED = Exchange(
    "http://a.example/\x1b[2Jx",
    HEAD,
    None,
    Timings(7),
    None,
    ConnectRefused("a.example: refused"),
)


@pytest.fixture
def lines() -> list[str]:
    return []


def tell_all(log: TextLog | JsonLog) -> None:
    log.message("to the user\x07")
    log.exchange(EXCHANGE)
    log.exchange(REFUSED)
    log.record(PageRecord(**WHERE, status=200, fetch_ms=7, body_bytes=5))
    log.record(
        ErrorRecord(
            **WHERE, error_code="reset", error_stage="body", error_message="broke"
        )
    )
    log.record(SkipRecord(**WHERE, reason="robots", rule="robots.txt:2"))


def test_as_text(lines: list[str]) -> None:
    tell_all(TextLog(lines.extend))
    assert lines == [
        "to the user?",
        "* GET http://a.example/?[2Jx  200 O?K; 3 bytes, 5 decoded; 192.0.2.1 port 80, "
        "new connection; 7 ms (first byte 5)",
        "> Host: a.example  Authorization: Basic •••",
        "< set-cookie: sid=•••; Path=/",
        "* GET http://a.example/?[2Jx  failed (connect_refused, connect): "
        "a.example: refused; 7 ms",
        "page      200      7 ms  http://a.example/?[2Jx  5 B",
        "error     reset  http://a.example/?[2Jx  broke",
        "skip      robots  http://a.example/?[2Jx  robots.txt:2",
    ]


def test_with_the_time(lines: list[str]) -> None:
    TextLog(lines.extend, lambda: NOW).exchange(EXCHANGE)
    assert [line.partition(" ")[0] for line in lines] == [STAMP] * 3


def test_as_json(lines: list[str]) -> None:
    tell_all(JsonLog(lines.extend, lambda: NOW))
    events = [json.loads(line) for line in lines]
    assert {event["ts"] for event in events} == {STAMP}
    assert [(event["event"], event["level"]) for event in events] == [
        ("message", "info"), ("exchange", "debug"), ("exchange", "debug"),
        ("record", "info"), ("record", "warning"), ("record", "info"),
    ]  # fmt: skip
    message, exchange, refused, page, error, skip = events
    assert message["message"] == "to the user\x07"
    assert (exchange["method"], exchange["status"], exchange["ttfb_ms"]) == (
        "GET",
        200,
        5,
    )
    assert exchange["request_headers"][1] == {
        "name": "Authorization",
        "value": "Basic •••",
    }
    assert exchange["response_headers"] == [
        {"name": "set-cookie", "value": "sid=•••; Path=/"}
    ]
    assert (exchange["address"], exchange["reused_connection"]) == (
        "192.0.2.1 port 80",
        False,
    )
    assert (refused["status"], refused["address"]) == (None, None)
    assert refused["error_code"] == "connect_refused"
    assert exchange.keys() == refused.keys()
    assert (page["type"], page["status"], page["body_bytes"]) == ("page", 200, 5)
    assert (error["error_code"], error["error_message"]) == ("reset", "broke")
    assert (skip["reason"], skip["rule"]) == ("robots", "robots.txt:2")
    assert not any(
        "s3cr3t" in line or "czNjcjN0" in line or "\x1b" in line for line in lines
    )


def test_a_view_in_json(lines: list[str]) -> None:
    for quiet in (False, True):
        view = JsonView(JsonLog(lines.extend, lambda: NOW), quiet=quiet)
        view.update(
            Snapshot(elapsed_s=1.0, pages=1)
        )  # what ends sooner speaks for itself
        view.update(Snapshot(elapsed_s=11.00049, pages=5, pages_per_s=1 / 3))
        view.message("Finished")
        view.stopping()
        view.close()
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == ["progress", *["message"] * 4]
    assert events[0]["pages"] == 5
    assert (events[0]["elapsed_s"], events[0]["pages_per_s"]) == (11.0, 0.333)
    assert events[0]["waiting"] == []


def test_lines_that_belong_together_are_written_together() -> None:
    writes: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    for write in (to_stream(Stream()), LineView(Stream(), "t").write):
        TextLog(write).exchange(EXCHANGE)
    assert [text.count("\n") for text in writes] == [3, 3]


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    for word in ("one", "two \ud800"):
        with closing(LogFile(str(tmp_path / "log"))) as file:
            TextLog(file).message(word)
    assert (tmp_path / "log").read_text() == "one\ntwo ?\n"


def test_a_file_that_was_moved_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(LogFile(str(path))) as file:
        file(["one"])
        path.rename(tmp_path / "log.1")
        file(["two"])
        file.reopen()
        file(["three"])
        path.unlink()
        path.mkdir()
        with pytest.raises(OutputError, match="--log-file"):
            file.reopen()
        file(["it stays open"])
    assert (tmp_path / "log.1").read_text() == "one\ntwo\n"


def test_a_file_that_can_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"--log-file .*missing/log: No such file"):
        LogFile(str(tmp_path / "missing" / "log"))
    with (
        closing(LogFile("/dev/full")) as full,
        pytest.raises(OutputError, match="--log-file /dev/full: No space left"),
    ):
        full(["x"])
