"""Collects and decodes the body of one response, up to its limit. No I/O."""

from __future__ import annotations

import sys

from crawler.fetch.http1.codings import BodyDecoder, body_decoder
from crawler.fetch.http1.parser import ResponseReader
from crawler.model.errors import DecodeFailure
from crawler.model.http import BodySink, OpenSpool, Spool, Truncated, Wants

MAX_UNWANTED = 64 * 2**10
"""Bytes, as declared or decoded, up to which a body is received unasked.

To close the connection would cost more: the next request opens another one.
"""
MIN_DECIDED = 16 * 2**10
"""Bytes, decoded, by which it is decided whether a body is wanted."""
MAX_KEPT = 2**20
"""Bytes of a body before decoding that are held in memory."""
MAX_START = 64 * 2**10
"""Bytes of a streamed body that are kept in memory, to tell what it is."""


class Body:
    """Collects at most `limit` bytes of a decoded body.

    `keep_transferred`: also keep the body as it was before decoding, in memory or, if a
    spool can be opened, beyond MAX_KEPT bytes there. `wants` is asked about a body of
    more than MAX_UNWANTED bytes that is no part of another: once, or twice if
    MIN_DECIDED bytes do not tell.
    `stream_from`: the size from which on the body may go to a sink (bytes, decoded);
    None: it may not.

    If the body of a redirect or of an error cannot be decoded, it counts as empty: the
    status matters there, and the body is optional.
    """

    __slots__ = (
        "_decide_at",
        "_decoder",
        "_dropped",
        "_kept",
        "_limit",
        "_open_spool",
        "_pieces",
        "_started",
        "_stream_from",
        "_transferred",
        "_wants",
        "ask_at",
        "coding",
        "sink",
        "size",
        "spool",
        "truncated",
        "unread",
    )

    def __init__(
        self,
        limit: int,
        keep_transferred: bool | OpenSpool = False,
        wants: Wants | None = None,
        stream_from: int | None = None,
    ) -> None:
        self._limit = limit
        self._transferred: list[bytes] | None = [] if keep_transferred else None
        self._kept = 0
        self._open_spool = keep_transferred
        self.spool: Spool | None = None
        """The body before decoding, if it is too large for memory."""
        self._wants = wants
        self._decide_at = MIN_DECIDED
        self._started = False
        self._dropped = False
        self._decoder: BodyDecoder | None = None
        self._pieces: list[bytes] = []
        self._stream_from = stream_from
        self.ask_at = sys.maxsize
        """The size from which on `stream` has to be called."""
        self.sink: BodySink | None = None
        """Where the body goes, if it is not held in memory."""
        self.size = 0
        """Size of what is held in memory (bytes, decoded)."""
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
            self._keep(self._transferred, pieces)
        if self._dropped:
            return
        try:
            if not self._started:
                self._start(reader)
            self._decode(pieces)
        except DecodeFailure:
            if reader.status < 300:
                raise
            self._drop()
        if self._wants is not None and self.size >= self._decide_at:
            self._decide(reader, self._wants)

    def stream(self, sink: BodySink | None) -> None:
        """Pass what has come, and what follows, to `sink`; None: it stays in memory."""
        self.ask_at = sys.maxsize
        if sink is None:
            return
        self.sink = sink
        for piece in self._pieces:
            sink.write(piece)
        self._pieces = [b"".join(self._pieces)[:MAX_START]]
        self.size = 0

    def close(self) -> None:
        """Close the sink, if there is one."""
        if self.sink is not None:
            self.sink.close()

    def finish(self, reader: ResponseReader) -> bytes:
        """Return the whole body, or the beginning of one that went to a sink.

        Raises DecodeFailure if its coding is cut short.
        """
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
        """The body before decoding, as far as it came; None if not in memory."""
        if self._transferred is None or self.spool is not None:
            return None
        return b"".join(self._transferred)

    def _keep(self, kept: list[bytes], pieces: list[bytes]) -> None:
        """Keep what was transferred: in `kept`, or in a spool if it is large."""
        self._kept += sum(map(len, pieces))
        if self._kept > MAX_KEPT and self.spool is None and callable(self._open_spool):
            self.spool = self._open_spool()
            pieces = kept + pieces
            self._transferred = []
        if self.spool is None:
            kept += pieces
            return
        for piece in pieces:
            self.spool.write(piece)

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
        declared = reader.declared_bytes
        if declared <= MAX_UNWANTED and self.size <= MAX_UNWANTED:
            return
        start = b"".join(self._pieces)[: self._decide_at]
        wanted = wants(
            reader.values("content-type"),
            start,
            None if self._decoder is not None else declared or None,
        )
        if wanted is None and self._decide_at < MAX_START:
            self._decide_at = MAX_START
            return
        self._wants = None
        if wanted is False:
            self.unread = self.truncated = True

    def _start(self, reader: ResponseReader) -> None:
        self._started = True
        if self._stream_from is not None and reader.status < 300:
            # The rest of a body that has begun goes to its sink from the first byte.
            self.ask_at = 0 if reader.status == 206 else self._stream_from
        if codings := reader.values("content-encoding"):
            self.coding = ", ".join(codings)
            self._decoder = body_decoder(self.coding, self._limit)

    def _decode(self, pieces: list[bytes]) -> None:
        if self._decoder is not None:
            pieces = [out for piece in pieces for out in self._decoder.feed(piece)]
            self.truncated = self._decoder.truncated
        if self.sink is None:
            self._pieces += pieces
            self.size += sum(map(len, pieces))
            return
        for piece in pieces:
            self.sink.write(piece)

    def _drop(self) -> None:
        self._dropped = True
        self._decoder = None
        self._pieces = []
        self.size = 0
