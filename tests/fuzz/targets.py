"""The targets: each takes any bytes, and raises an exception if something is broken.

Failures of the crawl (`Failure`, `UsageError`) are correct results for bad input.
"""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import brotli
from msgspec.structs import replace

from crawler.extract.extractor import extract
from crawler.extract.html.bounds import check_page
from crawler.extract.sniff import extract_media_type, parse_media_type
from crawler.fetch.auth.challenges import Authenticator, parse_challenges
from crawler.fetch.auth.credentials import Credentials
from crawler.fetch.conditional import (
    MIN_PART,
    OVERLAP,
    conditional_headers,
    extend,
    merge,
    resumable,
    resume_range,
    validators_of,
)
from crawler.fetch.connect.proxy import parse_proxy
from crawler.fetch.cookies.cookie import RequestContext
from crawler.fetch.cookies.jar import CookieJar
from crawler.fetch.cookies.netscape import read_netscape, write_netscape
from crawler.fetch.dns.files import read_hosts, read_resolv_conf
from crawler.fetch.dns.message import MAX_ADDRESSES, Question
from crawler.fetch.http1.archived import read_archived
from crawler.fetch.http1.codings import body_decoder
from crawler.fetch.http1.parser import ResponseReader
from crawler.fetch.target import parse_target
from crawler.model.documents import Page
from crawler.model.errors import BodyFailure, ExtractFailure, Failure, UsageError
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig, RobotsConfig
from crawler.model.redact import redact
from crawler.model.url import canonical, join, join_header
from crawler.output.warc.reader import Damage, read_records
from crawler.policy.response_status import failure_of, is_redirect
from crawler.policy.retry import retry_after
from crawler.policy.robots_meta import RobotsMetaReader
from crawler.policy.robots_txt import parse
from tests.site.codings import BODIES, zstd
from tests.site.name_server import records, respond
from tests.site.syntax import MESSAGES

LIMIT = 64 * 2**10
LIMITS = LimitsConfig(max_links=500)


def h1(data: bytes) -> None:
    """The events are the same however the input is cut, and stay within the limits."""
    method = "HEAD" if data[:1] == b"H" else "GET"
    step = data[1] % 7 + 1 if len(data) > 1 else 1
    whole, pieces = (
        _read(data[2:], method, len(data) or 1),
        _read(data[2:], method, step),
    )
    assert whole == pieces


def _read(data: bytes, method: str, step: int) -> tuple[object, ...]:
    reader = ResponseReader(method, 2 * LIMIT, LIMIT)
    body = b""
    try:
        for start in range(0, len(data), step):
            reader.feed(data[start : start + step])
            body += b"".join(reader.take())
        reader.feed_eof()
    except Failure as failure:
        assert not reader.reusable
        return failure.code, failure.at_stage
    body += b"".join(reader.take())
    assert len(body) == reader.wire_bytes <= LIMIT
    assert 200 <= reader.status < 1000
    assert not any("\n" in value or "\0" in value for _, value in reader.headers)
    return reader.status, tuple(reader.headers), body, reader.truncated


CODINGS = ("gzip", "deflate", "br", "zstd", "gzip, gzip", "br, gzip", "deflate, zstd")


def codings(data: bytes) -> None:
    """The result is the same whole or in pieces, and stays within the limit."""
    coding = CODINGS[data[0] % len(CODINGS)] if data else "gzip"
    found = {_decode(data[1:], coding, step) for step in (1 << 20, 7)}
    assert len(found) == 1


def _decode(data: bytes, coding: str, step: int) -> bytes | str:
    decoder = body_decoder(coding, LIMIT)
    size = 0
    digest = 0
    try:
        for start in range(0, len(data), step):
            for piece in decoder.feed(data[start : start + step]):
                size += len(piece)
                digest = zlib.crc32(piece, digest)
                assert size <= LIMIT
            if decoder.truncated:
                return f"cut {size} {digest}"
        decoder.finish()
    except Failure as failure:
        return failure.code
    return f"{size} {digest}"


def cookies(data: bytes) -> None:
    jar = CookieJar(per_domain=5, total=8)
    values = data.decode("latin-1").split("\n")
    for host in ("a.example", "x.a.example", "127.0.0.1"):
        site = RequestContext(host, "/x/y", True)
        jar.receive(values, site, 1e9)
        header = jar.header(site, 1e9)
        assert len(jar) <= 8
        assert header is None or not set(header) & set("\r\n\0")
    kept = [c for c in jar if "\t" not in c.name + c.value + c.path]
    with suppress(UsageError):
        again = read_netscape(write_netscape(kept), "jar")
        assert {(c.name, c.value, c.path) for c in again} == {
            (c.name, c.value, c.path) for c in kept
        }


