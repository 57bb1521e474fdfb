"""Collects and decodes the body of one response, up to its limit. No I/O."""

from __future__ import annotations

from crawler.fetch.http1.codings import BodyDecoder, body_decoder
from crawler.fetch.http1.parser import ResponseReader
from crawler.model.errors import DecodeFailure
from crawler.model.http import Truncated, Wants

MAX_UNWANTED = 64 * 2**10
"""Bytes, as declared or decoded, up to which a body is received unasked.

To close the connection would cost more: the next request opens another one.
"""
MIN_DECIDED = 16 * 2**10
"""Bytes, decoded, by which it is decided whether a body is wanted."""


class Body:
    """Collects at most `limit` bytes of a decoded body.

    `keep_transferred`: also keep the body as it was before decoding. `wants` is asked
    once about a body of more than MAX_UNWANTED bytes that is no part of another.

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
        "_wants",
        "coding",
        "size",
        "truncated",
        "unread",
    )

    def __init__(
        self, limit: int, keep_transferred: bool = False, wants: Wants | None = None
    ) -> None:
        self._limit = limit
        self._transferred: list[bytes] | None = [] if keep_transferred else None
        self._wants = wants
        self._started = False
        self._dropped = False
        self._decoder: BodyDecoder | None = None
        self._pieces: list[bytes] = []
        self.size = 0
        """Size of the body so far (bytes, decoded)."""
        self.coding: str | None = None
        """The value of Content-Encoding."""
        self.truncated = False
        """True once the decoded body has exceeded the limit, or is not wanted."""
        self.unread = False
        """True if the body is not wanted."""

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
        if self._wants is not None and self.size >= MIN_DECIDED:
            self._decide(reader, self._wants)

    def finish(self, reader: ResponseReader) -> bytes:
        """Return the whole body. Raises DecodeFailure if its coding is cut short."""
        try:
            if self._decoder is not None and not (reader.truncated or self.unread):
                self._decoder.finish()
        except DecodeFailure:
            if reader.status < 300:
                raise
            self._drop()
        return b"".join(self._pieces)

    def truncated_by(self, reader: ResponseReader) -> Truncated | None:
        """Why the body is not whole; None if it is."""
        if self.unread:
            return "unread"
        return "length" if reader.truncated or self.truncated else None

    def transferred(self) -> bytes | None:
        """The body before decoding, as far as it came; None if it was not kept."""
        return None if self._transferred is None else b"".join(self._transferred)

    def so_far(self) -> bytes:
        """Return the beginning of a body whose connection broke."""
        return b"".join(self._pieces)

    def _decide(self, reader: ResponseReader, wants: Wants) -> None:
        """Ask whether the body is wanted, if it is large.

        The sizes decide when, and not what has arrived by chance: the same response is
        treated alike each time.
        """
        if reader.status >= 300 or reader.status == 206:
            self._wants = None
            return
        length = next(iter(reader.values("content-length")), "")
        declared = int(length) if length.isdecimal() and len(length) < 20 else 0
        if max(declared, self.size) <= MAX_UNWANTED:
            return
        self._wants = None
        start = b"".join(self._pieces)[:MIN_DECIDED]
        if not wants(reader.values("content-type"), start):
            self.unread = self.truncated = True

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
