"""The body of one response while it arrives: collected, decoded, held to its limit. No
I/O."""

from __future__ import annotations

from crawler.fetch.http1.codings import BodyDecoder, body_decoder
from crawler.fetch.http1.parser import ResponseReader
from crawler.model.errors import DecodeFailure


class Body:
    """At most `limit` bytes of a decoded body.

    The body of a redirect or an error is a courtesy: if its coding is damaged it counts
    as empty, because the status is the answer.
    """

    __slots__ = (
        "_begun", "_decoder", "_dropped", "_kept", "_limit", "_pieces", "coding", "size",
        "truncated",
    )  # fmt: skip

    def __init__(self, limit: int, keep_transferred: bool = False) -> None:
        self._limit = limit
        self._kept: list[bytes] | None = [] if keep_transferred else None
        self._begun = False
        self._dropped = False
        self._decoder: BodyDecoder | None = None
        self._pieces: list[bytes] = []
        self.size = 0
        """Bytes that are here, decoded."""
        self.coding: str | None = None
        """The value of Content-Encoding."""
        self.truncated = False
        """True once the decoded body went beyond the limit."""

    def add(self, reader: ResponseReader) -> None:
        """Take over what `reader`, its head complete, has of the body. Raises
        DecodeFailure."""
        pieces = reader.take()
        if self._kept is not None:
            self._kept += pieces
        if self._dropped:
            return
        try:
            if not self._begun:
                self._begin(reader.values("content-encoding"))
            self._decode(pieces)
        except DecodeFailure:
            if reader.status < 300:
                raise
            self._drop()

    def finish(self, reader: ResponseReader) -> bytes:
        """The whole. Raises DecodeFailure if the coding has not ended with the body."""
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
        return None if self._kept is None else b"".join(self._kept)

    def so_far(self) -> bytes:
        """What there is of a body that broke off."""
        return b"".join(self._pieces)

    def _begin(self, codings: list[str]) -> None:
        self._begun = True
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
