"""The blocks of one exchange: what was sent, and what came back.

The heads are exact, but for secrets that we sent. A body is as transferred, with its
content codings. The boundaries of its chunks are not kept: a chunked body is written as
one chunk, so that head and body fit together, and the metadata record says so.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from crawler.model.errors import ReadTimeout, TotalTimeout
from crawler.model.http import Exchange
from crawler.model.redact import REDACTED, is_secret, redact
from crawler.output.warc.framing import Part

Truncated = Literal["length", "time", "disconnect", "unspecified"]
"""Values of WARC-Truncated."""

_STATUS = re.compile(rb"\s*HTTP/1\.\d +(\d{3})")
_CHUNKED = re.compile(rb"\ntransfer-encoding[ \t]*:[^\n]*chunked", re.IGNORECASE)
_FIELD = re.compile(rb"\n([A-Za-z-]+)[ \t]*:[ \t]*([^\r\n]*)")


class Answer(Struct, frozen=True):
    """The answer of an exchange."""

    status: int
    head: bytes
    """Status line and header section, with the empty line behind it."""
    payload: Part
    """The body with its content codings, without transfer coding."""
    chunked: bool
    truncated: Truncated | None

    @property
    def body(self) -> list[Part]:
        """The body as its head describes it, in parts."""
        if not self.chunked:
            return [self.payload]
        size = b"%x\r\n" % len(self.payload)
        chunk = [size, self.payload, b"\r\n"] if self.payload else []
        return chunk if self.truncated else [*chunk, b"0\r\n\r\n"]

    def header(self, name: bytes) -> str:
        """The first value of the header `name` (lower case); empty without one."""
        for found, value in _FIELD.findall(self.head):
            if found.lower() == name:
                text: str = value.decode("latin-1").strip()
                return text
        return ""


def answer_of(exchange: Exchange) -> Answer | None:
    """The answer of an exchange; None if there was none, or its head was malformed.

    An answer that broke off is one, too: what came of it is kept.
    """
    failure = exchange.failure
    is_there = exchange.response is not None or (
        failure is not None and failure.at_stage in ("body", "decode")
    )
    head = exchange.response_head.lstrip(b"\r\n")
    status = _STATUS.match(head)
    if not is_there or status is None:
        return None
    return Answer(
        int(status[1]),
        head,
        exchange.spooled or exchange.transferred or b"",
        _CHUNKED.search(head) is not None,
        _truncated(exchange),
    )


def _truncated(exchange: Exchange) -> Truncated | None:
    if exchange.response is not None:
        why = exchange.response.truncated
        # An archive requests whole bodies, so none is unread unless it came otherwise.
        return "unspecified" if why == "unread" else why
    timed_out = isinstance(exchange.failure, ReadTimeout | TotalTimeout)
    return "time" if timed_out else "disconnect"


def request_block(exchange: Exchange, secrets: bool) -> bytes:
    """The request as it was sent; without `secrets`, with "redacted" in their place."""
    if secrets:
        return exchange.request_head
    lines = exchange.request_head.decode("latin-1").split("\r\n")
    shown = [_redacted(line, exchange) for line in lines[1:]]
    return "\r\n".join([lines[0], *shown]).encode("latin-1")


def _redacted(line: str, exchange: Exchange) -> str:
    name, colon, value = line.partition(": ")
    secret = exchange.secret_headers
    if not colon or not (is_secret(name) or name.lower() in secret):
        return line
    hidden = redact(name, value, secret).replace(REDACTED, "redacted")
    return f"{name}: {hidden}"


def referer(exchange: Exchange) -> str:
    """The Referer that was sent; empty without one."""
    for name, value in _FIELD.findall(exchange.request_head):
        if name.lower() == b"referer":
            text: str = value.decode("latin-1")
            return text
    return ""