def files(data: bytes) -> None:
    """Files and options of the user: cookies, resolv.conf, hosts, a proxy's URL."""
    text = data.decode("utf-8", "replace")
    with suppress(UsageError):
        read_netscape(data, "jar")
    with suppress(UsageError):
        parse_proxy(text, "proxy")
    assert len(read_resolv_conf(text)) <= 3
    read_hosts(text)


def credentials(data: bytes) -> None:
    values = data.decode("latin-1").split("\n")
    assert len(parse_challenges(values)) <= 16
    login = Authenticator(Credentials('us"er', "p\u00e4ss"), lambda: "nonce")
    if login.handle_challenge(values, None):
        authorization = login.authorization("GET", "/") or ""
        assert "p\u00e4ss" not in authorization


def fields(data: bytes) -> None:
    """Header field values, for each function that reads them."""
    value = data.decode("latin-1")
    media_type = parse_media_type(value)
    assert media_type is None or "/" in media_type.essence
    last = extract_media_type([value, "text/html", value])
    assert last is None or "/" in last.essence
    seconds = retry_after(value, 1e9)
    assert seconds is None or seconds >= 0
    RobotsMetaReader(RobotsConfig(noai=True)).read(value, [value])
    answer = replace(_response(b"", ("location", value)), status=302)
    if is_redirect(answer) and failure_of(answer, 1e9) is None:
        target = join_header("https://a.example/b", value)
        assert target is None or canonical(target) == target
    for name in ("set-cookie", "cookie", "authorization", "x-api-key", "server"):
        assert len(redact(name, value)) <= 3000


def urls(data: bytes) -> None:
    """A canonical URL is a fixed point, and can be requested."""
    text = data.decode("utf-8", "replace")
    for url in (canonical(text), join("https://a.example/b/c?d", text)):
        if url is not None:
            assert canonical(url) == url
            target = parse_target(url)
            assert not set(target.path + target.authority) & set(" \r\n\0#")


def _response(body: bytes, *headers: tuple[str, str]) -> Response:
    return Response(
        "https://a.example/", 200, "", "1.1", headers, body, 0, Timings(0), None, False
    )


def _extracted(body: bytes, media_type: str) -> None:
    for destination in ("page", "image"):
        # An ExtractFailure is an internal error, and may not come out.
        with suppress(*set(BodyFailure.__subclasses__()) - {ExtractFailure}):
            response = _response(body, ("content-type", media_type))
            found = extract(response, destination, LIMITS)  # type: ignore[arg-type]
            links = [*getattr(found, "links", ()), *getattr(found, "images", ())]
            assert len(links) <= 2 * LIMITS.max_links
            assert all(canonical(link.url) == link.url for link in links)
            if isinstance(found, Page):  # as where another process has read it
                check_page(found, LIMITS.max_links)


def html(data: bytes) -> None:
    _extracted(data, "text/html")


def xml(data: bytes) -> None:
    _extracted(data, "application/xml")


def images(data: bytes) -> None:
    _extracted(data, "image/png")


def robots(data: bytes) -> None:
    rules = parse(data, "orbweb")
    rules.allowed("https://a.example/x?y")


def dns(data: bytes) -> None:
    for kind in ("A", "AAAA"):
        answer = Question("a.example", kind, lambda: 7).answer(data)  # type: ignore[arg-type]
        assert answer is None or len(answer.addresses) <= MAX_ADDRESSES


WHOLE = random.Random(3).randbytes(MIN_PART + 4096)
PART = WHOLE[:-4000]


def conditional(data: bytes) -> None:
    """A body that is resumed.

    The lines are ETag, Last-Modified, Date, Content-Length of the whole, then
    Content-Range and ETag of the rest.

    No wrong byte may come out.
    """
    etag, modified, date, length, ranged, later, *_ = (
        data.decode("latin-1").split("\n") + [""] * 6
    )
    head = (
        ("etag", etag),
        ("last-modified", modified),
        ("date", date),
        ("content-length", length),
    )
    start = _response(PART, *head)
    sent = [*conditional_headers(validators_of(start))]
    part = resumable(start)
    if part is not None:
        sent += resume_range(part)
        for status in (200, 206, 416):
            for first in (len(PART) - OVERLAP, len(PART)):
                rest = _response(
                    WHOLE[first:], ("content-range", ranged), ("etag", later)
                )
                answer = replace(rest, status=status)
                whole, more = merge(part, answer, LIMIT * 2), extend(part, answer)
                assert whole is None or whole.body == WHOLE
                assert more is None or WHOLE.startswith(more.head.body)
    for _, value in sent:
        assert not set(value) & set("\r\n")


