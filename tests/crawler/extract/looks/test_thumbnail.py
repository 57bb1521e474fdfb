"""Thumbnails for the report: small, of bounded size, and of nothing dangerous."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from crawler.extract.looks.thumbnail import MAX_SVG, SIZES, Thumbnail, thumbnail_task
from tests.helpers.made_pictures import bomb, encoded, noise, screenshot


def made(folder: Path, body: bytes, share: int = 12_000) -> Thumbnail:
    file = folder / "picture"
    file.write_bytes(body)
    answer = thumbnail_task(msgspec.msgpack.encode((str(file), share)))
    return msgspec.msgpack.decode(answer, type=Thumbnail)


def opened(found: Thumbnail) -> Image.Image:
    assert found.media_type == "image/webp"
    return Image.open(io.BytesIO(found.body))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_a_thumbnail_has_the_shape_of_its_picture(tmp_path: Path, form: str) -> None:
    picture = opened(made(tmp_path, encoded(screenshot(1), form)))
    assert picture.size == (320, 210)


def test_it_is_smaller_where_there_is_less_room(tmp_path: Path) -> None:
    body = encoded(noise(3).resize((900, 700)))
    sides = {}
    for share in (30_000, 4_000, 2_000):
        found = made(tmp_path, body, share)
        assert len(found.body) <= 2 * share
        sides[share] = opened(found).width
    assert sides[30_000] == SIZES[0][0]
    assert sides[30_000] > sides[4_000] > sides[2_000]
    assert made(tmp_path, body, 50) == Thumbnail()


def test_what_is_transparent_stays_so_and_turned_is_turned(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (60, 30), (255, 0, 0, 0))
    assert opened(made(tmp_path, encoded(clear))).mode == "RGBA"
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(Image.new("RGB", (60, 30), "red"), "JPEG", exif=exif)
    assert opened(made(tmp_path, turned)).size == (30, 60)


@pytest.mark.parametrize(
    "body", [b"", b"text", encoded(noise(1))[:400], bomb(60_000, 60_000)]
)
def test_what_is_no_picture_has_none(tmp_path: Path, body: bytes) -> None:
    assert made(tmp_path, body) == Thumbnail()


def test_a_file_that_is_missing_has_none(tmp_path: Path) -> None:
    order = msgspec.msgpack.encode((str(tmp_path / "gone"), 1000))
    assert msgspec.msgpack.decode(thumbnail_task(order)) == ["", b""]


PLAIN = '<svg xmlns="http://www.w3.org/2000/svg"><g><path d="M0 0"/></g></svg>'


@pytest.mark.parametrize("text", [PLAIN, f'<?xml version="1.0"?>\n<!-- a -->{PLAIN}'])
def test_a_plain_svg_is_taken_as_it_is(tmp_path: Path, text: str) -> None:
    assert made(tmp_path, text.encode()) == Thumbnail("image/svg+xml", text.encode())


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("<g>", '<g><use href="#a"/>'),
        PLAIN.replace("<g>", '<g><x:use xmlns:x="http://www.w3.org/2000/svg"/>'),
        PLAIN.replace("<g>", "<g><script>1</script>"),
        PLAIN.replace("<g>", "<style>@import 'x'</style><g>"),
        f'<!DOCTYPE svg [<!ENTITY a "aaaa">]>{PLAIN}',
        PLAIN.replace("<g>", "<!-- --!><filter/> --><g>").replace("<!--", "<![CDATA["),
        PLAIN + " " * MAX_SVG,
    ],
)
def test_another_svg_is_not(tmp_path: Path, text: str) -> None:
    assert made(tmp_path, text.encode()) == Thumbnail()
    assert made(tmp_path, text.encode("utf-16")) == Thumbnail()
