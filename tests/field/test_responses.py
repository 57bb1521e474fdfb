"""Response heads, bodies and redirects that break rules, and that others read."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.field.cases import (
    IMAGE,
    OK,
    PICTURE,
    Case,
    Hanging,
    Records,
    Reply,
    faults,
    html,
    links,
    page,
    parameters,
    redirect,
    robots,
)

START = b"HTTP/1.1 200 OK\r\n"
BODY = b'<title>ok</title><a href="/a">x</a>'
PAGES = BODY * 50
CODED = START + b"Content-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n"
PNG = START + b"Content-Type: image/png\r\n\r\n"


def head(case_id: str, report: str, about: str, response: bytes) -> Case:
    """A page with one link, whose response is sent as it stands."""
    routes = {"/": response, "/a": OK}
    return Case(case_id, report, about, routes, wanted=("/a",))


def stays_404(records: Records) -> bool:
    return any(r.get("status") == 404 and r["url"].endswith("/x") for r in records)


def picture_is_whole(records: Records) -> bool:
    return any(r["type"] == "image" and r["width"] == 40 for r in records)


def has_no_delay(records: Records) -> bool:
    return all(not r["crawl_delay_s"] for r in records if r["type"] == "robots")


CASES = [
    head(
        "t02",
        "scrapy/scrapy#210, #7133",
        "a header line without a colon",
        START + b"Server: x\r\nbroken line here\r\nContent-Type: text/html\r\n"
        b"Content-Length: 35\r\n\r\n" + BODY,
    ),
    head(
        "t04",
        "psf/requests#5277",
        "a second status line among the headers",
        b"HTTP/1.0 200 OK\r\nServer: Boa/0.94.13\r\nConnection: close\r\n"
        b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + BODY,
    ),
    head(
        "t21",
        "sibling of t02",
        "a space before the colon",
        START + b"Content-Type : text/html\r\nServer : x\r\n\r\n" + BODY,
    ),
    head(
        "t27",
        "sibling of t02",
        "the same Content-Length twice",
        START + b"Content-Type: text/html\r\nContent-Length: 35\r\n"
        b"Content-Length: 35\r\n\r\n" + BODY,
    ),
    head(
        "t31",
        "sibling of t02",
        "Transfer-Encoding: identity",
        START
        + b"Content-Type: text/html\r\nTransfer-Encoding: identity\r\n\r\n"
        + BODY,
    ),
    head(
        "t36",
        "sibling of t02",
        "Content-Type twice: the last one counts",
        START + b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n" + BODY,
    ),
    head(
        "t44",
        "sibling of t04",
        "no space behind the status code",
        b"HTTP/1.1 200OK\r\nContent-Type: text/html\r\n\r\n" + BODY,
    ),
    Case(
        "t09",
        "scrapy/scrapy#8004",
        "gzip that is cut short the first time is requested again",
        {
            "/": page('<a href="/g">x</a>'),
            "/g": (
                CODED + gzip.compress(PAGES)[:60],
                CODED + gzip.compress(PAGES),
            ),
            "/a": OK,
        },
        wanted=("/a",),
    ),
    Case(
        "y06",
        "sibling of t09",
        "a picture without a length that is cut short the first time",
        {
            "/": page('<img src="/i.png">'),
            "/i.png": (PNG + PICTURE[:60], PNG + PICTURE),
        },
        holds=picture_is_whole,
    ),
    Case(
        "t13",
        "scrapy/scrapy#2493",
        "a redirect whose body is shorter than its Content-Length",
        {
            "/": b"HTTP/1.1 301 Moved\r\nContent-Length: 400\r\nLocation: /a\r\n\r\n-",
            "/a": OK,
        },
        wanted=("/a",),
    ),
    Case(
        "t46",
        "sibling of t13",
        "a 404 whose body is cut short stays a 404",
        {
            "/": links("/x"),
            "/x": b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n"
            b"Content-Length: 999\r\n\r\nshort",
        },
        holds=stays_404,
    ),
    Case(
        "t47",
        "sibling of t13",
        "a redirect whose body never comes, on a connection that stays open",
        {
            "/": Hanging(
                b"HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 10\r\n\r\n"
            ),
            "/a": OK,
        },
        wanted=("/a",),
    ),
    Case(
        "u23",
        "scrapy/scrapy#2321",
        "Location with Latin-1 bytes, with a space, with a fragment",
        {
            "/": links("/r1", "/r2", "/r3"),
            "/r1": b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: /caf\xe9\r\n\r\n",
            "/r2": redirect("/a b.html"),
            "/r3": redirect("/frag#x"),
            "*": OK,
        },
        wanted=("/caf%E9", "/a%20b.html", "/frag"),
    ),
    Case(
        "u31",
        "sibling of u23",
        "Location with bytes of GBK",
        {
            "/": links("/r"),
            "/r": b"HTTP/1.1 302 F\r\nContent-Length: 0\r\n"
            b"Location: /s?q=\xc4\xe3\xba\xc3\r\n\r\n",
            "*": OK,
        },
        wanted=("/s?q=%C4%E3%BA%C3",),
    ),
    Case(
        "s02",
        "webrecorder/browsertrix-crawler#1051",
        "a seed that redirects to a foreign site: only its page is fetched",
        {
            "/": redirect("http://s02.other.test:@PORT@/page"),
            "//s02.other.test/page": page('<a href="/all">x</a>'),
            "//s02.other.test/all": OK,
        },
        wanted=("//s02.other.test/page",),
        refused=("//s02.other.test/all",),
    ),
    Case(
        "s14",
        "sibling of webrecorder/browsertrix-crawler#475",
        "a seed that goes on to its www host by meta refresh",
        {
            "/": html(
                "<meta http-equiv=refresh "
                'content="0;url=http://www.s14.field.test:@PORT@/">'
            ),
            "//www.s14.field.test/": page('<a href="/a">x</a>'),
            "//www.s14.field.test/a": OK,
        },
        wanted=("//www.s14.field.test/", "//www.s14.field.test/a"),
    ),
    Case(
        "h34",
        "medialab/minet#150",
        "a Refresh header",
        {
            "/": links("/r"),
            "/r": Reply(b"wait", headers=("Refresh: 0; url=/t",)),
            "/t": OK,
        },
        wanted=("/t",),
    ),
    Case(
        "h35",
        "sibling of h34",
        "a Link header with rel=next",
        {
            "/": links("/l"),
            "/l": Reply(
                b"x",
                headers=('Link: </page2>; rel="next", </alt>; rel=alternate',),
            ),
            "*": OK,
        },
        wanted=("/page2",),
    ),
    Case(
        "r25",
        "crawler-commons/crawler-commons#430",
        "Crawl-delay 0 for all robots, 20 for another one",
        {
            "/robots.txt": robots(
                "User-agent: *\nCrawl-delay: 0\n\nUser-agent: Slurp\nCrawl-delay: 20\n"
            ),
            "/": links("/a"),
            "/a": IMAGE,
        },
        wanted=("/a",),
        holds=has_no_delay,
        options=("--max-time", "3"),
    ),
]


@pytest.mark.parametrize("case", parameters(CASES))
def test_a_crawl_reads_what_others_read(case: Case, tmp_path: Path) -> None:
    assert faults(case, tmp_path / "out") == []