def warc(data: bytes) -> None:
    """A WARC file of others, and the responses in it."""
    found = list(read_records(BytesIO(data), lambda _fields: LIMIT))
    assert len(found) <= len(data)
    for one in found:
        if not isinstance(one, Damage):
            with suppress(Failure):
                read_archived("http://a.example/", one.block, LIMIT, LIMIT, None)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        h1,
        codings,
        cookies,
        files,
        credentials,
        fields,
        urls,
        html,
        xml,
        images,
        robots,
        dns,
        conditional,
        warc,
    )
}

_TEXT = b"All the world is a stage. " * 9
_QUERY = Question("a.example", "A", lambda: 7).wire

_ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
_WARC = (
    b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/\r\n"
    b"Content-Length: %d\r\n\r\n%s\r\n\r\n" % (len(_ANSWER), _ANSWER)
)

STARTS: dict[str, list[bytes]] = {
    "warc": [_WARC * 3, gzip.compress(_WARC) * 3, zstd.compress(_WARC * 3)],
    "h1": [b"G\3" + message for message, _ in MESSAGES.values()],
    "codings": [
        b"\0" + gzip.compress(_TEXT),
        b"\1" + zlib.compress(_TEXT),
        b"\2" + brotli.compress(_TEXT),
        b"\3" + zstd.compress(_TEXT),
        *(b"\0" + body for _, body, _ in BODIES.values()),
    ],
    "cookies": [
        b"a=b; Path=/; Domain=a.example; Max-Age=60; Secure; SameSite=None\n__Host-x=y",
        b"a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT\n=c\nd",
    ],
    "files": [
        b".a.example\tTRUE\t/\tFALSE\t1700000000\tlang\tde\n",
        b"nameserver 192.0.2.1\n",
        b"127.0.0.1 localhost\n",
        b"socks5h://user:pass@[::1]:1080",
    ],
    "credentials": [
        b'Digest realm="a", nonce="b", qop="auth", algorithm=SHA-256\nBasic realm=c'
    ],
    "fields": [
        b'text/html; charset="utf-8"; q=\\"x',
        b"Wed, 01 Jan 2025 00:00:00 GMT",
        b"120",
        b"orbweb: noai, nofollow; unavailable_after: 1",
        b"sid=1; Path=/; Secure",
        b"//b.example/\xc3\xa9 x?y#z",
    ],
    "urls": [
        b"https://user@a.example:443/b/../c d?e f#g",
        b"//b.example/\xc3\xa9",
        b"?q=\xff",
    ],
    "html": [
        b"<base href=/x><a href='y?z'>t</a>"
        b"<img srcset='a 1x, b 2x'><meta charset=big5>",
        b"<meta http-equiv=refresh content='0;url=/x'>"
        b"<script>if (a < b) '<a href=q>'</script>",
    ],
    "xml": [
        b'<?xml version="1.0"?><urlset><url><loc>http://a.example/b</loc></url></urlset>',
        b"<!DOCTYPE x [<!ENTITY a 'b'>]>"
        b"<rss><channel><item><link>/x</link></item></channel></rss>",
    ],
    "images": [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x06",
        b"GIF89a\x08\0\x06\0\0\0\0;",
        b"\xff\xd8\xff\xc0\0\x11\x08\0\x06\0\x08",
        b"RIFF\x16\0\0\0WEBPVP8L",
        b"<svg/>",
    ],
    "robots": [
        b"User-agent: *\nDisallow: /x*$\nAllow: /\nCrawl-delay: 2\nSitemap: /s.xml\n"
    ],
    "dns": [respond(_QUERY, lambda name, kind: records("192.0.2.1")) or b"", _QUERY],
    "conditional": [
        b'W/"a"\nWed, 01 Jan 2025 00:00:00 GMT',
        b'"a"\n\n\n%d\nbytes %d-%d/%d\n"a"'
        % (len(WHOLE), len(PART) - OVERLAP, len(WHOLE) - 1, len(WHOLE)),
        b"\nWed, 01 Jan 2025 00:00:00 GMT\nWed, 01 Jan 2026 00:00:00 GMT\n\n"
        b"bytes %d-%d/*\n" % (len(PART) - OVERLAP, len(WHOLE) - 1),
    ],
}
"""The inputs that the first mutations start from."""
