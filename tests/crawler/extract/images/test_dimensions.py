"""The dimensions of an image are those that it is shown with.

Pillow turns the images with an orientation. The other values are the naturalWidth and
naturalHeight of Chromium 156, except for HEIC, which it does not show: there they are
those of libheif.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest

from crawler.extract.images.formats import read_header
from crawler.extract.sniff import image_type
from crawler.model.errors import ImageDecodeFailure
from tests.helpers.cpu import cpu_within

pillow = pytest.importorskip("PIL.Image", reason="it writes the images")
image_ops = pytest.importorskip("PIL.ImageOps")

Size = tuple[int | None, int | None]


def shown(body: bytes) -> Size:
    media_type = image_type(body)
    assert media_type is not None
    header = read_header(body, media_type)
    return header.width, header.height


def made(name: str, size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    file = io.BytesIO()
    mode = "P" if name == "GIF" else "RGB"
    pillow.effect_noise(size, 50).convert(mode).save(file, name, **options)
    return file.getvalue()


def exif(value: int, order: str = "<", kind: int = 3, count: int = 1) -> bytes:
    """Exif data with an orientation, without `Exif`."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    number = struct.pack(order + ("H" if kind == 3 else "I"), value)
    entry = struct.pack(order + "HHI", 274, kind, count) + number.ljust(4, b"\0")
    return start + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


def segment(marker: int, data: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


JPEG = made("JPEG")
PNG = made("PNG")
IHDR_END = 33


def turned(name: str, orientation: int) -> bytes:
    if name == "PNG":
        return PNG[:IHDR_END] + chunk(b"eXIf", exif(orientation)) + PNG[IHDR_END:]
    if name == "TIFF":
        return made("TIFF", tiffinfo={274: orientation})
    return made(name, exif=b"Exif\0\0" + exif(orientation))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_an_orientation(name: str, orientation: int) -> None:
    body = turned(name, orientation)
    expected = image_ops.exif_transpose(pillow.open(io.BytesIO(body)))
    assert shown(body) == expected.size
    assert expected.size == ((40, 30) if orientation < 5 else (30, 40))


def jpeg_with(*segments: bytes, marker: int = 0xE1) -> bytes:
    return JPEG[:2] + b"".join(segment(marker, data) for data in segments) + JPEG[2:]


@pytest.mark.parametrize(
    ("body", "is_turned"),
    [
        (jpeg_with(b"Exif\0\0" + exif(6, ">")), True),
        (jpeg_with(b"Exif\0\xff" + exif(6)), True),
        (jpeg_with(b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0" + exif(6)), True),
        (jpeg_with(b"Exif\0\0" + exif(6)[:-4]), True),
        (jpeg_with(b"Exif\0\0" + exif(6) + JPEG), True),  # with a thumbnail
        (jpeg_with(b"Exif\0\0" + exif(6), b"Exif\0\0" + exif(1)), True),
        (jpeg_with(b"Exif\0\0" + exif(1), b"Exif\0\0" + exif(6)), False),
        (jpeg_with(b"Exif\0\0" + exif(6)[:-12]), False),
        (jpeg_with(b"Exif\0\0" + exif(0)), False),
        (jpeg_with(b"Exif\0\0" + exif(9)), False),
        (jpeg_with(b"Exif\0\0" + exif(6, kind=4)), False),
        (jpeg_with(b"Exif\0\0" + exif(6, count=2)), False),
        (jpeg_with(exif(6)), False),
        (jpeg_with(b"Exif\0\0" + exif(6), marker=0xE2), False),
        (PNG[:-12] + chunk(b"eXIf", exif(6)) + PNG[-12:], False),
        (PNG[:33] + chunk(b"eXIf", exif(6))[:-1] + b"\0" + PNG[33:], False),
        (PNG[:33] + chunk(b"eXIf", b"Exif\0\0" + exif(6)) + PNG[33:], False),
    ],
)
def test_which_orientation_counts(body: bytes, is_turned: bool) -> None:
    assert shown(body) == ((30, 40) if is_turned else (40, 30))


def gif(
    screen: tuple[int, int], *frames: tuple[int, int, int, int], end: bytes = b";"
) -> bytes:
    """A GIF of one color; a frame is (left, top, width, height)."""
    body = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0" + bytes(6)
    for frame in frames:
        # The codes 4 (clear) and 0 stand in each byte: one pixel for each.
        data = b"\x04" * (frame[2] * frame[3])
        body += b"," + struct.pack("<HHHHB", *frame, 0) + b"\2"
        for at in range(0, len(data), 255):
            body += bytes([len(data[at : at + 255])]) + data[at : at + 255]
        body += b"\0"
    return body + end


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (gif((10, 10), (0, 0, 40, 30)), (40, 30)),
        (gif((10, 10), (5, 6, 40, 30)), (45, 36)),
        (gif((10, 100), (0, 0, 40, 30)), (40, 100)),
        (gif((0, 0), (0, 0, 40, 30)), (40, 30)),
        (gif((0, 0), (5, 6, 40, 30)), (45, 36)),
        (gif((0, 30), (0, 0, 40, 30)), (40, 30)),
        (gif((100, 90), (0, 0, 40, 30)), (100, 90)),
        (gif((20, 20), (0, 0, 20, 20), (0, 0, 40, 30)), (20, 20)),
    ],
)
def test_a_frame_larger_than_its_screen(body: bytes, size: Size) -> None:
    assert shown(body) == size


BMP = made("BMP")


def bmp(width: int, height: int) -> bytes:
    return BMP[:18] + struct.pack("<ii", width, height) + BMP[26:]


def test_a_bitmap_whose_first_row_is_the_top_one() -> None:
    assert shown(bmp(40, -30)) == (40, 30)


@pytest.mark.parametrize("size", [(-40, 30), (-40, -30), (40, 0), (40, -(2**31))])
def test_bitmaps_that_no_browser_shows(size: tuple[int, int]) -> None:
    with pytest.raises(ImageDecodeFailure):
        shown(bmp(*size))


@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<IHHHH", 12, 40, 30, 1, 24),
        struct.pack("<IIIHH", 16, 40, 30, 1, 24),
    ],
)
def test_bitmaps_of_os2(header: bytes) -> None:
    start = BMP[:10] + struct.pack("<I", 14 + len(header))
    assert shown(start + header + BMP[54:]) == (40, 30)


