"""JPEG XL (ISO/IEC 18181): a codestream, alone or in a container of boxes.

The codestream begins with its size and its metadata, bit by bit; then come frames, each
with a table of the lengths of its sections. A table is read unless an ICC profile or a
permutation, which only a decoder of entropy could pass over, stands before it. A
codestream with one of these, or with a table that is too long, counts as whole where no
box says otherwise.
"""

from __future__ import annotations

from struct import Struct

from crawler.extract.images.boxes import boxes
from crawler.extract.images.exif import turns
from crawler.extract.images.formats import ImageHeader, Size, cut_short, with_exif
from crawler.extract.images.jxl_bits import Bits, Unreadable
from crawler.extract.images.jxl_frame import read_frame
from crawler.extract.images.jxl_metadata import Metadata, read_metadata
from crawler.model.errors import ImageDecodeFailure

_SIGNATURE = b"\xff\n"
_PART = Struct(">I").unpack_from
_LAST_PART = 1 << 31


def read(body: bytes) -> ImageHeader:
    """The orientation in the codestream is applied; that of Exif does not count."""
    stream = body if body.startswith(_SIGNATURE) else _codestream(body)
    if not stream.startswith(_SIGNATURE):
        raise ImageDecodeFailure("image/jxl: no image in it")
    bits = Bits(stream, 8 * len(_SIGNATURE))
    metadata = read_metadata(bits)
    frames = _frames(stream, bits, metadata)
    width, height = metadata.width, metadata.height
    if turns(metadata.orientation):
        width, height = height, width
    exif = b"" if stream is body else _exif(body)
    return with_exif(ImageHeader("jxl", width, height, frames), exif)


def possible_sizes(start: bytes) -> tuple[Size, ...]:
    stream = start
    if not start.startswith(_SIGNATURE):
        for kind, begin, _ in boxes(start, 0, len(start)):
            if kind in (b"jxlc", b"jxlp"):
                stream = start[begin + 4 * (kind == b"jxlp") :]
                break
    if not stream.startswith(_SIGNATURE):
        return ()
    try:
        metadata = read_metadata(Bits(stream, 8 * len(_SIGNATURE)))
    except Unreadable:
        return ()
    size = metadata.width, metadata.height
    return (size[::-1] if turns(metadata.orientation) else size,)


def _exif(body: bytes) -> bytes:
    """From the box of that name, behind a number that says where they begin."""
    for kind, start, end in boxes(body, 0, len(body)):
        if kind == b"Exif" and start + 4 <= len(body):
            return body[start + 4 + _PART(body, start)[0] : end]
    return b""


def _codestream(body: bytes) -> bytes:
    """From `jxlc`, or from all `jxlp` (ISO/IEC 18181-2 sections 9.8 and 9.9)."""
    parts: list[bytes] = []
    for kind, start, end in boxes(body, 0, len(body)):
        if kind not in (b"jxlc", b"jxlp"):
            continue
        if end > len(body):
            raise cut_short("image/jxl")
        if kind == b"jxlc":
            return body[start:end]
        parts.append(body[start + 4 : end])
        if _PART(body, start)[0] & _LAST_PART:
            return b"".join(parts)
    raise cut_short("image/jxl")


def _frames(stream: bytes, bits: Bits, metadata: Metadata) -> int | None:
    """The number of frames that are shown; None for one that cannot be counted."""
    shown = 0
    try:
        if metadata.has_icc:
            raise Unreadable
        if metadata.preview:
            read_frame(bits, metadata, metadata.preview)
        while True:  # it ends with the last frame, the bits, or the limit on reads
            frame = read_frame(bits, metadata, (metadata.width, metadata.height))
            shown += frame.is_shown
            if bits.position > 8 * len(stream):
                raise cut_short("image/jxl")
            if frame.is_last:
                break
    except Unreadable:
        return None if metadata.animated else 1
    return shown if metadata.animated else 1
