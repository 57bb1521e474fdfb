"""Pages that refuse, send Retry-After, or answer conditional requests."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from email.utils import formatdate

from tests.site.page import Page, ok, reply
from tests.site.server import Exchange, Hit

ETAG = '"v1"'
MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT"
WHOLE = bytes(range(256)) * 4


def status(exchange: Exchange) -> None:
    code = int(exchange.arg("404"))
    exchange.reply(b"" if code in (204, 304) else f"<p>{code}", status=code)


def retry_after(exchange: Exchange) -> None:
    """429 with as many seconds as the path says."""
    exchange.reply("<p>later", status=429, headers=[("Retry-After", exchange.arg("1"))])


def retry_after_date(exchange: Exchange) -> None:
    date = formatdate(time.time() + 2, usegmt=True)
    exchange.reply("<p>later", status=503, headers=[("Retry-After", date)])


def flaky(exchange: Exchange) -> None:
    """503 for as many requests of a URL as the path says, then a page."""
    earlier = len(exchange.site.hits(exchange.hit.target)) - 1
    if earlier < int(exchange.arg("2")):
        exchange.reply("<p>not yet", status=503)
    else:
        exchange.reply("<p>at last")


def cached(exchange: Exchange) -> None:
    """A page that has not changed since its ETag and date."""
    asked = exchange.hit.headers
    headers = [("ETag", ETAG), ("Last-Modified", MODIFIED)]
    if asked.get("if-none-match") == ETAG or asked.get("if-modified-since") == MODIFIED:
        exchange.reply(status=304, headers=headers)
    else:
        exchange.reply("<p>cached", headers=headers)


def ranges(exchange: Exchange) -> None:
    """1 KiB that can be requested in parts (RFC 9110 section 14)."""
    wanted = exchange.hit.headers.get("range", "")
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    headers = [("Accept-Ranges", "bytes"), ("ETag", ETAG)]
    if not first or exchange.hit.headers.get("if-range", ETAG) != ETAG:
        exchange.reply(WHOLE, "application/octet-stream", headers=headers)
        return
    start, end = int(first), int(last or len(WHOLE) - 1)
    headers.append(("Content-Range", f"bytes {start}-{end}/{len(WHOLE)}"))
    part = WHOLE[start : end + 1]
    exchange.reply(part, "application/octet-stream", status=206, headers=headers)


def basic(exchange: Exchange) -> None:
    """Accepts the user "user" with the password "secret"."""
    if exchange.hit.headers.get("authorization") == "Basic dXNlcjpzZWNyZXQ=":
        exchange.reply("<p>welcome")
    else:
        exchange.reply(status=401, headers=[("WWW-Authenticate", 'Basic realm="site"')])


def digest(exchange: Exchange) -> None:
    """The same by Digest; the path names the algorithm ("old": that of RFC 2069)."""
    _digest(exchange, exchange.arg("md5"), "n0nce")


def digest_once(exchange: Exchange) -> None:
    """A nonce is valid for one request."""
    used = len(exchange.site.hits("/digest-once")) - 1
    _digest(exchange, "md5", f"nonce-{used // 2}")


def digest_or_basic(exchange: Exchange) -> None:
    """Accepts either scheme, and offers the weaker one first."""
    basic_too = ("WWW-Authenticate", 'Basic realm="site", Negotiate')
    _digest(exchange, "md5", "n0nce", [basic_too])


def _digest(
    exchange: Exchange, algorithm: str, nonce: str, more: Sequence[tuple[str, str]] = ()
) -> None:
    old = algorithm == "old"
    sent = exchange.hit.headers.get("authorization", "")
    fields = dict(re.findall(r'(\w+)="?([^",]*)', sent))
    if sent.startswith("Digest") and fields["nonce"] == nonce:
        expected = _digest_response(exchange.hit, fields, "md5" if old else algorithm)
        if fields["response"] == expected:
            exchange.reply("<p>welcome")
            return
    challenge = f'Digest realm="the site", nonce="{nonce}", opaque="x"'
    challenge += "" if old else f', qop="auth-int, auth", algorithm={algorithm.upper()}'
    challenge += ", stale=true" if sent and fields.get("nonce") != nonce else ""
    exchange.reply(status=401, headers=[*more, ("WWW-Authenticate", challenge)])


def _digest_response(hit: Hit, fields: dict[str, str], algorithm: str) -> str:
    """RFC 7616 section 3.4.1, for the user "user" with the password "secret"."""
    name = algorithm.removesuffix("-sess").replace("-", "")

    def h(*parts: str) -> str:
        return hashlib.new(name, ":".join(parts).encode()).hexdigest()

    first = h("user", "the site", "secret")
    if algorithm.endswith("-sess"):
        first = h(first, fields["nonce"], fields["cnonce"])
    middle = [fields[key] for key in ("nonce", "nc", "cnonce", "qop") if key in fields]
    return h(first, *middle, h(hit.method, hit.target))


PAGES = [
    *[
        Page(f"/status/{code}", status, ok(None, code))
        for code in (
            204,
            304,
            400,
            401,
            403,
            404,
            410,
            418,
            429,
            451,
            500,
            502,
            503,
            504,
            599,
        )
    ],
    Page("/retry-after/1", retry_after, ok(b"<p>later", 429)),
    Page("/retry-after-date", retry_after_date, ok(b"<p>later", 503)),
    Page(
        "/retry-after-never",
        reply(status=503, headers=(("Retry-After", "soon"),)),
        ok(b"", 503),
    ),
    Page("/flaky/2", flaky, ok(b"<p>not yet", 503)),
    Page("/cached", cached, ok(b"<p>cached")),
    Page("/ranges", ranges, ok(WHOLE)),
    Page(
        "/part-unasked",
        reply(b"<p>a part", status=206, headers=(("Content-Range", "bytes 0-8/100"),)),
        ok(status=206),
    ),
    Page("/basic", basic, ok(b"", 401)),
    *[
        Page(f"/digest/{name}", digest, ok(b"", 401))
        for name in ("md5", "sha-256", "md5-sess", "old")
    ],
    Page("/digest-once", digest_once),
    Page("/digest-or-basic", digest_or_basic, ok(b"", 401)),
]