def icon(*images: tuple[int, int, bytes], kind: int = 1) -> bytes:
    """An icon; each image has the width and height of the directory."""
    body = struct.pack("<HHH", 0, kind, len(images))
    offset = 6 + 16 * len(images)
    for width, height, data in images:
        body += struct.pack("<BBxxHHII", width, height, 1, 32, len(data), offset)
        offset += len(data)
    return body + b"".join(data for _, _, data in images)


def dib(width: int, height: int) -> bytes:
    """A bitmap as an icon has it: its height is that of the mask, too."""
    bitmap = made("BMP", (width, height))[14:]
    mask = bytes((width + 31) // 32 * 4 * height)
    return bitmap[:8] + struct.pack("<i", 2 * height) + bitmap[12:] + mask


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (icon((0, 0, made("PNG", (256, 256)))), (256, 256)),
        (icon((0, 0, dib(256, 256)), kind=2), (256, 256)),
        (icon((16, 16, dib(16, 16)), (32, 32, dib(32, 32))), (32, 32)),
        (icon((32, 32, dib(32, 32)[:-128])), (32, 32)),  # without its mask
        (icon((32, 32, made("PNG", (32, 32))[:-12])), (32, 32)),  # without IEND
        (icon((32, 32, dib(32, 32)), (16, 16, dib(16, 16)))[:-900], (32, 32)),
    ],
)
def test_the_largest_image_of_an_icon(body: bytes, size: Size) -> None:
    assert shown(body) == size


def test_an_icon_whose_largest_image_is_cut() -> None:
    for body in (
        icon((16, 16, dib(16, 16)), (32, 32, dib(32, 32)))[:-400],
        icon((16, 16, dib(16, 16)), (32, 32, made("PNG", (32, 32))))[:-100],
    ):
        with pytest.raises(ImageDecodeFailure):
            shown(body)


def canvas(body: bytes, width: int) -> bytes:
    """WebP with another width of its canvas."""
    at = body.index(b"VP8X") + 12
    return body[:at] + (width - 1).to_bytes(3, "little") + body[at + 3 :]


