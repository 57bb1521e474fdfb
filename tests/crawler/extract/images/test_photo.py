"""What Exif data say of a photograph. Pillow writes them."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crawler.extract.body import Body
from crawler.extract.images.formats import read_header
from crawler.extract.images.photo import MAX_TEXT, read_photo
from crawler.extract.images.reader import read_image
from crawler.extract.sniff import image_type
from crawler.model.content_config import ImagesConfig
from crawler.model.documents import Photo
from tests.helpers.crawling import config, crawl, of, page, picture, serve
from tests.helpers.made_pictures import noise
from tests.site.page import reply

__all__ = ["serve"]

IFD, GPS = 0x8769, 0x8825
WHEN = {0x9003: "2024:05:01 12:30:45", 0x9011: "+02:00", 0x9291: "250"}
VIENNA = {1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (16.0, 22.0, 12.0)}
VIENNA_PHOTO = Photo(
    "2024-05-01T12:30:45.250+02:00", "Canon", "EOS 5D", 48.208333, 16.37
)


def exif(
    main: dict[int, Any], details: dict[int, Any], gps: dict[int, Any]
) -> Image.Exif:
    data = Image.Exif()
    data.update(main)
    if details:
        data.get_ifd(IFD).update(details)
    if gps:
        data.get_ifd(GPS).update(gps)
    return data


def of_vienna() -> Image.Exif:
    return exif({0x010F: "Canon", 0x0110: "EOS 5D\0\0"}, WHEN, VIENNA)


def read(data: Image.Exif) -> Photo | None:
    return read_photo(data.tobytes().removeprefix(b"Exif\0\0"))


def encoded(form: str, data: Image.Exif) -> bytes:
    file = io.BytesIO()
    noise(1).resize((40, 30)).save(file, form, exif=data.tobytes())
    return file.getvalue()


def photo_in(body: bytes) -> Photo | None:
    media_type = image_type(body)
    assert media_type is not None
    body_of = Body("https://a.example/", body, media_type, None, 1, False)
    return read_image(body_of).photo


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_format_has_them(form: str) -> None:
    assert photo_in(encoded(form, of_vienna())) == VIENNA_PHOTO
    assert photo_in(encoded(form, Image.Exif())) is None


def test_the_box_of_jpeg_xl() -> None:
    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", 8 + len(data)) + kind + data

    stream = b"\xff\n\x00\x10\xb0\x13\x88\x02\x00\x00\x02\x80"
    data = of_vienna().tobytes().removeprefix(b"Exif\0\0")
    body = (
        box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
        + box(b"Exif", struct.pack(">I", 2) + b"xx" + data) + box(b"jxlc", stream)
    )  # fmt: skip
    from crawler.extract.images.jxl import _exif

    assert read_photo(_exif(body)) == VIENNA_PHOTO


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({0x9003: "2024:05:01 12:30:45"}, "2024-05-01T12:30:45"),
        (
            {0x9004: "2023:01:02 03:04:05", 0x9012: "-05:30"},
            "2023-01-02T03:04:05-05:30",
        ),
        ({0x9003: "2024-05-01T12:30:45"}, "2024-05-01T12:30:45"),
        ({0x9003: "0000:00:00 00:00:00"}, None),
        ({0x9003: "2024:13:01 12:30:45"}, None),
        ({0x9003: "    :  :     :  :  "}, None),
        (
            {0x9003: "0000:00:00 00:00:00", 0x9004: "2024:05:01 01:01:01"},
            "2024-05-01T01:01:01",
        ),
        ({0x9003: "2024:05:01 12:30:45", 0x9011: "   :  "}, "2024-05-01T12:30:45"),
        ({0x9003: "2024:05:01 12:30:45", 0x9291: "000"}, "2024-05-01T12:30:45"),
        ({0x9003: 17}, None),
    ],
)
def test_dates(details: dict[int, Any], expected: str | None) -> None:
    found = read(exif({}, details, {}))
    assert (found.taken_at if found else None) == expected


@pytest.mark.parametrize(
    ("gps", "expected"),
    [
        ({1: "S", 2: (33, 51, 25.2), 3: "E", 4: (151, 12, 54)}, (-33.857, 151.215)),
        ({1: "N", 2: (40.5, 0.0, 0.0), 3: "W", 4: (74.0, 0.0, 0.0)}, (40.5, -74.0)),
        ({2: (40.0, 0.0, 0.0), 4: (74.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (91.0, 0.0, 0.0), 3: "W", 4: (74.0, 0.0, 0.0)}, None),
        ({1: "N", 3: "W"}, None),
    ],
)  # fmt: skip
def test_places(gps: dict[int, Any], expected: tuple[float, float] | None) -> None:
    found = read(exif({}, {}, gps))
    assert (found and (found.latitude, found.longitude)) == expected


def with_make(data: bytes, order: str = "<") -> bytes:
    """Exif data of which the maker is all."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    entry = struct.pack(f"{order}HHII", 0x010F, 2, len(data), 26)
    return head + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4) + data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Canon\0", "Canon"),
        (b"  Canon  \0garbage", "Canon"),
        ("Caf\xe9 \x07\x01Ltd.\n".encode(), "Caf\xe9 Ltd."),
        ("Caf\xe9 Ltd.".encode("latin-1"), "Caf\xe9 Ltd."),
        (b"x" * 5000, "x" * MAX_TEXT),
        (b"\0\0\0\0\0\0", None),
        (b"      ", None),
    ],
)
def test_texts(data: bytes, text: str | None) -> None:
    found = read_photo(with_make(data))
    assert (found.camera_make if found else None) == text


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders(order: str) -> None:
    assert read_photo(with_make(b"Canon\0", order)) == Photo(camera_make="Canon")


def test_whatever_is_done_to_them_nothing_is_raised() -> None:
    whole = of_vienna().tobytes().removeprefix(b"Exif\0\0")
    dice = random.Random(1)
    for length in range(len(whole)):
        read_photo(whole[:length])
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        read_photo(bytes(data))
    loops = b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", IFD, 4, 1, 8) * 5000
    assert read_photo(loops) is None


def test_the_place_is_written_if_it_is_wanted(serve: Any, tmp_path: Path) -> None:
    site = serve(
        index=page(picture("/a.jpg", "/b.jpg")),
        **{
            "a.jpg": reply(encoded("JPEG", of_vienna()), "image/jpeg"),
            "b.jpg": reply(encoded("JPEG", Image.Exif()), "image/jpeg"),
        },
    )
    names = (
        "taken_at", "camera_make", "camera_model", "has_gps", "latitude", "longitude"
    )  # fmt: skip
    for gps, place in (True, [48.208333, 16.37]), (False, [None, None]):
        folder = tmp_path / str(gps)
        crawl(config(site, folder, images=ImagesConfig(gps=gps)))
        found = {one["url"][-5:]: one for one in of(folder, "image")}
        assert [found["a.jpg"][name] for name in names] == [
            "2024-05-01T12:30:45.250+02:00", "Canon", "EOS 5D", True, *place
        ]  # fmt: skip
        plain = [None, None, None, False, None, None]
        assert [found["b.jpg"][name] for name in names] == plain


def test_the_header_is_read_as_before() -> None:
    turned = exif({0x0112: 6}, {}, {})
    for form in ("JPEG", "PNG", "WEBP", "TIFF"):
        body = encoded(form, turned)
        header = read_header(body, image_type(body) or "")
        assert (header.width, header.height) == (30, 40), form
