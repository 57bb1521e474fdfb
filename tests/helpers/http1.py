"""The result of a response reader, in a form that tests can compare."""

from __future__ import annotations

from typing import NamedTuple

from crawler.fetch.http1.parser import ResponseReader
from crawler.model.errors import Failure


class Seen(NamedTuple):
    """Everything that a reader reports about a stream."""

    status: int
    reason: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    done: bool
    reusable: bool
    truncated: bool
    error: tuple[str, str] | None
    tolerated: tuple[str, ...]


def read(
    *pieces: bytes,
    method: str = "GET",
    eof: bool = False,
    header: int = 65536,
    body: int = 10**6,
) -> Seen:
    reader = ResponseReader(method, header, body)
    taken = b""
    error = None
    try:
        for piece in pieces:
            reader.feed(memoryview(piece))
            taken += b"".join(reader.take())
        if eof:
            reader.feed_eof()
    except Failure as failure:
        error = (failure.code, failure.at_stage)
    taken += b"".join(reader.take())
    head = (reader.status, reader.reason, reader.version, tuple(reader.headers))
    if error and not reader.status:
        head = (0, "", "", ())  # an unfinished head has no meaning
    return Seen(
        *head, taken, reader.done, reader.reusable, reader.truncated, error,
        () if error else reader.tolerated,
    )  # fmt: skip
