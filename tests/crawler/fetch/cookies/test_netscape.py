"""netscape: cookies.txt files."""

from __future__ import annotations

import pytest

from crawler.fetch.cookies.cookie import Cookie
from crawler.fetch.cookies.netscape import read_netscape, write_netscape
from crawler.model.errors import UsageError

FILE = b"""# Netscape HTTP Cookie File
.a.example\tTRUE\t/\tFALSE\t1700000000\tlang\tde

#HttpOnly_b.example\tFALSE\t/x\tTRUE\t0\tsid\ts3cr3t\r
c.example\tTRUE\t/\tFALSE\t0\tempty\t
d.example\tFALSE\t/\tFALSE\t0\tempty
"""


def test_a_file_written_by_curl() -> None:
    assert read_netscape(FILE, "cookies.txt") == [
        Cookie("lang", "de", "a.example", "/", 1_700_000_000, host_only=False),
        Cookie("sid", "s3cr3t", "b.example", "/x", secure=True, http_only=True),
        Cookie("empty", "", "c.example", host_only=False),
        Cookie("empty", "", "d.example"),
    ]


def test_written_cookies_are_read_again() -> None:
    cookies = read_netscape(FILE, "cookies.txt")
    cookies += [Cookie("caf\xe9", "\x85", "::1"), Cookie("", "alone", "e.example")]
    written = write_netscape(cookies)
    assert written.startswith(b"# Netscape HTTP Cookie File\n")
    assert read_netscape(written, "again") == cookies


def test_a_cookie_with_a_tab_is_left_out() -> None:
    assert b"tab" not in write_netscape([Cookie("tab", "a\tb", "a.example")])


@pytest.mark.parametrize(
    "line",
    [b"s3cr3t", b"a\tTRUE\t/\tTRUE\tsoon\tx\ts3cr3t", b"a\ts3cr3t\t/\tTRUE\t0\tx\ty",
     b"a\tTRUE\t/\tTRUE\t-1\tx\ts3cr3t", b"a\tTRUE\t/\tTRUE\t0\tx\ts3cr3t\0",
     b"\tTRUE\t/\tTRUE\t0\tx\ts3cr3t", b"a\tTRUE\t/\tTRUE\t0\tx\ts3cr3t" + b"x" * 5000],
)  # fmt: skip
def test_an_error_names_the_line_and_never_shows_its_text(line: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        read_netscape(b"# one\n" + line, "jar.txt")
    assert str(caught.value).startswith("jar.txt:2: ")
    assert "s3cr3t" not in str(caught.value)
