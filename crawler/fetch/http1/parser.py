"""Reads one HTTP/1.1 response (RFC 9112). No I/O: bytes go in, the response comes out.

Theory. A response consists of a head, which ends at an empty line, and a body, whose
end the head announces. A client that is wrong about that end takes the middle of this
response for the beginning of the next one, so the framing is never guessed:

* The reader finds the empty line itself and passes each head to llhttp (through
  httptools) as a whole. llhttp checks the syntax, and must agree that the head ends
  there. One limit covers all head bytes, those of 1xx responses included.
* A head that llhttp refuses is repaired if curl and Chromium both read it
  (`repair.py`), and parsed once more; `tolerated` names its faults. The same holds for
  chunked bodies.
* The head then selects one of the four framings of RFC 9112 section 6.3 (`_framing`).
  Bodies with a length and bodies until close are counted here and not parsed, so their
  end is known to the byte. Chunked bodies are parsed by llhttp (`chunked.py`).
* After any irregularity (a tolerated fault, bytes after the end, two framings at once,
  a body that was cut at its limit, chunked HTTP/1.0) the response may be used, but
  `reusable` is False and the connection must be closed.

The result does not depend on how the network split the bytes into pieces: a head is
parsed when it is complete, and a body is only counted.

Rejected: passing the raw stream to llhttp. It does not handle the end of the stream or
responses to HEAD, reports 1xx responses as messages, does not tell where in a piece a
message ended, and accepts RTSP.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from crawler.model.errors import ConnectionReset, ProtocolFailure
from crawler.model.http import Header
from crawler.model.reasons import Tolerated
from crawler.model.units import counted

if TYPE_CHECKING:
    from crawler.fetch.http1.chunked import ChunkedBody

Framing = Literal["none", "length", "chunked", "close"]

_START = b"HTTP/1."
_HEAD_END = re.compile(rb"\n\r?\n")
_FOLDED = re.compile(rb"\n[ \t]").search
_MAX_NAMES = 1024


class ResponseReader:
    """Reads the final response to a request with `method`.

    Feed it the received bytes until `done`. `max_header` limits the header section (in
    total, bytes), `max_body` the body as it is on the wire (bytes); a longer body is
    cut there (`truncated`). `keep_head`: keep the bytes of the head. `feed` and
    `feed_eof` raise ProtocolFailure and ConnectionReset; after that the reader must not
    be used.
    """

    __slots__ = (
        "_body", "_body_left", "_chunks", "_clear", "_framing", "_head", "_head_left",
        "_keep_head", "_max_header", "_method", "_names", "_parser", "_remaining",
        "_searched", "chunks_complete", "done", "headers", "raw_head", "reason",
        "status", "tolerated", "truncated", "version", "wire_bytes",
    )  # fmt: skip

    status: int
    """0 until the final head is complete."""
    reason: str
    version: str
    """"1.0" or "1.1"."""
    headers: list[Header]
    """In order of arrival; names in lower case, values decoded as latin-1."""
    raw_head: bytes
    """The final head as it was received, with `keep_head`; else empty."""
    wire_bytes: int
    """Body bytes received, without the chunked framing."""
    done: bool
    truncated: bool
    tolerated: tuple[Tolerated, ...]
    """The faults of the response that were read over, in the order of discovery."""

    def __init__(
        self, method: str, max_header: int, max_body: int, keep_head: bool = False
    ) -> None:
        self._keep_head = keep_head
        self.raw_head = b""
        self._method = method
        self._head = b""
        self._searched = 0
        self._head_left = max_header
        self._max_header = max_header
        self._body_left = max_body
        self._remaining = 0
        self._framing: Framing | None = None
        self._body: list[bytes] = []
        self._chunks: ChunkedBody | None = None
        self.chunks_complete = False
        self.status = 0
        self.reason = ""
        self.version = ""
        self.headers = []
        self.wire_bytes = 0
        self.done = False
        self._clear = False
        self.truncated = False
        self.tolerated = ()

    @property
    def reusable(self) -> bool:
        """Whether the connection is exactly at the end of a regular response."""
        return self.done and self._clear

    @property
    def body_is_optional(self) -> bool:
        """Whether the head says all that a crawl needs: an error, or a redirect."""
        return self.status >= 400 or (self.status >= 300 and "location" in self._names)

    @property
    def until_close(self) -> bool:
        """Whether the body ends where the server closes the connection."""
        return self._framing == "close"

    @property
    def declared_bytes(self) -> int:
        """The Content-Length of the head, which is complete; 0 if it has none."""
        length = self._names.get("content-length")
        return int(length) if length else 0

    def feed(self, data: bytes | memoryview) -> None:
        """Process the next received bytes (not empty; see `feed_eof`)."""
        if self.done:
            self._clear = False
        elif self._framing is None:
            self._feed_head(data)
        else:
            self._feed_body(data)

    def feed_eof(self) -> None:
        """Process the end of the stream: the server has closed its side."""
        self._clear = False
        if self.done:
            return
        if self._framing is None:
            what = (
                "in the middle of the header section"
                if self._head
                else "without a response"
            )
            raise ConnectionReset(f"connection closed {what}", stage="headers")
        if self._framing != "close":
            size = counted(self.wire_bytes, "byte")
            raise ConnectionReset(
                f"connection closed after {size} of an unfinished body",
                stage="body",
            )
        self.done = True

    def values(self, name: str) -> list[str]:
        """All values of the header `name` (lower case), once the head is complete."""
        names = self._names
        if name not in names:
            return []
        if len(names) == len(self.headers):  # most often: no name is there twice
            return [names[name]]
        return [v for n, v in self.headers if n == name]

    def take(self) -> list[bytes]:
        """Return the body pieces that were received since the last call."""
        body = self._body
        if body:
            self._body = []
        return body

    # -- head

    def _feed_head(self, data: bytes | memoryview) -> None:
        if self._head:
            data, self._head = self._head + bytes(data), b""
        while data:
            size = self._find_head(data)
            if not size:
                self._head = bytes(data)
                return
            self._read_head(bytes(data[:size]))
            data = data[size:]
            if self._framing is not None:
                break
            self._forget_interim()
        if data:
            self.feed(data)

    def _find_head(self, data: bytes | memoryview) -> int:
        """The size of the head at the beginning of `data`; 0 if it is incomplete."""
        start = bytes(data[: len(_START)])
        if not _START.startswith(start):
            from crawler.fetch.http1.repair import line_ends_before

            if skipped := line_ends_before(bytes(data[:20])):
                self._searched = max(self._searched, skipped)
                self._tolerate("empty_line")
        end = _HEAD_END.search(data, self._searched)
        size = end.end() if end else len(data)
        if size > self._head_left:
            raise ProtocolFailure("the header section is longer than http.max_header")
        if end is None:
            self._searched = max(0, size - 2)
            return 0
        self._head_left -= size
        self._searched = 0
        return size

    def _tolerate(self, *faults: Tolerated) -> None:
        self.tolerated = tuple(dict.fromkeys(self.tolerated + faults))
        self._clear = False

    def _forget_interim(self) -> None:
        """Drop a 1xx response; the final one follows (RFC 9110 section 15.2)."""
        if self.status == 101:
            raise ProtocolFailure(
                "the server switched protocols (101) without a request to"
            )
        self._forget_head()

    def _forget_head(self) -> None:
        self.status = 0
        self.reason = ""
        self.headers = []

    def _read_head(self, head: bytes) -> None:
        if self._keep_head:
            self.raw_head = head
        if self.tolerated:
            head = head.lstrip(b"\r\n")
        if _FOLDED(head):
            from crawler.fetch.http1.repair import unfold

            head = unfold(head)
        try:
            self._parse_head(head)
        except ProtocolFailure as failure:
            self._read_repaired(head, failure)

    def _read_repaired(self, head: bytes, failure: ProtocolFailure) -> None:
        from crawler.fetch.http1.repair import repair  # few responses need it

        repaired = repair(head)
        if repaired is None:
            raise failure
        self._tolerate(*repaired.tolerated)
        self._forget_head()
        controls = "control_character" in repaired.tolerated
        self._parse_head(repaired.head, controls)

    def _parse_head(self, head: bytes, controls: bool = False) -> None:
        """`controls`: values may hold control characters."""
        self._parser = parser = HttpResponseParser(self)
        # The RFC itself allows two of these: a lone LF may end a line (2.2), and
        # Transfer-Encoding overrides Content-Length (6.3), after which the connection
        # is closed. The third is needed for old servers, which pad chunk sizes with
        # spaces; the size is unambiguous all the same.
        parser.set_dangerous_leniencies(
            lenient_optional_cr_before_lf=True,
            lenient_chunked_length=True,
            lenient_spaces_after_chunk_size=True,
            lenient_headers=controls,
        )
        try:
            parser.feed_data(head)
        except HttpParserUpgrade:
            pass  # 101, refused by the caller
        except HttpParserError as error:
            raise ProtocolFailure(f"malformed response head: {error}") from None
        if self.status < 100 or self.version[0] != "1":  # llhttp accepts HTTP/2.0
            raise ProtocolFailure("malformed response head: no valid status line")
        if self.status >= 200:
            self._choose_framing()

    # -- llhttp's callbacks (after the head they may report trailers, or bytes after
    # the end)

    def on_status(self, reason: bytes) -> None:
        if self._framing is None:
            self.reason = reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._framing is None:
            known = _names.get(name) or _remember(name)
            self.headers.append((known, value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        if self._framing is None:
            self.status = self._parser.get_status_code()
            self.version = self._parser.get_http_version()

    def on_body(self, data: bytes) -> None:
        if not self.chunks_complete:
            self._keep(data)

    def on_message_complete(self) -> None:
        self.chunks_complete = self._framing == "chunked"

    # -- body

    def _choose_framing(self) -> None:
        self._names = dict(self.headers)
        framing, length, clear = self._read_framing()
        self._framing = framing
        self._remaining = length
        self._clear = clear and framing != "close" and not self.tolerated
        self.done = framing == "none" or (framing == "length" and not length)
        if framing == "chunked":
            from crawler.fetch.http1.chunked import ChunkedBody

            self._chunks = ChunkedBody(self, self._parser, self._max_header)
        del self._parser  # breaks the reference cycle with this reader

    def _read_framing(self) -> tuple[Framing, int, bool]:
        """The framing, the length, and whether the connection persists.

        See RFC 9112 section 6.3.
        """
        version = self.version
        connection = _options(",".join(self.values("connection")))
        persists = "close" not in connection and (
            version == "1.1" or "keep-alive" in connection
        )
        if self._method == "HEAD" or self.status in (204, 304):
            return "none", 0, persists
        length = self._names.get("content-length")
        if codings := self.values("transfer-encoding"):
            if [coding.lower() for coding in codings] != ["chunked"]:
                raise ProtocolFailure(
                    f"unknown Transfer-Encoding: {', '.join(codings)}"
                )
            if length is not None:
                self._tolerate("length_and_chunked")
            return "chunked", 0, persists and version == "1.1"
        if length is not None:
            # llhttp has refused everything but a single number.
            return "length", int(length), persists
        return "close", 0, False

    def _feed_body(self, data: bytes | memoryview) -> None:
        if self._chunks is not None:
            self._feed_chunks(self._chunks, data)
            return
        if self._framing == "length":
            if len(data) > self._remaining:
                self._clear = False
                data = data[: self._remaining]
            self._remaining -= len(data)
            self.done = not self._remaining
        self._keep(bytes(data))

    def _feed_chunks(self, chunks: ChunkedBody, data: bytes | memoryview) -> None:
        chunks.feed(data)
        if chunks.tolerated:
            self._tolerate("chunk_line")
        self._clear &= chunks.regular
        if self.done:
            self._chunks = None  # breaks the reference cycle with this reader

    def _keep(self, data: bytes) -> None:
        if len(data) > self._body_left:
            data = data[: self._body_left]
            self.truncated = self.done = True
            self._clear = False
        self._body_left -= len(data)
        self.wire_bytes += len(data)
        if data:
            self._body.append(data)


@lru_cache(maxsize=16)
def _options(values: str) -> frozenset[str]:
    """The options in the values of Connection, in lower case; servers use few."""
    return frozenset(option.strip().lower() for option in values.split(","))


_names: dict[bytes, str] = {}


def _remember(name: bytes) -> str:
    """Decode a header name, and cache it: servers use few names, many times."""
    decoded = name.decode("latin-1").lower()
    if len(_names) < _MAX_NAMES and len(name) < 64:
        _names[name] = decoded
    return decoded