def test_the_canvas_of_a_webp() -> None:
    frames = [pillow.effect_noise((40, 30), 50).convert("RGB") for _ in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    assert shown(canvas(file.getvalue(), 200)) == (200, 30)
    still = made("WEBP", exif=exif(1))
    assert shown(still) == (40, 30)
    with pytest.raises(ImageDecodeFailure, match="not as large as its canvas"):
        shown(canvas(still, 200))


def box(kind: bytes, *parts: bytes, full: int | None = None) -> bytes:
    """A box; `full`: the version of one that has it, whose flags are 0."""
    data = b"".join(parts)
    if full is not None:
        data = struct.pack(">I", full << 24) + data
    return struct.pack(">I4s", 8 + len(data), kind) + data


def ispe(width: int, height: int) -> bytes:
    return box(b"ispe", struct.pack(">II", width, height), full=0)


def clap(width: int, height: int, left: int = 0, top: int = 0) -> bytes:
    numbers = width, 1, height, 1, left, 1, top, 1
    return box(b"clap", struct.pack(">IIIIiIiI", *numbers))


def irot(angle: int) -> bytes:
    return box(b"irot", bytes([angle]))


IMIR = box(b"imir", b"\0")
PIXELS = bytes(range(100))


def heif(
    brand: bytes,
    properties: list[bytes],
    items: dict[int, list[int]],
    *,
    primary: int = 1,
    references: bytes = b"",
    pixels: bytes = PIXELS,
    end: bytes = b"",
) -> bytes:
    """HEIF in which all bytes of each item are `PIXELS`; `items`: their properties."""

    def whole(offset: int) -> bytes:
        places = b"".join(
            struct.pack(">HHHII", item, 0, 1, offset, len(PIXELS)) for item in items
        )
        links = b"".join(
            struct.pack(">HB", item, len(numbers)) + bytes(numbers)
            for item, numbers in items.items()
        )
        meta = box(
            b"meta",
            box(b"pitm", struct.pack(">H", primary), full=0),
            box(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)), places, full=0),
            references,
            box(
                b"iprp",
                box(b"ipco", *properties),
                box(b"ipma", struct.pack(">I", len(items)), links, full=0),
            ),
            full=0,
        )
        return box(b"ftyp", brand, bytes(4), brand, b"mif1") + meta

    start = whole(0)
    return whole(len(start) + 8) + box(b"mdat", pixels) + end


@pytest.mark.parametrize(
    ("brand", "properties", "numbers", "size"),
    [
        (b"heic", [ispe(40, 30)], [1], (40, 30)),
        (b"heic", [ispe(40, 30), irot(1)], [1, 2], (30, 40)),
        (b"heic", [ispe(40, 30), irot(2)], [1, 2], (40, 30)),
        (b"heic", [ispe(40, 30), irot(3), IMIR], [1, 0x82, 0x83], (30, 40)),
        (b"heic", [ispe(40, 30), IMIR], [1, 2], (40, 30)),
        (b"heic", [ispe(40, 30), clap(20, 10)], [1, 2], (20, 10)),
        (b"heic", [ispe(40, 30), clap(20, 10), irot(1)], [1, 2, 3], (10, 20)),
        (b"heic", [ispe(40, 30), irot(1), clap(10, 20)], [1, 2, 3], (10, 20)),
        (b"heic", [ispe(64, 64), clap(40, 30), irot(1), ispe(40, 30)], [4], (40, 30)),
        # In AVIF, browsers cut only what leaves the corner at the top left.
        (b"avif", [ispe(40, 30), clap(20, 10)], [1, 2], (40, 30)),
        (b"avif", [ispe(40, 30), clap(20, 10, -10, -10)], [1, 2], (20, 10)),
        (b"avif", [ispe(40, 30), clap(20, 10, -10, -10), irot(1)], [1, 2, 3], (10, 20)),
        (b"avif", [ispe(40, 30), clap(80, 10)], [1, 2], (40, 30)),
        (b"avif", [ispe(40, 30), irot(3)], [1, 2], (30, 40)),
    ],
)
def test_transformations_of_heif(
    brand: bytes, properties: list[bytes], numbers: list[int], size: Size
) -> None:
    assert shown(heif(brand, properties, {1: numbers})) == size


