"""crawler/extract/images/formats.py compared with Pillow, also on damaged files.

Files are cut at every position, and random bytes are read.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.extract.images.formats import FORMATS, ImageHeader, read_header
from crawler.extract.sniff import image_type
from crawler.model.errors import ImageDecodeFailure
from tests.helpers.corpora import corpus
from tests.helpers.cpu import cpu_within

pillow = pytest.importorskip("PIL.Image", reason="the oracle of these tests")
image_file = pytest.importorskip("PIL.ImageFile")
sequence = pytest.importorskip("PIL.ImageSequence")


def made(
    name: str, width: int = 37, height: int = 23, mode: str = "RGB", **options: Any
) -> bytes:
    """An image written by Pillow, with `frames` frames where the format has them."""
    frames = options.pop("frames", 1)
    images = [
        pillow.effect_noise((width, height), 40 + number).convert(mode)
        for number in range(frames)
    ]
    if frames > 1:
        options.update(save_all=True, append_images=images[1:])
    file = io.BytesIO()
    images[0].save(file, name, **options)
    return file.getvalue()


SAMPLES: dict[str, bytes] = {
    "png": made("PNG"),
    "png, gray": made("PNG", mode="L"),
    "png, animated": made("PNG", frames=3),
    "jpeg": made("JPEG"),
    "jpeg, progressive": made("JPEG", progressive=True),
    "jpeg with thumbnail": made(
        "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0\xff\xd9"
    ),
    "gif": made("GIF", mode="P"),
    "gif, animated": made("GIF", mode="P", frames=4),
    "webp": made("WEBP"),
    "webp, lossless": made("WEBP", lossless=True),
    "webp, alpha": made("WEBP", mode="RGBA"),
    "webp, animated": made("WEBP", frames=3),
    "avif": made("AVIF", width=64, height=48),
    "avif, alpha": made("AVIF", mode="RGBA"),
    "avif, animated": made("AVIF", frames=3),
    "bmp": made("BMP"),
    "bmp, 1 bit": made("BMP", mode="1"),
    "ico": made("ICO", width=64, height=64, sizes=[(16, 16), (64, 64)]),
    "ico of 256": made("ICO", width=256, height=256, sizes=[(256, 256)]),
    "tiff": made("TIFF"),
    "tiff, compressed": made("TIFF", compression="tiff_deflate"),
    "tiff, pages": made("TIFF", frames=3),
}


def read(body: bytes) -> ImageHeader:
    media_type = image_type(body)
    assert media_type is not None
    return read_header(body, media_type)


@pytest.mark.parametrize("name", SAMPLES)
def test_agrees_with_pillow(name: str) -> None:
    body = SAMPLES[name]
    expected = pillow.open(io.BytesIO(body))
    header = read(body)
    assert header.format == expected.format.lower()
    assert (header.width, header.height) == expected.size
    assert header.frames == getattr(expected, "n_frames", 1)


def pixels(body: bytes) -> list[bytes]:
    """The pixels of all frames, read as far as Pillow can, as browsers do it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = pillow.open(io.BytesIO(body))
        return [frame.convert("RGBA").tobytes() for frame in sequence.Iterator(image)]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_cut_is_noticed_where_it_costs_a_pixel(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without its last bytes is an image if it has the pixels of the whole."""
    monkeypatch.setattr(image_file, "LOAD_TRUNCATED_IMAGES", True)
    body = SAMPLES[name]
    lengths = range(16, len(body), max(1, len(body) // 97))
    for length in (*lengths, *range(len(body) - 20, len(body))):
        cut = body[:length]
        if image_type(cut):
            try:
                read(cut)
            except ImageDecodeFailure:
                continue
            whole = cut if read(body).format != "gif" else gif_with_an_end(cut)
            frames = read(cut).frames if read(body).format == "gif" else None
            assert pixels(whole) == pixels(body)[:frames], length


def gif_with_an_end(cut: bytes) -> bytes:
    """A GIF whose last block was cut, with the right length of the block, and an end.

    Pillow does not read a part of a block, as browsers do.
    """
    position = 13 + (3 << (cut[10] & 7) + 1 if cut[10] & 0x80 else 0)
    while position < len(cut):
        if cut[position] == ord("!"):
            position += 2
        else:
            flags = cut[position + 9]
            position += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        while position < len(cut) and cut[position]:
            left = len(cut) - position - 1
            if left < cut[position]:
                return cut[:position] + bytes([left]) + cut[position + 1 :] + b"\0;"
            position += 1 + cut[position]
        if position >= len(cut):
            return cut + b"\0;"
        position += 1
    return cut + b";"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_part_is_no_image(name: str) -> None:
    for percent in (20, 45, 70, 90):
        with pytest.raises(ImageDecodeFailure):
            read(SAMPLES[name][: len(SAMPLES[name]) * percent // 100])


def test_a_sequence_without_an_item() -> None:
    body = SAMPLES["avif, animated"]
    assert read(body.replace(b"meta", b"skip")) == ("avif", 37, 23, 3)


def test_a_video_is_no_sequence_of_images() -> None:
    body = SAMPLES["avif, animated"]
    start, tracks = body.split(b"moov")
    assert read(start + b"moov" + tracks.replace(b"pict", b"vide", 1)).frames == 1


def test_pngsuite() -> None:
    files = sorted(corpus("pngsuite").glob("*.png"))
    assert len(files) > 40
    for file in files:
        body = file.read_bytes()
        header = read(body)
        expected = pillow.open(io.BytesIO(body)).size
        assert (header.width, header.height) == expected, file.name
        damaged = bytearray(body)
        damaged[body.index(b"IDAT") + 5] ^= 1
        with pytest.raises(ImageDecodeFailure, match="checksum"):
            read(bytes(damaged))


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data))
            + kind
            + data
            + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", b"")
        + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_not_decompressed() -> None:
    assert read(png(50_000, 50_000)) == ("png", 50_000, 50_000, 1)


@pytest.mark.parametrize(
    "body",
    [
        png(0, 5),
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0IEND\xaeB`\x82",
        b"\x89PNG\r\n\x1a\n<html>",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff" + b"\0" * 100,
        b"\xff\xd8\xff\xda\0\2\xff\xd9",
        b"GIF89a" + bytes(7) + b";",
        b"RIFF\x04\0\0\0WEBP",
        b"\0\0\1\0\0\0",
        b"II*\0\0\0\0\0",
        b"II*\0\x08\0\0\0\0\0\0\0\0\0",
        b"\0\0\0\x10ftypavif\0\0\0\0",
        b"<html>not an image</html>",
    ],
)
def test_bodies_that_are_no_images(body: bytes) -> None:
    with pytest.raises(ImageDecodeFailure):
        read_header(body, image_type(body) or "image/png")


def test_what_stands_before_the_signature_is_not_skipped() -> None:
    for name, body in SAMPLES.items():
        media_type = image_type(body)
        assert media_type
        for before in (b"hello", b"\n", b"\xef\xbb\xbf"):
            with pytest.raises(ImageDecodeFailure, match="does not begin as one"):
                read_header(before + body, media_type), name


def test_trailing_bytes_are_ignored() -> None:
    for name in ("png", "jpeg", "gif", "webp", "bmp", "ico", "tiff", "avif"):
        assert read(SAMPLES[name] + b"\0\0trailing").width == read(SAMPLES[name]).width


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    body = bytearray(draw(st.sampled_from(sorted(SAMPLES.values()))))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(8, min(len(body) - 1, 200)))
        body[place : place + 2] = draw(
            st.sampled_from([b"\0\0", b"\xff\xff", b"\x80\0", b"\1\0", b""])
        )
    return bytes(body)


@settings(max_examples=400)
@given(damaged() | st.binary(max_size=100), st.sampled_from(sorted(FORMATS)))
@example(b"II*\0" + struct.pack("<IHHHII", 8, 1, 273, 4, 2**32 - 1, 0), "image/tiff")
def test_rubbish_is_a_failure_or_an_image(body: bytes, media_type: str) -> None:
    for kind in {media_type, image_type(body) or media_type}:
        try:
            header = read_header(body, kind)
        except ImageDecodeFailure:
            continue
        assert header.width != 0
        assert header.format


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xd8\xff" + b"\xff" * 2_000_000,
        b"\xff\xd8" + b"\xff\xe0\0\2" * 500_000,
        b"GIF89a" + bytes(7) + b"!\1\1x" * 500_000,
        b"GIF89a" + bytes(7) + b"!\1" + b"\1x" * 1_000_000,
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXt\0\0\0\0" * 160_000,
        b"RIFF\0\x24\x1e\0WEBP" + b"ABCD\0\0\0\0" * 250_000,
        b"\0\0\0\x10ftypavif\0\0\0\0" + b"\0\0\0\x08free" * 250_000,
        b"II*\0\x08\0\0\0" + struct.pack("<HHII", 273, 4, 400_000, 0) * 160_000,
    ],
)
def test_time_is_linear(body: bytes) -> None:
    with cpu_within(3), pytest.raises(ImageDecodeFailure):
        read(body)
