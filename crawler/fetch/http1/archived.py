"""A response as an archive has it, which need not be as it was on the wire. No I/O.

The head is read as one from the network. The body is what the archive holds: its record
says where it ends, so Content-Length is no framing here. Some programs take the chunks
or the content coding off and leave the head as it was; a body that does not begin as
its head says is taken as it is. Content codings are bounded as those of the network.
"""

from __future__ import annotations

import re

from crawler.fetch.http1.codings import body_decoder
from crawler.fetch.http1.parser import ResponseReader
from crawler.model.errors import DecodeFailure, Failure, ProtocolFailure
from crawler.model.http import Response, Timings, Truncated
from crawler.model.redact import headers_without_userinfo

_MAGIC = {
    **dict.fromkeys(("gzip", "x-gzip"), b"\x1f\x8b"),
    "zstd": b"\x28\xb5\x2f\xfd",
}
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]").search
_LOOKED_AT = 512
_UNDECODED = frozenset({"length", "disconnect"})


def read_archived(
    url: str,
    message: bytes,
    max_header: int,
    max_body: int,
    truncated: Truncated | None,
) -> Response:
    """The response in `message`, a head and a body.

    `max_header` and `max_body` as those of the client (bytes). `truncated`: why the
    archive says that it is not whole. Raises Failure for a head that no client reads,
    and for a body that cannot be decoded.
    """
    reader = ResponseReader("GET", max_header, max_body, keep_head=True)
    try:
        reader.feed(message)
    except Failure:
        if not reader.status:
            raise
    if not reader.status:
        raise ProtocolFailure("the header section has no end")
    head = reader.raw_head
    rest = message[message.index(head) + len(head) :]
    coded, why = _framed(reader, rest)
    why = truncated or why
    if len(coded) > max_body:
        coded, why = coded[:max_body], "length"
    body, is_cut = _decoded(reader, coded, max_body, why)
    return Response(
        url=url,
        status=reader.status,
        reason=reader.reason,
        http_version=reader.version,
        headers=headers_without_userinfo(reader.headers),
        body=body,
        wire_bytes=len(coded),
        timings=Timings(0),
        remote_ip=None,
        reused_connection=False,
        content_encoding=", ".join(reader.values("content-encoding")) or None,
        tolerated=reader.tolerated,
        truncated="length" if is_cut else why,
    )


def _framed(reader: ResponseReader, rest: bytes) -> tuple[bytes, Truncated | None]:
    """The body without its chunks, and why it is not whole."""
    if reader.status in (204, 304):
        return b"", None
    if reader.values("transfer-encoding"):
        chunks = b"".join(reader.take())
        if reader.done:
            return chunks, "length" if reader.truncated else None
        return (chunks, "disconnect") if chunks else (rest, None)
    length = next(iter(reader.values("content-length")), "")
    is_short = length.isdecimal() and len(rest) < int(length)
    return rest, "disconnect" if is_short else None


def _decoded(
    reader: ResponseReader, coded: bytes, max_body: int, why: Truncated | None
) -> tuple[bytes, bool]:
    """The body without its content codings, and whether it was cut at `max_body`."""
    codings = ", ".join(reader.values("content-encoding"))
    if not codings or not coded:
        return coded, False
    try:
        decoder = body_decoder(codings, max_body)
        if decoder is None:
            return coded, False
        pieces = decoder.feed(coded)
        if not (why in _UNDECODED or decoder.truncated):
            decoder.finish()
        return b"".join(pieces), decoder.truncated
    except DecodeFailure:
        if not _may_be_coded(codings, coded):
            return coded, False
        if reader.status < 300:
            raise
        return b"", False  # as in a crawl: the status matters, not the body


def _may_be_coded(codings: str, data: bytes) -> bool:
    """Whether `data` begins as the last of its codings does.

    One without a magic number holds control characters, which text does not.
    """
    magic = _MAGIC.get(codings.rpartition(",")[2].strip().lower())
    if magic is not None:
        return data.startswith(magic)
    return _CONTROLS(data, 0, _LOOKED_AT) is not None
