"""A JPEG without EOI is whole if all blocks are in its scans.

The oracle is libjpeg-turbo in Pillow, which fills up what is missing with gray: a file
whose pixels are those of the whole one is not cut.
"""

from __future__ import annotations

import io
import random
import struct
import warnings
from typing import Any

import pytest

from crawler.extract.images.formats import read_header
from crawler.model.errors import ImageDecodeFailure
from tests.helpers.cpu import cpu_within

pillow = pytest.importorskip("PIL.Image", reason="it writes and reads the images")
image_file = pytest.importorskip("PIL.ImageFile")


def made(size: tuple[int, int], mode: str, **options: Any) -> bytes:
    noise = pillow.frombytes("RGB", (32, 32), random.Random(7).randbytes(32 * 32 * 3))
    file = io.BytesIO()
    noise.resize(size).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def is_whole(body: bytes) -> bool:
    try:
        read_header(body, "image/jpeg")
    except ImageDecodeFailure:
        return False
    return True


def pixels(body: bytes) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data: bytes = pillow.open(io.BytesIO(body)).tobytes()
    return data


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("size", [(96, 64), (37, 23), (8, 8), (130, 17)])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"subsampling": 0},
        {"subsampling": 1},
        {"restart_marker_blocks": 3},
        {"restart_marker_rows": 1},
        {"optimize": True, "quality": 30},
        {"quality": 95},
    ],
)
def test_a_jpeg_without_its_end(
    mode: str,
    size: tuple[int, int],
    progressive: bool,
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_file, "LOAD_TRUNCATED_IMAGES", True)
    body = made(size, mode, progressive=progressive, **options)
    for whole in (body[:-2], body[:-1], body[:-2] + b"\r\n", body[:-2] + bytes(100)):
        assert is_whole(whole)
    places = random.Random(len(body)).sample(range(12, len(body)), 6)
    for cut in (body[:-length] for length in (*range(3, 8), *places)):
        if is_whole(cut):
            assert pixels(cut) == pixels(body)
    assert not is_whole(body[: len(body) * 2 // 3])


def segment(marker: int, data: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def tables(dc: int, *ac: int) -> bytes:
    """Two codes of one and two bits for each kind, which stand for these symbols."""
    counts = bytes([1, 1] + [0] * 14)
    return segment(0xC4, b"\0" + counts + bytes([0, dc])) + segment(
        0xC4, b"\x10" + counts + bytes(ac)
    )


def frame(kind: int, width: int, height: int) -> bytes:
    return segment(kind, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")


def scan(first: int, last: int, bits: int, data: bytes) -> bytes:
    return segment(0xDA, bytes([1, 1, 0, first, last, bits])) + data


START = b"\xff\xd8"
LARGE = frame(0xC0, 5600, 5600)
LARGE_PROGRESSIVE = START + tables(1, 1, 0xF0) + frame(0xC2, 5600, 5600)
DC = scan(0, 0, 0, bytes(100_000))


@pytest.mark.parametrize(
    "body",
    [
        START + tables(1, 0, 1) + LARGE + scan(0, 63, 0, bytes(120_000)),
        START + tables(1, 1, 0) + LARGE + scan(0, 63, 0, bytes(2**20)),
        START + tables(1, 0xF0, 0) + LARGE + scan(0, 63, 0, bytes(300_000)),
        START + tables(1, 0, 1) + frame(0xC0, 65535, 65535) + scan(0, 63, 0, bytes(9)),
        LARGE_PROGRESSIVE
        + DC
        + scan(1, 63, 1, bytes(400_000))
        + scan(1, 63, 0x10, b"\xaa" * 600_000),
        LARGE_PROGRESSIVE + DC + scan(1, 63, 1, bytes(9)) * 50_000,
        START + tables(1, 0, 1) * 100_000 + LARGE + scan(0, 63, 0, b""),
    ],
)
def test_time_is_bounded(body: bytes) -> None:
    with cpu_within(3):
        assert not is_whole(body)
