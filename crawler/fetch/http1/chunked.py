"""Reads chunked bodies (RFC 9112 section 7.1), within an allowance of framing.

Chunk extensions and trailers are dropped, and their size is limited by an allowance
that grows with the body: a server may send tiny chunks, but not endless extensions. The
allowance is spent exactly, because no more bytes than it has left are parsed at once.

llhttp parses the body. If it refuses a line, the body is read once more from its
beginning, as leniently as curl 7.88 and Chromium 156 both read it: a lone LF ends a
line, an extension may hold any character, and a trailer line need not be a field. Sizes
are read as strictly as by llhttp. The first REPLAYED bytes are kept for that; a fault
that begins further into the body is an error. llhttp is two and a half times faster, so
no other body is read leniently.
"""

from __future__ import annotations

import re
from typing import Protocol

from httptools import HttpParserError, HttpResponseParser

from crawler.model.errors import ProtocolFailure

REPLAYED = 64 * 2**10
"""Bytes of a chunked body that are kept in case that llhttp refuses it."""

# The framing of the smallest plausible chunk: "0000000f\r\n" + data + "\r\n".
_OVERHEAD_PER_BODY_BYTE = 16
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?").fullmatch
# Bytes of an incomplete line that are checked; its size stands there.
_MAX_CHECKED = 64


class ChunkListener(Protocol):
    """Is told what a body consists of."""

    def on_body(self, data: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


class BodyReader(ChunkListener, Protocol):
    """Keeps a body."""

    wire_bytes: int
    """Bytes of it that have arrived."""
    done: bool
    """Whether nothing more is to be read."""
    chunks_complete: bool
    """Whether `on_message_complete` was called."""


class ChunkedBody:
    """The body whose head `parser` has parsed; the callbacks of both go to `reader`."""

    __slots__ = ("_allowance", "_parser", "_raw", "_reader", "_tail", "regular")

    def __init__(
        self, reader: BodyReader, parser: HttpResponseParser, allowance: int
    ) -> None:
        # With this leniency, which heads need, llhttp takes an LF that begins the data
        # of a chunk for the end of the line before it.
        parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=False)
        self._reader = reader
        self._parser: HttpResponseParser | LenientChunks = parser
        self._allowance = allowance
        self._tail = b""
        self._raw: bytearray | None = bytearray()
        self.regular = True
        """False after bytes beyond the end."""

    @property
    def tolerated(self) -> bool:
        """Whether llhttp has refused the body."""
        return isinstance(self._parser, LenientChunks)

    def feed(self, data: bytes | memoryview) -> None:
        """Process the next bytes, and set `done` at the end. Raises ProtocolFailure."""
        reader = self._reader
        while data and not reader.done:
            piece = data[: self._allowance]
            data = data[len(piece) :]
            self._tail = self._tail[-4:] + bytes(piece[-5:])
            received = reader.wire_bytes
            self._parse(piece)
            body = reader.wire_bytes - received
            self._allowance += body * (1 + _OVERHEAD_PER_BODY_BYTE) - len(piece)
            if reader.chunks_complete:
                self._end()
            elif not self._allowance and not reader.done:
                raise ProtocolFailure(
                    "chunk extensions or trailers without end", stage="body"
                )
        if data:
            self.regular = False

    def _parse(self, piece: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except HttpParserError as error:
            if self._reader.chunks_complete:
                self.regular = False  # bytes after the end; the response is whole
            elif not self._reader.done:
                self._replay(piece, error)
        if self._raw is not None:
            self._raw += piece
            if len(self._raw) > REPLAYED:
                self._raw = None

    def _replay(self, piece: bytes | memoryview, error: HttpParserError) -> None:
        raw, self._raw = self._raw, None
        if raw is None:
            raise _malformed(str(error))
        self._parser = LenientChunks(self._reader, skip=self._reader.wire_bytes)
        self._parser.feed_data(bytes(raw) + bytes(piece))

    def _end(self) -> None:
        self._reader.done = True
        # llhttp silently skips line ends after a message; they count as bytes after the
        # end too.
        tail = self._tail[-5:]
        if tail[1:] != b"\r\n\r\n" or tail[:1] in b"\r\n":
            self.regular = False


class LenientChunks:
    """Is fed and calls back like llhttp, but leaves out the first `skip` body bytes.

    `listener` has these already.
    """

    def __init__(self, listener: ChunkListener, skip: int) -> None:
        self._listener = listener
        self._skip = skip
        self._line = b""
        self._left = 0
        """Bytes of the current chunk that are still to come."""
        self._expected = "size"
        """The next line: size, end (of a chunk), trailer; "" after the last one."""

    def feed_data(self, data: bytes | memoryview) -> None:
        """Process the next bytes. Raises ProtocolFailure."""
        data = bytes(data)
        position = 0
        while position < len(data) and self._expected:
            if self._left:
                piece = data[position : position + self._left]
                position += len(piece)
                self._left -= len(piece)
                self._pass_on(piece)
                continue
            end = data.find(b"\n", position) + 1 or len(data)
            self._line += data[position:end]
            position = end
            self._read_line()

    def _pass_on(self, piece: bytes) -> None:
        skipped = min(self._skip, len(piece))
        self._skip -= skipped
        if skipped < len(piece):
            self._listener.on_body(piece[skipped:])

    def _read_line(self) -> None:
        """Process a line. The beginning of one may be wrong already."""
        line = self._line.removesuffix(b"\n")
        complete = line != self._line
        if not complete:
            line = line[:_MAX_CHECKED]
        left, empty = 0, line in (b"", b"\r")
        if self._expected == "size":
            left = _size(line)
            following = "end" if left else "trailer"
        elif self._expected == "end":
            if not empty:
                raise _malformed("a chunk is longer than its size")
            following = "size"
        else:
            following = "" if empty else "trailer"
        if complete:
            self._line, self._left, self._expected = b"", left, following
            if not following:
                self._listener.on_message_complete()


def _size(line: bytes) -> int:
    match = _SIZE_LINE(line)
    if match is None:
        raise _malformed("no chunk size")
    return int(match[1], 16)


def _malformed(what: str) -> ProtocolFailure:
    return ProtocolFailure(f"malformed chunked body: {what}", stage="body")
