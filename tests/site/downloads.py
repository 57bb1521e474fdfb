"""Downloads that break off, and how the rest is served (RFC 9110 section 14)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from tests.site.images import noise
from tests.site.page import Page, fails, ok
from tests.site.server import Exchange

KIB = 1024
WHOLE = random.Random(7).randbytes(300 * KIB)
OTHER = random.Random(8).randbytes(200 * KIB)
ETAG = '"v1"'


Rest = Callable[[Exchange, int | None], None]


def download(exchange: Exchange) -> None:
    """300 KiB that break off after 100 KiB; the path says how the rest is served."""
    _RESTS[exchange.arg("honest")](exchange, _asked_from(exchange))


def picture(exchange: Exchange) -> None:
    """An image that breaks off; the second request gets the rest."""
    _part(exchange, _asked_from(exchange), body=PICTURE, content_type="image/png")


def _asked_from(exchange: Exchange) -> int | None:
    match = re.fullmatch(r"bytes=(\d+)-", exchange.hit.headers.get("range", ""))
    return int(match[1]) if match else None


def _broken(
    exchange: Exchange,
    etag: str = ETAG,
    *,
    body: bytes = WHOLE,
    content_type: str = "x/y",
) -> None:
    """Announce the whole body and send a third of it."""
    exchange.raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\nETag: %s\r\n\r\n"
        % (content_type.encode(), len(body), etag.encode()),
        body[: len(body) // 3],
    )
    exchange.close()


def _part(
    exchange: Exchange,
    first: int | None,
    *,
    etag: str = ETAG,
    shift: int = 0,
    length: int | None = None,
    body: bytes = WHOLE,
    content_type: str = "x/y",
) -> None:
    """Send the rest as requested; `length` bytes of it, if given, then close."""
    if first is None or exchange.hit.headers.get("if-range") != ETAG:
        _broken(exchange, body=body, content_type=content_type)
        return
    exchange.raw(
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\nETag: %s\r\n"
        b"Content-Range: bytes %d-%d/%d\r\n\r\n"
        % (len(body) - first, etag.encode(), first, len(body) - 1, len(body)),
        (body[first + shift :] + b"\0" * shift)[:length],
    )
    if length is not None:
        exchange.close()


def _then_whole(status: int | None) -> Rest:
    """Refuse or ignore a range request; the second request without one gets all."""

    def answer(exchange: Exchange, first: int | None) -> None:
        plain = [
            h
            for h in exchange.site.hits(exchange.hit.target)
            if "range" not in h.headers
        ]
        if first is not None and status is not None:
            exchange.reply(status=status)
        elif first is None and len(plain) % 2:
            _broken(exchange)
        else:
            exchange.reply(WHOLE, "x/y", headers=[("ETag", ETAG)])

    return answer


def _silent(exchange: Exchange, first: int | None) -> None:
    if first is None:
        exchange.raw(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: %s\r\n\r\n"
            % (len(WHOLE), ETAG.encode()),
            WHOLE[: 100 * KIB],
        )
        exchange.sleep(60)
    _part(exchange, first)


def _silent_twice(exchange: Exchange, first: int | None) -> None:
    if first is None:
        _silent(exchange, None)
    exchange.sleep(60)


def _other(exchange: Exchange, first: int | None) -> None:
    """The second request gets another version of the resource."""
    if first is None:
        _broken(exchange)
    exchange.reply(OTHER, "x/y", headers=[("ETag", '"v2"')])


_RESTS: dict[str, Rest] = {
    "honest": _part,
    "in-parts": lambda exchange, first: _part(exchange, first, length=80 * KIB),
    "silent": _silent,
    "silent-twice": _silent_twice,
    "other": _other,
    "other-part": lambda exchange, first: _part(exchange, first, etag='"v2"'),
    "shifted": lambda exchange, first: _part(exchange, first, shift=1),
    "unsatisfied": _then_whole(416),
    "no-ranges": _then_whole(None),
    "refused": _then_whole(503),
    "weak": lambda exchange, first: _broken(exchange, 'W/"v1"'),
    "crumbs": lambda exchange, first: _part(exchange, first, length=8 * KIB),
    "steps": lambda exchange, first: _part(exchange, first, length=66 * KIB),
    "deaf": lambda exchange, first: _broken(exchange),
}

PICTURE = noise(400, 300)

PAGES = [
    *[
        Page(f"/download/{name}", download, ok(WHOLE))
        for name in ("honest", "in-parts", "silent", "unsatisfied", "no-ranges")
    ],
    Page("/download/other", download, ok(OTHER)),
    Page("/download/silent-twice", download, listed=False),
    *[
        Page(f"/download/{name}", download, fails("reset", "body"))
        for name in (
            "weak",
            "crumbs",
            "steps",
            "deaf",
            "refused",
            "shifted",
            "other-part",
        )
    ],
    Page("/broken-picture.png", picture, ok(PICTURE)),
]
