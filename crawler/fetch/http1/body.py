"""Collects and decodes the body of one response, up to its limit. No I/O."""

from __future__ import annotations

from crawler.fetch.http1.codings import BodyDecoder, body_decoder
from crawler.fetch.http1.parser import ResponseReader
from crawler.model.errors import DecodeFailure


class Body:
    """Collects at most `limit` bytes of a decoded body.

    `keep_transferred`: also keep the body as it was before decoding.

    If the body of a redirect or of an error cannot be decoded, it counts as empty: the
    status matters there, and the body is optional.
    """

    __slots__ = (
        "_decoder",
        "_dropped",
        "_limit",
        "_pieces",
        "_started",
        "_transferred",
        "coding",
        "size",
        "truncated",
    )

    def __init__(self, limit: int, keep_transferred: bool = False) -> None:
        self._limit = limit
        self._transferred: list[bytes] | None = [] if keep_transferred else None
        self._started = False
        self._dropped = False
        self._decoder: BodyDecoder | None = None
        self._pieces: list[bytes] = []
        self.size = 0
        """Size of the body so far (bytes, decoded)."""
        self.coding: str | None = None
        """The value of Content-Encoding."""
        self.truncated = False
        """True once the decoded body has exceeded the limit."""

    def add(self, reader: ResponseReader) -> None:
        """Add the body bytes that `reader`, whose head is complete, has received.

        Raises DecodeFailure.
        """
        pieces = reader.take()
        if self._transferred is not None:
            self._transferred += pieces
        if self._dropped:
            return
        try:
            if not self._started:
                self._start(reader.values("content-encoding"))
            self._decode(pieces)
        except DecodeFailure:
            if reader.status < 300:
                raise
            self._drop()

    def finish(self, reader: ResponseReader) -> bytes:
        """Return the whole body. Raises DecodeFailure if its coding is cut short."""
        try:
            if self._decoder is not None and not reader.truncated:
                self._decoder.finish()
        except DecodeFailure:
            if reader.status < 300:
                raise
            self._drop()
        return b"".join(self._pieces)

    def transferred(self) -> bytes | None:
        """The body before decoding, as far as it came; None if it was not kept."""
        return None if self._transferred is None else b"".join(self._transferred)

    def so_far(self) -> bytes:
        """Return the beginning of a body whose connection broke."""
        return b"".join(self._pieces)

    def _start(self, codings: list[str]) -> None:
        self._started = True
        if codings:
            self.coding = ", ".join(codings)
            self._decoder = body_decoder(self.coding, self._limit)

    def _decode(self, pieces: list[bytes]) -> None:
        if self._decoder is not None:
            pieces = [out for piece in pieces for out in self._decoder.feed(piece)]
            self.truncated = self._decoder.truncated
        self._pieces += pieces
        self.size += sum(map(len, pieces))

    def _drop(self) -> None:
        self._dropped = True
        self._decoder = None
        self._pieces = []
        self.size = 0
