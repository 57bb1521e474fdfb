"""parser: responses in every framing, with every irregularity, cut anywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.fetch.http1.parser import ResponseReader
from crawler.model.errors import ConnectionReset, ProtocolFailure
from tests.helpers.http1 import read

OK = b"HTTP/1.1 200 OK\r\n"
TEN = b"0123456789"
REST = b"Content-Length: 3\r\n\r\nabcde"
THREE = OK + b"Content-Length: 3\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


# name: (stream, method) -> (body, reusable)
WHOLE = {
    "length": (THREE + b"abc", "GET", b"abc", True),
    "length zero": (OK + b"Content-Length: 0\r\n\r\n", "GET", b"", True),
    "length with leading zeros": (
        OK + b"Content-Length: 003\r\n\r\nabc", "GET", b"abc", True
    ),
    "longer than length": (THREE + b"abcdef", "GET", b"abc", False),
    "line end after the body": (THREE + b"abc\r\n", "GET", b"abc", False),
    "two responses": ((THREE + b"abc") * 2, "GET", b"abc", False),
    "chunked": (CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "GET", b"abcde", True),
    "chunked, empty": (CHUNKED + b"0\r\n\r\n", "GET", b"", True),
    "chunk extension": (CHUNKED + b'3;a="b"\r\nabc\r\n0\r\n\r\n', "GET", b"abc", True),
    "chunk size padded": (CHUNKED + b"3  \r\nabc\r\n0\r\n\r\n", "GET", b"abc", True),
    "chunk size upper case": (
        CHUNKED + b"A\r\n" + TEN + b"\r\n0\r\n\r\n", "GET", TEN, True
    ),
    "trailers": (
        CHUNKED + b"3\r\nabc\r\n0\r\nX: 1\r\nY: 2\r\n\r\n", "GET", b"abc", True
    ),
    "after chunked": (CHUNKED + b"3\r\nabc\r\n0\r\n\r\nHTTP/1.1", "GET", b"abc", False),
    "line end after chunked": (
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n\r\n", "GET", b"abc", False
    ),
    "lone LF after chunked": (
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n\n", "GET", b"abc", False
    ),
    "response after chunked": (
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx",
        "GET", b"abc", False,
    ),
    "both framings": (
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n"
        + b"3\r\nabc\r\n0\r\n\r\n",
        "GET", b"abc", False,
    ),
    "both framings, length first": (
        OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"3\r\nabc\r\n0\r\n\r\n",
        "GET", b"abc", False,
    ),
    "chunked in 1.0": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n",
        "GET", b"abc", False,
    ),
    "HEAD with length": (THREE, "HEAD", b"", True),
    "HEAD with chunked": (CHUNKED, "HEAD", b"", True),
    "HEAD without framing": (OK + b"\r\n", "HEAD", b"", True),
    "HEAD with a body": (THREE + b"abc", "HEAD", b"", False),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", b"", True),
    "204 with length": (
        b"HTTP/1.1 204 N\r\nContent-Length: 3\r\n\r\n", "GET", b"", True
    ),
    "304 with length": (
        b"HTTP/1.1 304 N\r\nContent-Length: 3\r\n\r\n", "GET", b"", True
    ),
    "100 first": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + THREE + b"abc", "GET", b"abc", True
    ),
    "103 with length": (
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\n" + THREE
        + b"abc",
        "GET", b"abc", True,
    ),
    "199 with length": (
        b"HTTP/1.1 199 Odd\r\nContent-Length: 3\r\n\r\n" + THREE + b"abc",
        "GET", b"abc", True,
    ),
    "102 with close": (
        b"HTTP/1.1 102 P\r\nConnection: close\r\n\r\n" + OK
        + b"Content-Length: 0\r\n\r\n",
        "GET", b"", True,
    ),
    "close": (
        OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", "GET", b"abc", False
    ),
    "Close among others": (
        OK + b"Connection: foo, Close\r\nContent-Length: 3\r\n\r\nabc", "GET", b"abc",
        False
    ),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", "GET", b"abc", False),
    "1.0 keep-alive": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\r\nabc",
        "GET", b"abc", True,
    ),
    "lone LF": (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", "GET", b"abc", True),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", "GET", b"abc", True),
    "offer to upgrade": (
        OK + b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 3\r\n\r\nabc",
        "GET", b"abc", True,
    ),
    "folded length": (OK + b"Content-Length:\r\n 3\r\n\r\nabc", "GET", b"abc", True),
    "status 999": (
        b"HTTP/1.1 999 No\r\nContent-Length: 3\r\n\r\nabc", "GET", b"abc", True
    ),
}  # fmt: skip

# name: (stream, body, what was tolerated); the connection is closed after each
TOLERATED = {
    "empty line first": (b"\r\n" + THREE + b"abcde", b"abc", "empty_line"),
    "four line feeds first": (b"\n" * 4 + THREE + b"abcde", b"abc", "empty_line"),
    "empty line after 100": (
        b"HTTP/1.1 100 Continue\r\n\r\n\r\n" + THREE + b"abcde", b"abc", "empty_line"
    ),
    "no space before the reason": (
        b"HTTP/1.1 200OK\r\n" + REST, b"abc", "status_line"
    ),
    "two spaces before the status": (
        b"HTTP/1.1  200 OK\r\n" + REST, b"abc", "status_line"
    ),
    "tab before the reason": (
        b"HTTP/1.1 200\tOK\r\n" + REST, b"abc", "status_line"
    ),
    "lower case": (
        b"http/1.1 200 OK\r\n" + REST, b"abc", "status_line"
    ),
    "lone CR in the reason": (
        b"HTTP/1.1 200 O\rK\r\n" + REST, b"abc", "status_line lone_cr"
    ),
    "HTTP/2": (
        b"HTTP/2 200\r\n" + REST, b"abc", "http_version"
    ),
    "HTTP/2.0": (
        b"HTTP/2.0 200 OK\r\n" + REST, b"abc", "http_version"
    ),
    "space before the colon": (
        OK + b"X : a\r\nContent-Length\t : 3\r\n\r\nabcde", b"abc", "space_before_colon"
    ),
    "chunked behind a space": (
        OK + b"Transfer-Encoding : chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc",
        "space_before_colon",
    ),
    "empty name": (OK + b": a\r\n" + REST, b"abc", "field_name"),
    "space in a name": (
        OK + b"Content Length: 4\r\n" + REST, b"abc", "field_name"
    ),
    "no token as a name": (
        OK + b"caf\xe9(x): 4\r\n" + REST, b"abc", "field_name"
    ),
    "control character in a name": (
        OK + b"Transfer-Encoding\x0b: chunked\r\n" + REST, b"abc",
        "field_name",
    ),
    "line without a colon": (
        OK + b"garbage\r\n folded\r\n" + REST, b"abc", "no_colon"
    ),
    "last line without a colon": (
        THREE[:-2] + b"<!-- x -->\r\n\r\nabcde", b"abc", "no_colon"
    ),
    "second status line": (
        OK + b"HTTP/1.0 404 No\r\n" + REST, b"abc", "second_status_line"
    ),
    "second status line with a colon": (
        OK + b"HTTP/1.1 302 Found: x\r\n" + REST, b"abc", "second_status_line"
    ),
    "control character in a value": (
        OK + b"X: a\x01\x1b\x7fb\r\n" + REST, b"abc",
        "control_character",
    ),
    "lone CR in a value": (OK + b"X: a\rb\r\n" + REST, b"abc", "lone_cr"),
    "CR CR LF": (THREE[:-4] + b"\r\r\n\r\nabcde", b"abc", "lone_cr"),
    "equal lengths": (
        OK + b"Content-Length: 3\r\n" + REST, b"abc", "repeated_length"
    ),
    "list of equal lengths": (
        OK + b"Content-Length: 3, 3,3\r\n\r\nabcde", b"abc", "repeated_length"
    ),
    "identity and a length": (
        OK + b"Transfer-Encoding: identity\r\n" + REST, b"abc",
        "transfer_coding",
    ),
    "empty coding and a length": (
        OK + b"Transfer-Encoding:\r\n" + REST, b"abc", "transfer_coding"
    ),
    "chunked twice": (
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n", b"abc", "transfer_coding",
    ),
    "chunked, and codings that are none": (
        OK + b"Transfer-Encoding: , identity, chunked,\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"abc", "transfer_coding",
    ),
    "both framings": (
        OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n", b"abc", "length_and_chunked",
    ),
    "chunk lines end in LF": (CHUNKED + b"3\nabc\n0\n\n", b"abc", "chunk_line"),
    "chunk that begins with LF": (CHUNKED + b"3\n\nab\n0\n\n", b"\nab", "chunk_line"),
    "only the last chunk lines end in LF": (
        CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\n\n", b"abcde", "chunk_line"
    ),
    "LF after the data": (CHUNKED + b"3\r\nabc\n0\r\n\r\n", b"abc", "chunk_line"),
    "control character in a chunk extension": (
        CHUNKED + b"3;a=\x01\r\nabc\r\n0\r\n\r\n", b"abc", "chunk_line"
    ),
    "trailer with a space before the colon": (
        CHUNKED + b"3\r\nabc\r\n0\r\nX : 1\r\n\r\n", b"abc", "chunk_line"
    ),
    "all lines end in LF": (
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\nabc\n0\nX: y\n\n", b"abc",
        "chunk_line",
    ),
    "several faults": (
        b"\r\nHTTP/1.1 200OK\r\nX Y: 1\r\nX : 1\r\n" + REST, b"abc",
        "empty_line status_line field_name space_before_colon",
    ),
    "a fault in an interim response": (
        b"HTTP/1.1 103 Early\r\nX : 1\r\n\r\n" + THREE + b"abcde", b"abc",
        "space_before_colon",
    ),
}  # fmt: skip

HEAD_CUT, BODY_CUT = ("reset", "headers"), ("reset", "body")
HEAD_FAULT, BODY_FAULT = ("protocol", "headers"), ("protocol", "body")
# name: (stream, error code and stage); the stream ends there
BROKEN = {
    "nothing": (b"", HEAD_CUT),
    "half a status line": (b"HTTP/1.1 20", HEAD_CUT),
    "half a head": (OK + b"Content-Le", HEAD_CUT),
    "only 100": (b"HTTP/1.1 100 Continue\r\n\r\n", HEAD_CUT),
    "half a body": (THREE + b"ab", BODY_CUT),
    "no body": (THREE, BODY_CUT),
    "half a chunk": (CHUNKED + b"3\r\nab", BODY_CUT),
    "no last chunk": (CHUNKED + b"3\r\nabc\r\n", BODY_CUT),
    "half a trailer": (CHUNKED + b"0\r\nX: 1\r\n", BODY_CUT),
    "lengths differ": (
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", HEAD_FAULT
    ),
    "length list": (OK + b"Content-Length: 3, 4\r\n\r\nabc", HEAD_FAULT),
    "length negative": (OK + b"Content-Length: -3\r\n\r\nabc", HEAD_FAULT),
    "length signed": (OK + b"Content-Length: +3\r\n\r\nabc", HEAD_FAULT),
    "length hexadecimal": (OK + b"Content-Length: 0x3\r\n\r\nabc", HEAD_FAULT),
    "length empty": (OK + b"Content-Length:\r\n\r\nabc", HEAD_FAULT),
    "length with a space": (OK + b"Content-Length: 1 2\r\n\r\nabc", HEAD_FAULT),
    "length folded": (OK + b"Content-Length: 1\r\n 2\r\n\r\nabc", HEAD_FAULT),
    "length beyond 64 bits": (
        OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", HEAD_FAULT
    ),
    "chunk size no number": (CHUNKED + b"zz\r\nabc\r\n", BODY_FAULT),
    "chunk size negative": (CHUNKED + b"-3\r\nabc\r\n", BODY_FAULT),
    "chunk size 0x": (CHUNKED + b"0x3\r\nabc\r\n", BODY_FAULT),
    "chunk size beyond 64 bits": (CHUNKED + b"f" * 30 + b"\r\nabc\r\n", BODY_FAULT),
    "chunk longer than its size": (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", BODY_FAULT),
    "transfer coding unknown": (
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", HEAD_FAULT
    ),
    "chunked not last": (OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n", HEAD_FAULT),
    "xchunked": (OK + b"Transfer-Encoding: xchunked\r\n\r\n", HEAD_FAULT),
    "101": (b"HTTP/1.1 101 Switching\r\n\r\n", HEAD_FAULT),
    "101 with upgrade": (
        b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", HEAD_FAULT
    ),
    "HTML only": (b"<html>old", HEAD_FAULT),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", HEAD_FAULT),
    "ICY": (b"ICY 200 OK\r\n\r\n", HEAD_FAULT),
    "RTSP": (b"RTSP/1.0 200 OK\r\n\r\n", HEAD_FAULT),
    "HTTP/0.9": (b"HTTP/0.9 200 OK\r\n\r\n", HEAD_FAULT),
    "HTTP/1.2": (b"HTTP/1.2 200 OK\r\n\r\n", HEAD_FAULT),
    "status 000": (b"HTTP/1.1 000 OK\r\n\r\n", HEAD_FAULT),
    "status of two digits": (b"HTTP/1.1 20 OK\r\n\r\n", HEAD_FAULT),
    "status of four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", HEAD_FAULT),
    "NUL in a value": (OK + b"X: a\0b\r\n\r\n", HEAD_FAULT),
    "space before the first header": (OK + b" X: a\r\n\r\n", HEAD_FAULT),
    "HTTP/3": (b"HTTP/3 200 OK\r\n\r\n", HEAD_FAULT),
    "HTTP/2.1": (b"HTTP/2.1 200 OK\r\n\r\n", HEAD_FAULT),
    "HTTP/1.10": (b"HTTP/1.10 200 OK\r\n\r\n", HEAD_FAULT),
    "three empty lines first": (b"\r\n" * 3 + OK + b"\r\n", HEAD_FAULT),
    "empty line and no HTTP": (b"\r\n<html>", HEAD_FAULT),
    "space before HTTP": (b" HTTP/1.1 200 OK\r\n\r\n", HEAD_FAULT),
    "tab after the version": (b"HTTP/1.1\t200 OK\r\n\r\n", HEAD_FAULT),
    "no status": (b"HTTP/1.1 OK\r\nX : y\r\n\r\n", HEAD_FAULT),
    "status with a sign": (b"HTTP/1.1 -200 OK\r\n\r\n", HEAD_FAULT),
    "101 and a fault": (b"HTTP/1.1 101 S\r\nX : y\r\n\r\n", HEAD_FAULT),
    "NUL and a fault": (OK + b"X : y\r\nY: a\0b\r\n\r\n", HEAD_FAULT),
    "lone CR before a length": (
        OK + b"X: a\rContent-Length: 2\r\n\r\nabc", HEAD_FAULT
    ),
    "lone CR between two lengths": (
        OK + b"Content-Length: 2\r Content-Length : 3\r\n\r\nabc", HEAD_FAULT
    ),
    "lone CR before a length in the status line": (
        b"HTTP/1.1 200 OK\r\rContent-Length: 4\r\n\r\nEvil", HEAD_FAULT
    ),
    "lone CR before a coding": (
        OK + b"X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HEAD_FAULT
    ),
    "lengths differ in writing": (
        OK + b"Content-Length: 3\r\nContent-Length: 03\r\n\r\nabc", HEAD_FAULT
    ),
    "lengths differ behind a space": (
        OK + b"Content-Length: 3\r\nContent-Length : 4\r\n\r\nabcd", HEAD_FAULT
    ),
    "length list with a gap": (OK + b"Content-Length: 3,\r\n\r\nabc", HEAD_FAULT),
    "equal lengths, no numbers": (
        OK + b"Content-Length: x\r\nContent-Length: x\r\n\r\n", HEAD_FAULT
    ),
    "length with a unit, and a fault": (
        OK + b"X : y\r\nContent-Length: 3 bytes\r\n\r\nabc", HEAD_FAULT
    ),
    "length with a control character": (
        OK + b"Content-Length: 3\x0b\r\n\r\nabc", HEAD_FAULT
    ),
    "coding with a control character": (
        OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", HEAD_FAULT
    ),
    "coding with a parameter": (
        OK + b"Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", HEAD_FAULT
    ),
    "chunked twice and a length": (
        OK + b"Transfer-Encoding: chunked, chunked\r\nContent-Length: 3\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n", HEAD_FAULT
    ),
    "chunked and two equal lengths": (
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3, 3\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n", HEAD_FAULT
    ),
    "chunk that is HTML": (CHUNKED + b"<html>abc", BODY_FAULT),
    "chunk size behind a space": (CHUNKED + b" 3\r\nabc\r\n", BODY_FAULT),
    "chunk size and a word": (CHUNKED + b"3 x\r\nabc\r\n", BODY_FAULT),
    "chunk longer than its size, LF": (CHUNKED + b"3\nabcd\n0\n\n", BODY_FAULT),
    "chunk without a line end": (CHUNKED + b"3\nabc0\n\n", BODY_FAULT),
    "half a chunk, LF": (CHUNKED + b"3\nab", BODY_CUT),
    "no end of trailers, LF": (CHUNKED + b"3\nabc\n0\nX: y\n", BODY_CUT),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_whole_responses(name: str) -> None:
    stream, method, body, reusable = WHOLE[name]
    seen = read(stream, method=method)
    assert seen.error is None
    assert (seen.done, seen.body, seen.reusable, seen.truncated) == (
        True,
        body,
        reusable,
        False,
    )


@pytest.mark.parametrize("name", TOLERATED)
def test_what_curl_and_chromium_read_is_read(name: str) -> None:
    stream, body, faults = TOLERATED[name]
    seen = read(stream)
    assert seen.error is None
    assert (seen.status, seen.done, seen.body) == (200, True, body)
    assert (seen.tolerated, seen.reusable) == (tuple(faults.split()), False)


@pytest.mark.parametrize(
    "name", set(WHOLE) - {"both framings", "both framings, length first"}
)
def test_a_regular_response_has_no_faults(name: str) -> None:
    stream, method, _, _ = WHOLE[name]
    assert read(stream, method=method).tolerated == ()


@pytest.mark.parametrize(
    ("codings", "body"),
    [(b"identity", b"abc"), (b"", b"abc"), (b"none, ,identity", b"abc")],
)
def test_without_a_coding_the_body_ends_when_the_server_closes(
    codings: bytes, body: bytes
) -> None:
    stream = OK + b"Transfer-Encoding: " + codings + b"\r\n\r\n" + body
    assert not read(stream).done
    seen = read(stream, eof=True)
    assert (seen.body, seen.error) == (body, None)


def test_fields_of_a_repaired_head() -> None:
    fields = b"X-One :  a\x01b \r\nno colon\r\nSet-Cookie: a\r\nX-Two: a\r\r\n\r\n"
    seen = read(b"HTTP/1.0 404Not  Found\r\n" + fields)
    assert (seen.status, seen.reason, seen.version) == (404, "Not  Found", "1.0")
    assert seen.headers == (("x-one", "a\x01b"), ("set-cookie", "a"), ("x-two", "a"))


def test_a_chunk_line_in_doubt_far_into_a_body_is_an_error() -> None:
    far = CHUNKED + b"20000\r\n" + b"x" * 0x20000 + b"\n0\r\n\r\n"
    near = CHUNKED + b"2000\r\n" + b"x" * 0x2000 + b"\n0\r\n\r\n"
    assert read(*cut(far, [60_000, 120_000])).error == BODY_FAULT
    seen = read(*cut(near, [4000, 6000]))
    assert (len(seen.body), seen.tolerated) == (0x2000, ("chunk_line",))


def test_a_tolerated_chunk_extension_is_limited() -> None:
    line = b"3\nabc\n3;" + b"x" * 500
    assert read(*cut(CHUNKED + line, [60, 200]), header=100).error == BODY_FAULT


def test_a_tolerated_body_is_cut_at_the_limit() -> None:
    seen = read(CHUNKED + b"3\nabc\n3\nabc\n0\n\n", body=4)
    assert (seen.body, seen.truncated, seen.done) == (b"abca", True, True)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_responses(name: str) -> None:
    stream, error = BROKEN[name]
    seen = read(*([stream] if stream else []), eof=True)
    assert seen.error == error
    assert not seen.reusable


def test_a_body_without_framing_ends_when_the_server_closes() -> None:
    stream = OK + b"Content-Type: text/plain\r\n\r\nabc"
    assert not read(stream).done
    seen = read(stream, eof=True)
    assert (seen.done, seen.body, seen.reusable, seen.error) == (
        True,
        b"abc",
        False,
        None,
    )


def test_closing_after_the_end_is_not_an_error_but_ends_the_connection() -> None:
    seen = read(THREE + b"abc", eof=True)
    assert (seen.done, seen.reusable, seen.error) == (True, False, None)


def test_head_fields() -> None:
    fields = b"X-One:  a b \t\r\nSET-Cookie: a\r\nset-cookie: \xe9\r\nE:\r\n\r\n"
    seen = read(b"HTTP/1.1 404 Not  Found\r\n" + fields)
    assert (seen.status, seen.reason, seen.version) == (404, "Not  Found", "1.1")
    assert seen.headers == (
        ("x-one", "a b"),
        ("set-cookie", "a"),
        ("set-cookie", "\xe9"),
        ("e", ""),
    )


def test_a_fold_becomes_a_space() -> None:
    seen = read(OK + b"X: a \r\n\t b\r\n  c\r\nContent-Length: 0\r\n\r\n")
    assert seen.headers[0] == ("x", "a b c")


def test_interim_responses_leave_nothing_behind() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    seen = read(early + early + b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n")
    assert (seen.status, seen.reason) == (200, "")
    assert seen.headers == (("content-length", "0"),)


def test_trailers_are_dropped() -> None:
    seen = read(CHUNKED + b"0\r\nContent-Type: text/evil\r\n\r\n")
    assert seen.headers == (("transfer-encoding", "chunked"),)


HEAD = OK + b"Content-Length: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("limit", "code"), [(len(HEAD), None), (len(HEAD) - 1, "protocol")]
)
def test_the_header_limit_is_exact(limit: int, code: str | None) -> None:
    error = read(HEAD + b"x", header=limit).error
    assert (error and error[0]) == code


def test_interim_responses_count_towards_the_header_limit() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    room = len(interim) * 3 + len(HEAD)
    assert read(interim * 3 + HEAD + b"x", header=room).error is None
    assert read(interim * 4 + HEAD + b"x", header=room).error == HEAD_FAULT


@pytest.mark.parametrize(
    "endless",
    [OK + b"X: " + b"a" * 200, OK + b"X: a\r\n" * 40, b"HTTP/1.1 100 C\r\n\r\n" * 20],
    ids=["one line", "many lines", "interim answers"],
)
def test_endless_header_sections_end(endless: bytes) -> None:
    assert read(endless, header=100).error == HEAD_FAULT
    reader = ResponseReader("GET", 100, 100)
    reader.feed(endless[:100])
    with pytest.raises(ProtocolFailure, match=r"http\.max_header"):
        reader.feed(endless[100:101])


def test_two_thousand_interim_responses_are_fast() -> None:
    stream = (
        b"HTTP/1.1 100 Continue\r\n\r\n" * 2000 + OK + b"Content-Length: 1\r\n\r\nx"
    )
    assert read(stream).body == b"x"


@pytest.mark.parametrize("line", [b"0\r\n" + b"X: 1\r\n" * 100, b"1;" + b"x" * 500])
def test_endless_chunk_framing_ends(line: bytes) -> None:
    assert read(CHUNKED + line, header=100).error == BODY_FAULT


def test_tiny_chunks_are_accepted() -> None:
    body = b"0001\r\nx\r\n" * 5000 + b"0\r\n\r\n"
    seen = read(CHUNKED + body, header=100)
    assert (seen.body, seen.reusable) == (b"x" * 5000, True)


@pytest.mark.parametrize(
    ("stream", "eof"),
    [
        (OK + b"Content-Length: 11\r\n\r\n" + b"a" * 11, False),
        (OK + b"\r\n" + b"a" * 11, False),
        (CHUNKED + b"b\r\n" + b"a" * 11 + b"\r\n0\r\n\r\n", False),
    ],
    ids=["length", "close", "chunked"],
)
def test_a_body_beyond_the_limit_is_cut_there(stream: bytes, eof: bool) -> None:
    seen = read(stream, body=10)
    assert (seen.body, seen.done, seen.truncated, seen.reusable) == (
        b"a" * 10,
        True,
        True,
        False,
    )
    assert not read(stream, body=11, eof=True).truncated


def test_resets_name_the_stage() -> None:
    reader = ResponseReader("GET", 1000, 1000)
    reader.feed(OK + b"Content-Length: 10\r\n\r\nabc")
    with pytest.raises(ConnectionReset, match="3 bytes"):
        reader.feed_eof()


# -- any cut of the bytes

STREAMS = [(stream, method) for stream, method, _, _ in WHOLE.values()]
STREAMS += [(stream, "GET") for stream, _, _ in TOLERATED.values()]
STREAMS += [(stream, "GET") for stream, _ in BROKEN.values() if stream]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % len(stream) for place in places} - {0}), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("number", range(len(STREAMS)))
def test_byte_by_byte_is_the_same(number: int) -> None:
    stream, method = STREAMS[number]
    for eof in (False, True):
        whole = read(stream, method=method, eof=eof)
        assert read(*(bytes([b]) for b in stream), method=method, eof=eof) == whole


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(STREAMS),
    st.lists(st.integers(0, 10_000), max_size=8),
    st.booleans(),
    st.integers(20, 200),
    st.integers(1, 12),
)
def test_any_cut_is_the_same(
    stream: tuple[bytes, str], places: list[int], eof: bool, header: int, body: int
) -> None:
    data, method = stream
    whole = read(data, method=method, eof=eof, header=header, body=body)
    pieces = cut(data, places)
    assert read(*pieces, method=method, eof=eof, header=header, body=body) == whole


FRAGMENTS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"0", b"3", b"abc", b":", b";", b"HTTP/1.1 ",
     b"200 OK", b"100 C", b"Content-Length: 3", b"Transfer-Encoding: chunked",
     b"Connection: close", b"X: y", b"\0", b"X : y", b"\x01", b"Transfer-Encoding:"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([b"", OK, CHUNKED, OK + b"Content-Length: 3\r\n"]),
    st.lists(FRAGMENTS, min_size=1, max_size=14),
    st.lists(st.integers(0, 10_000), max_size=6),
)
def test_any_cut_of_nonsense_is_the_same(
    start: bytes, fragments: list[bytes], places: list[int]
) -> None:
    data = start + b"".join(fragments)
    whole = read(data, eof=True, header=80, body=20)
    assert read(*cut(data, places), eof=True, header=80, body=20) == whole
