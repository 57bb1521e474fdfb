"""A large file that a site serves, with cuts in the connection, and with lies.

The file is made as it is sent, so that a gigabyte of it takes no memory here either.
"""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections.abc import Callable, Iterable, Iterator

from tests.site.server import Exchange

BLOCK = 64 * 2**10
_NOISE = random.Random(1).randbytes(BLOCK - 8)
NEVER = 10**15

Answer = Callable[["LargeFile", Exchange, int], None]
"""Answers a request for the rest of the file, from a position on."""


class LargeFile:
    """Serves a file of `size` bytes that begins with `start`.

    `cuts`: after how many bytes of each answer the connection is closed; the answers
    behind them are whole. `rest` answers range requests. `version` is part of the bytes
    and of the ETag. `gate`, if set, is waited for before a connection is closed.
    """

    def __init__(
        self,
        size: int,
        *,
        content_type: str = "application/pdf",
        start: bytes = b"%PDF-1.7\n",
        cuts: Iterable[int] = (),
        rest: Answer | None = None,
        etag: str | None = '"v{}"',
        headers: tuple[str, ...] = (),
    ) -> None:
        self.size = size
        self.content_type = content_type
        self.start = start
        self.cuts = iter(cuts)
        self.rest = rest or LargeFile.part
        self.etag = etag
        self.headers = headers
        self.version = 1
        self.sent = 0
        """Bytes of bodies that were sent in all answers."""
        self.ranges: list[str] = []
        """The Range of each request; empty without one."""
        self.gate: threading.Event | None = None

    def __call__(self, exchange: Exchange) -> None:
        asked = exchange.hit.headers.get("range", "")
        self.ranges.append(asked)
        match = re.fullmatch(r"bytes=(\d+)-", asked)
        if match:
            self.rest(self, exchange, int(match[1]))
        else:
            self.whole(exchange)

    def blocks(self, first: int, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `first` to before `end`, in pieces."""
        end = self.size if end is None else end
        while first < end:
            number, offset = divmod(first, BLOCK)
            block = b"%4d%4d" % (self.version, number % 10_000) + _NOISE
            if not number:
                block = self.start + block[len(self.start) :]
            piece = block[offset : offset + end - first]
            first += len(piece)
            yield piece

    def sha256(self) -> str:
        hashed = hashlib.sha256()
        for piece in self.blocks(0):
            hashed.update(piece)
        return hashed.hexdigest()

    def whole(self, exchange: Exchange) -> None:
        """The whole file, whatever was asked for."""
        self.send(exchange, "200 OK", 0, [f"Content-Length: {self.size}"])

    def part(self, exchange: Exchange, first: int) -> None:
        """The rest from `first` on, unless the file is another one meanwhile."""
        if exchange.hit.headers.get("if-range") not in (None, self._tag()):
            self.whole(exchange)
            return
        self.send(exchange, "206 Partial Content", first, self.range_of(first))

    def range_of(self, first: int) -> list[str]:
        return [
            f"Content-Range: bytes {first}-{self.size - 1}/{self.size}",
            f"Content-Length: {self.size - first}",
        ]

    def send(
        self, exchange: Exchange, status: str, first: int, headers: list[str]
    ) -> None:
        """Send head and bytes, and close the connection at the next cut."""
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {self.content_type}"]
        lines += [*headers, *self.headers]
        if (tag := self._tag()) is not None:
            lines.append(f"ETag: {tag}")
        cut = next(self.cuts, NEVER)
        exchange.raw("\r\n".join([*lines, "", ""]).encode())
        for block in self.blocks(first):
            piece = block[:cut]
            exchange.raw(piece)
            self.sent += len(piece)
            cut -= len(piece)
            if not cut:
                if self.gate is not None:
                    self.gate.wait(60)
                exchange.close()

    def _tag(self) -> str | None:
        return None if self.etag is None else self.etag.format(self.version)


def ignores_the_range(file: LargeFile, exchange: Exchange, first: int) -> None:
    file.whole(exchange)


def other_bytes(file: LargeFile, exchange: Exchange, first: int) -> None:
    """The head is right, and the bytes are those from elsewhere."""
    file.send(exchange, "206 Partial Content", first // 2, file.range_of(first))


def other_range(file: LargeFile, exchange: Exchange, first: int) -> None:
    end = file.size - 1
    header = f"Content-Range: bytes {first + 5000}-{end}/{file.size}"
    length = f"Content-Length: {file.size - first - 5000}"
    file.send(exchange, "206 Partial Content", first + 5000, [header, length])


def other_length(file: LargeFile, exchange: Exchange, first: int) -> None:
    header = f"Content-Range: bytes {first}-{file.size}/{file.size + 1}"
    length = f"Content-Length: {file.size - first}"
    file.send(exchange, "206 Partial Content", first, [header, length])


def without_a_range(file: LargeFile, exchange: Exchange, first: int) -> None:
    length = f"Content-Length: {file.size - first}"
    file.send(exchange, "206 Partial Content", first, [length])


def too_short(file: LargeFile, exchange: Exchange, first: int) -> None:
    """Less than the range says, in a response that is whole by its framing."""
    header = file.range_of(first)[0]
    body = b"".join(file.blocks(first))[:-1000]
    file.sent += len(body)
    exchange.raw(
        f"HTTP/1.1 206 Partial Content\r\n{header}\r\nETag: {file._tag()}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def unsatisfied(file: LargeFile, exchange: Exchange, first: int) -> None:
    header = ("Content-Range", f"bytes */{file.size}")
    exchange.reply(status=416, headers=[header])


def coded(file: LargeFile, exchange: Exchange, first: int) -> None:
    lines = [*file.range_of(first), "Content-Encoding: gzip"]
    file.send(exchange, "206 Partial Content", first, lines)


def new_version(file: LargeFile, exchange: Exchange, first: int) -> None:
    """The file has changed, and the condition is not looked at."""
    file.version = 2
    file.send(exchange, "206 Partial Content", first, file.range_of(first))


def changed(file: LargeFile, exchange: Exchange, first: int) -> None:
    """The file has changed, and the condition says so."""
    file.version = 2
    file.part(exchange, first)


LIES: tuple[Answer, ...] = (
    ignores_the_range, other_bytes, other_range, other_length, without_a_range,
    too_short, unsatisfied, coded, new_version, changed,
)  # fmt: skip
