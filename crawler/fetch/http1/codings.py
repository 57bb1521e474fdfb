"""Content codings (RFC 9110 section 8.4): a table of bounded decoders. No I/O.

A few kilobytes can decode to gigabytes, and with stacked codings (`gzip, gzip`) it can
be an inner layer that grows. So each layer produces its output on demand, in pieces of
about STEP bytes, and has a size limit of its own: output beyond it is never produced.
The number of gzip members and zstd frames is limited too, because empty ones take time
and produce nothing.

A decoder accepts its input in pieces of any size. `finished` tells whether the coding
has ended: a truncated stream is an error, never a shorter page. Bytes after the end are
ignored for gzip and deflate, as browsers do (some servers pad), and are an error for br
and zstd.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import brotli

from crawler.model.errors import DecodeFailure

STEP = 64 * 2**10
MAX_LAYERS = 5
MAX_MEMBERS = 10_000
_ZSTD_WINDOW_LOG = 23  # 8 MB; larger ones are optional (RFC 8878, 3.1.1.1.2)
_GZIP_MAGIC = b"\x1f\x8b"
_LIBRARY_ERRORS = (zlib.error, brotli.error, EOFError, ValueError)


class Decoder(Protocol):
    """Decodes one coding incrementally. Raises one of _LIBRARY_ERRORS."""

    def feed(self, data: bytes, remaining: int) -> Iterator[bytes]:
        """Decode `data` (not empty) to non-empty pieces of about STEP bytes.

        `remaining`: how many bytes of output are still allowed. One byte more is
        requested and nothing beyond it, so damage behind the limit has no effect,
        whatever the pieces of the input are.
        """

    def finished(self) -> bool:
        """Whether the input may end here."""


class _Gzip:
    """gzip (RFC 1952), up to `max_members` members."""

    def __init__(self, max_members: int) -> None:
        self._max_members = max_members
        self._member: zlib._Decompress | None = None
        self._members = 0
        self._gap = b""
        self._trailer = False

    def feed(self, data: bytes, remaining: int) -> Iterator[bytes]:
        while data and not self._trailer and remaining >= 0:
            member = self._member or self._next_member(data)
            if member is None:
                return
            data, self._gap = self._gap + data, b""
            for piece in _inflate(member, data, remaining):
                remaining -= len(piece)
                yield piece
            data = member.unused_data
            if member.eof:
                self._member = None

    def _next_member(self, data: bytes) -> zlib._Decompress | None:
        start = self._gap + data[:2]
        if self._members and not start.startswith(_GZIP_MAGIC):
            # The second byte of the magic number may be in the next piece.
            self._trailer = start != _GZIP_MAGIC[:1]
            self._gap = start
            return None
        self._members += 1
        _check_members(self._members, self._max_members)
        self._member = zlib.decompressobj(31)
        return self._member

    def finished(self) -> bool:
        return self._member is None


class _Deflate:
    """deflate: the zlib format (RFC 1950), or raw RFC 1951, which many servers send."""

    def __init__(self, _max_members: int) -> None:
        self._stream: zlib._Decompress | None = None
        self._start = b""

    def feed(self, data: bytes, remaining: int) -> Iterator[bytes]:
        if self._stream is None:
            self._start += data
            if len(self._start) < 2:
                return
            data, self._start = self._start, b""
            self._stream = zlib.decompressobj(15 if _has_zlib_header(data) else -15)
        if not self._stream.eof:
            yield from _inflate(self._stream, data, remaining)

    def finished(self) -> bool:
        return self._stream.eof if self._stream is not None else not self._start


class _Brotli:
    """br (RFC 7932)."""

    def __init__(self, _max_members: int) -> None:
        self._stream = brotli.Decompressor()
        self._fed = False

    def feed(self, data: bytes, remaining: int) -> Iterator[bytes]:
        self._fed = True
        stream = self._stream
        piece = stream.process(data, output_buffer_limit=_step(remaining))
        while piece:
            remaining -= len(piece)
            yield piece
            # `can_accept_more_data` may be true while output is pending: continue until
            # there is none.
            done = remaining < 0 or stream.is_finished()
            piece = (
                b""
                if done
                else stream.process(b"", output_buffer_limit=_step(remaining))
            )

    def finished(self) -> bool:
        return not self._fed or bool(self._stream.is_finished())


class _Zstd:
    """zstd (RFC 8878), up to `max_members` frames.

    The first such body loads the library.
    """

    def __init__(self, max_members: int) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        self._error = zstd.ZstdError
        options: dict[int, int] = {
            zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG
        }
        self._open = partial(zstd.ZstdDecompressor, options=options)
        self._frame: zstd.ZstdDecompressor | None = None
        self._frames = 0
        self._max_frames = max_members

    def feed(self, data: bytes, remaining: int) -> Iterator[bytes]:
        try:
            yield from self._decoded(data, remaining)
        except self._error as error:
            raise ValueError(str(error)) from None

    def _decoded(self, data: bytes, remaining: int) -> Iterator[bytes]:
        while data and remaining >= 0:
            frame = self._frame
            if frame is None:
                self._frames += 1
                _check_members(self._frames, self._max_frames)
                self._frame = frame = self._open()
            piece = frame.decompress(data, _step(remaining))
            while piece:
                remaining -= len(piece)
                yield piece
                done = remaining < 0 or frame.needs_input or frame.eof
                piece = b"" if done else frame.decompress(b"", _step(remaining))
            data = b""
            if frame.eof:
                data = frame.unused_data
                self._frame = None

    def finished(self) -> bool:
        return self._frame is None


CODINGS: dict[str, Callable[[int], Decoder]] = {
    "gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
"""The accepted codings in order of preference; a decoder takes its `max_members`."""

_ALIASES = {"x-gzip": "gzip"}
# Registered by IANA, but not supported here. Any other word ("utf-8", "none", "binary")
# is a mistake of the server and names no coding: the body is taken as it is, as
# browsers do.
_UNSUPPORTED = frozenset(
    {"aes128gcm", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip"}
)

ACCEPT_ENCODING = ", ".join(CODINGS)


class BodyDecoder:
    """Decodes the stacked codings of one body.

    The output of each layer is limited to `limit` bytes.
    """

    def __init__(self, names: list[str], limit: int, max_members: int) -> None:
        self._names = names
        self._layers = [CODINGS[name](max_members) for name in names]
        self._remaining = [limit] * len(names)
        self.truncated = False
        """True once a layer has exceeded its limit; nothing more is decoded then."""

    def feed(self, data: bytes) -> list[bytes]:
        """Decode the next body bytes. Raises DecodeFailure."""
        if self.truncated:
            return []
        try:
            return list(self._through(0, data))
        except _LIBRARY_ERRORS as error:
            raise DecodeFailure(
                f"malformed {', '.join(self._names)} body: {error}"
            ) from None

    def finish(self) -> None:
        """The body has ended. Raises DecodeFailure if a coding has not."""
        for name, layer in zip(self._names, self._layers, strict=True):
            if not self.truncated and not layer.finished():
                raise DecodeFailure(f"the {name} body is truncated", retry=True)

    def _through(self, level: int, data: bytes) -> Iterator[bytes]:
        if level == len(self._layers):
            yield data
            return
        for piece in self._layers[level].feed(data, self._remaining[level]):
            if self.truncated:
                return
            if len(piece) > self._remaining[level]:
                piece = piece[: self._remaining[level]]
                self.truncated = True
            self._remaining[level] -= len(piece)
            if piece:
                yield from self._through(level + 1, piece)


def body_decoder(
    content_encoding: str, limit: int, max_members: int = MAX_MEMBERS
) -> BodyDecoder | None:
    """The decoder for a Content-Encoding; None for a body without codings.

    Several fields are joined by commas. `limit`: bytes of decoded body. `max_members`:
    gzip members or zstd frames. Raises DecodeFailure if there are too many codings, or
    one that is not supported.
    """
    known = []
    for token in content_encoding.split(","):
        name = token.strip().lower()
        known.append(_ALIASES.get(name, name))
        if name in _UNSUPPORTED:
            raise DecodeFailure(f"the content coding {name} is not supported")
    layers = [name for name in reversed(known) if name in CODINGS]
    if len(layers) > MAX_LAYERS:
        raise DecodeFailure(
            f"{len(layers)} stacked content codings; {MAX_LAYERS} are allowed"
        )
    return BodyDecoder(layers, limit, max_members) if layers else None


def _inflate(stream: zlib._Decompress, data: bytes, remaining: int) -> Iterator[bytes]:
    more = True
    while more:
        step = _step(remaining)
        piece = stream.decompress(data, step)
        if piece:
            remaining -= len(piece)
            yield piece
        data = stream.unconsumed_tail
        # After a full piece, zlib may hold more output even if all input is consumed.
        more = remaining >= 0 and bool(data or (len(piece) == step and not stream.eof))


def _step(remaining: int) -> int:
    """How much output to request: one byte over `remaining` shows an excess."""
    return min(STEP, remaining + 1)


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0


def _check_members(count: int, max_members: int) -> None:
    if count > max_members:
        raise DecodeFailure(f"more than {max_members} members or frames in one body")
