"""Decodes a picture to find damage. Only the extraction process calls it.

JPEG is decoded by libjpeg-turbo itself (`simplejpeg`), which says what it has read
over; Pillow does not pass that on, and calls a picture whole whose lower half is grey.
The scale is an eighth: all of the compressed data are read for it. What it says of the
header does no harm to the pixels. The others are decoded by Pillow, frame by frame.

Decoding is bounded by the size in the header, before it begins, and by the pixels of
all frames. What exceeds that, or is of a kind that the decoders do not know, is not
verified, and is not damaged either.
"""

from __future__ import annotations

import io
import mmap
import re
from itertools import count
from typing import TypeAlias

import msgspec
import simplejpeg
from PIL import Image, UnidentifiedImageError

from crawler.extract.looks.decoding import FORMATS, MAX_DECODED, MAX_PIXELS
from crawler.model.errors import is_out_of_memory

MAX_ALL_FRAMES = 250_000_000
"""Pixels of all frames of an animation that are decoded."""

_ALL_KINDS = (b"\x89PNG", b"GIF8", b"RIFF")
"""How formats begin of which Pillow knows all kinds.

What it cannot open of them is damaged. Of BMP, TIFF and AVIF there are others, so only
missing bytes count as damage.
"""
_NOT_KNOWN = ("unsupported", "not supported", "unknown", "not available", "too large")
"""What decoders say of kinds that they do not know, and of their own limits."""
_BEHIND = re.compile(r"(\d+) extraneous bytes before marker 0xd9").search
"""libjpeg says so of bytes behind the last pixel."""
_BEHIND_SHARE = 0.05
"""Up to this part of a file they are padding; else a scan has lost its marker."""
_MAY_HIDE = ("extraneous bytes before marker", "Premature end of JPEG file")
"""libjpeg says so of junk in the header, and of a file without its last marker.

Both do no harm, but only the first thing is told, so they may hide damage.
"""
_EOI, _SOS = b"\xff\xd9", 0xDA
_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])
_MARKER = re.compile(rb"\xff[\x01-\xfe]").search
_BEHIND_THE_PIXELS = "Truncated File Read"
"""Pillow says so of a PNG whose last chunk is cut off."""

Content: TypeAlias = bytes | str
"""The bytes of a picture, or the path of its file."""


def verify_task(payload: bytes) -> bytes:
    """Whether a picture was decoded, and what is wrong with it, as MessagePack.

    `payload`: its bytes, or the path of its file. Raises MemoryError.
    """
    return msgspec.msgpack.encode(verify(msgspec.msgpack.decode(payload)))


def verify(content: Content) -> tuple[bool, str]:
    """Whether all of a picture was decoded, and what is wrong with it.

    The latter is in words, and empty if nothing is known to be wrong. Raises
    MemoryError.
    """
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses twice as many
    try:
        if _start(content).startswith(b"\xff\xd8\xff"):
            return _verify_jpeg(content)
        return _verify_frames(content)
    except Exception as error:  # Pillow's readers raise nearly any
        if is_out_of_memory(error):
            raise
        return False, _damage(error, content)


def _start(content: Content) -> bytes:
    if isinstance(content, bytes):
        return content[:4]
    with open(content, "rb") as file:
        return file.read(4)


def _verify_jpeg(content: Content) -> tuple[bool, str]:
    if isinstance(content, bytes):
        return _decode_jpeg(content)
    with (
        open(content, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        return _decode_jpeg(mapped)


def _decode_jpeg(data: bytes | mmap.mmap) -> tuple[bool, str]:
    height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    if width * height > MAX_PIXELS:
        return False, ""
    try:
        _decode_scans(data)
    except ValueError as error:
        if not any(words in str(error) for words in _MAY_HIDE):
            raise
        _decode_scans(_without_junk(data[:]) + _EOI)
    return True, ""


def _decode_scans(data: bytes | mmap.mmap) -> None:
    """Raises ValueError for what is wrong; of several things, the first."""
    try:
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        behind = _BEHIND(str(error))
        is_padding = behind and int(behind[1]) < _BEHIND_SHARE * len(data)
        if not is_padding and "ICC marker" not in str(error):
            raise


def _without_junk(data: bytes) -> bytes:
    """A JPEG without the bytes between the segments before its first scan."""
    parts, position = [data[:2]], 2
    while found := _MARKER(data, position):
        start, marker = found.end() - 2, data[found.end() - 1]
        if marker == _SOS:
            return b"".join([*parts, data[start:]])
        position = start + 2
        if marker not in _ALONE:
            position += int.from_bytes(data[position : position + 2], "big")
            parts.append(data[start:position])
    return data


def _verify_frames(content: Content) -> tuple[bool, str]:
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    decoded = 0
    with Image.open(file, formats=known) as picture:
        for frame in count():
            try:
                picture.seek(frame)
            except EOFError:
                break
            pixels = picture.width * picture.height
            decoded += pixels
            if pixels > MAX_DECODED or decoded > MAX_ALL_FRAMES:
                return False, ""
            try:
                picture.load()
            except OSError as error:
                if frame or str(error) != _BEHIND_THE_PIXELS:
                    raise
    return True, ""


def _damage(error: Exception, content: Content) -> str:
    """What is wrong, by what a decoder has raised; empty: nothing that it knows."""
    text = str(error) or type(error).__name__
    if isinstance(error, Image.DecompressionBombError):
        return ""
    if any(words in text.lower() for words in _NOT_KNOWN):
        return ""
    start = _start(content)
    if not start.startswith((*_ALL_KINDS, b"\xff\xd8\xff")):
        return text if "truncated" in text else ""
    if isinstance(error, UnidentifiedImageError):
        return "the decoder cannot open it"
    return text
