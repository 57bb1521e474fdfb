"""Pages that refuse, ask to wait, or answer with conditions."""

from __future__ import annotations

import time
from email.utils import formatdate

from tests.site.page import Page, ok, reply
from tests.site.server import Exchange

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
    """503 for the first requests of a URL, as many as the path says; then a page."""
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
    """1 KiB that can be asked for in parts (RFC 9110 section 14)."""
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
    """Lets in user "user" with the password "secret"."""
    if exchange.hit.headers.get("authorization") == "Basic dXNlcjpzZWNyZXQ=":
        exchange.reply("<p>welcome")
    else:
        exchange.reply(status=401, headers=[("WWW-Authenticate", 'Basic realm="site"')])


PAGES = [
    *[Page(f"/status/{code}", status, ok(None, code))
      for code in (204, 304, 400, 401, 403, 404, 410, 418, 429, 451, 500, 502, 503, 504, 599)],
    Page("/retry-after/1", retry_after, ok(b"<p>later", 429)),
    Page("/retry-after-date", retry_after_date, ok(b"<p>later", 503)),
    Page("/retry-after-never", reply(status=503, headers=(("Retry-After", "soon"),)), ok(b"", 503)),
    Page("/flaky/2", flaky, ok(b"<p>not yet", 503)),
    Page("/cached", cached, ok(b"<p>cached")),
    Page("/ranges", ranges, ok(WHOLE)),
    Page("/basic", basic, ok(b"", 401)),
]  # fmt: skip