def test_the_primary_item_is_shown() -> None:
    properties = [ispe(400, 300), ispe(40, 30), irot(1)]
    items = {1: [1], 2: [2, 3]}
    assert shown(heif(b"heic", properties, items, primary=2)) == (30, 40)
    assert shown(heif(b"heic", properties, items, primary=1)) == (400, 300)
    with pytest.raises(ImageDecodeFailure):
        shown(heif(b"heic", properties, items, primary=3))


@pytest.mark.parametrize("brand", [b"avif", b"heic"])
def test_what_stands_behind_the_pixels_of_heif(brand: bytes) -> None:
    for end in (b"\n", b"<html>hello</html>", bytes(50), b"\xff" * 50):
        body = heif(brand, [ispe(40, 30)], {1: [1]}, end=end)
        assert shown(body) == (40, 30)


def test_heif_whose_pixels_are_cut() -> None:
    whole = heif(b"avif", [ispe(40, 30)], {1: [1]})
    for length in range(16, len(whole)):
        with pytest.raises(ImageDecodeFailure):
            shown(whole[:length])


def test_the_tiles_of_a_grid_are_part_of_it() -> None:
    tiles = box(b"iref", box(b"dimg", struct.pack(">HHH", 1, 1, 2)), full=0)
    whole = heif(b"heic", [ispe(40, 30)], {1: [1], 2: [1]}, references=tiles)
    assert shown(whole) == (40, 30)
    at = whole.index(struct.pack(">HHH", 2, 0, 1)) + 6  # the offset of the tile
    with pytest.raises(ImageDecodeFailure, match="cut short"):
        shown(whole[:at] + struct.pack(">I", len(whole)) + whole[at + 4 :])


def test_a_thumbnail_is_not_part_of_the_image() -> None:
    thumbnail = box(b"iref", box(b"thmb", struct.pack(">HHH", 2, 1, 1)), full=0)
    whole = heif(b"heic", [ispe(40, 30)], {1: [1], 2: [1]}, references=thumbnail)
    at = whole.index(struct.pack(">HHH", 2, 0, 1)) + 6
    assert shown(whole[:at] + struct.pack(">I", len(whole)) + whole[at + 4 :])


def track(samples: int) -> bytes:
    """A track of images, each of one byte."""
    table = box(
        b"stbl",
        box(b"stsz", struct.pack(">II", 1, samples), full=0),
        box(b"stsc", struct.pack(">IIII", 1, 1, samples, 1), full=0),
        box(b"stco", struct.pack(">II", 1, 0), full=0),
    )
    handler = box(b"hdlr", bytes(4), b"pict", bytes(13), full=0)
    return box(b"trak", box(b"mdia", handler, box(b"minf", table)))


FTYP = box(b"ftyp", b"avif", bytes(4), b"avif")
NOTHING = struct.pack(">HHH", 1, 0, 65535)
"""An item of 65,535 extents, whose offsets and lengths have no byte."""


@pytest.mark.parametrize(
    "body",
    [
        FTYP
        + box(
            b"meta",
            box(b"pitm", b"\0\1", full=0),
            box(b"iloc", struct.pack(">HH", 0, 65535), NOTHING * 65535, full=0),
            full=0,
        ),
        FTYP + box(b"moov", track(2**31) * 20_000),
        FTYP + box(b"meta", *[box(b"iref", full=0)] * 200_000, full=0),
        FTYP + box(b"meta", box(b"iref", *[box(b"dimg", b"\0\1\0\1\0\2")] * 200_000)),
    ],
)
def test_the_time_for_heif_is_bounded(body: bytes) -> None:
    with cpu_within(3), pytest.raises(ImageDecodeFailure):
        shown(body)


def test_a_second_frame_in_one_jpeg() -> None:
    at = JPEG.index(b"\xff\xc0")
    with pytest.raises(ImageDecodeFailure, match="second frame"):
        shown(JPEG[: at + 19] + JPEG[at:])


def test_several_jpegs_in_one_file() -> None:
    other = made("JPEG", (400, 300))
    motion = struct.pack(">I", 24) + b"ftypmp42\0\0\0\0mp42isom" + bytes(1000)
    assert shown(JPEG + other) == shown(JPEG + motion) == (40, 30)
