"""Which pictures are damaged: whole ones of each format, and what was done to them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from crawler.extract.looks.verifying import MAX_DECODED, verify, verify_task
from tests.helpers.made_pictures import encoded, noise, shapes
from tests.helpers.paths import ROOT

PROFILE = b"\xff\xe2\0\x12ICC_PROFILE\0\2\2xx"
"""The second of two parts of a colour profile, without the first."""
PICTURE = noise(1).resize((320, 240))


def animated(form: str, frames: int = 3) -> bytes:
    more = [shapes(number).resize((320, 240)) for number in range(frames)]
    return encoded(more[0], form, save_all=True, append_images=more[1:])


WHOLE = {
    "jpeg": encoded(PICTURE, "JPEG", quality=85),
    "progressive": encoded(PICTURE, "JPEG", quality=85, progressive=True),
    "restarts": encoded(PICTURE, "JPEG", restart_marker_blocks=8),
    "grey": encoded(PICTURE.convert("L"), "JPEG"),
    "cmyk": encoded(PICTURE.convert("CMYK"), "JPEG"),
    "png": encoded(PICTURE),
    "palette": encoded(PICTURE.convert("P")),
    "deep": encoded(PICTURE.convert("I;16")),
    "apng": animated("PNG"),
    "gif": encoded(PICTURE, "GIF"),
    "frames": animated("GIF"),
    "webp": encoded(PICTURE, "WEBP"),
    "lossless": encoded(PICTURE, "WEBP", lossless=True),
    "animated": animated("WEBP"),
    "avif": encoded(PICTURE, "AVIF"),
    "bmp": encoded(PICTURE, "BMP"),
    "tiff": encoded(PICTURE, "TIFF"),
    "lzw": encoded(PICTURE, "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_picture_is_verified(name: str, tmp_path: Path) -> None:
    assert verify(WHOLE[name]) == (True, "")
    file = tmp_path / "picture"
    file.write_bytes(WHOLE[name])
    assert msgspec.msgpack.decode(verify_task(msgspec.msgpack.encode(str(file)))) == [
        True, ""
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["jpeg", "progressive", "restarts", "grey", "cmyk", "png", "gif", "tiff"]
)
def test_a_picture_whose_end_was_lost_is_damaged(name: str) -> None:
    """The last marker is there: the header's reader takes it for whole."""
    data = WHOLE[name]
    ends = {"png": data[-12:], "gif": b"\0;"}.get(name, b"\xff\xd9")
    is_verified, wrong = verify(data[: len(data) // 2] + ends)
    assert not is_verified
    assert wrong


@pytest.mark.parametrize("name", ["jpeg", "progressive", "restarts", "png"])
def test_a_picture_with_a_hole_is_damaged(name: str) -> None:
    data = WHOLE[name]
    middle = len(data) // 2
    assert verify(data[:middle] + bytes(2000) + data[middle + 2000 :])[1]


@pytest.mark.parametrize("name", ["jpeg", "progressive"])
def test_what_surrounds_the_pixels_is_no_damage(name: str) -> None:
    data = WHOLE[name]
    scan = data.index(b"\xff\xda")
    changed = {
        "no last marker": data[:-2],
        "half of it": data[:-1],
        "bytes behind it": data + b"trailer",
        "bytes before it": data[:-2] + b"\0\0\0" + data[-2:],
        "junk before a segment": data[:20] + b"junk" + data[20:],
        "half a profile": data[:20] + PROFILE + data[20:],
    }  # fmt: skip
    for what, whole in changed.items():
        assert verify(whole) == (True, ""), what
    hole = data[: scan + 900] + bytes(2000) + data[scan + 2900 :]
    assert verify(hole[:20] + b"junk" + hole[20:])[1]  # it hides nothing


def test_a_png_without_its_last_chunk_is_whole() -> None:
    assert verify(WHOLE["png"][:-6]) == (True, "")


def test_what_is_not_decoded_is_no_damage() -> None:
    large = Image.new("1", (MAX_DECODED // 4000 + 1, 4000))
    assert verify(encoded(large)) == (False, "")
    second = Image.new("1", large.size)
    pages = io.BytesIO()
    PICTURE.convert("1").save(
        pages, "TIFF", save_all=True, append_images=[second], compression="group4"
    )
    assert verify(pages.getvalue()) == (False, "")
    compression = struct.pack("<HHI", 259, 3, 1)
    unknown = WHOLE["tiff"].replace(compression + b"\1", compression + b"\x63")
    assert unknown != WHOLE["tiff"]
    assert verify(unknown) == (False, "")


def test_bombs_are_refused_by_their_headers() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.bombs"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    *lines, peak = done.stdout.splitlines()
    assert len(lines) == 8
    assert all(line.endswith(" b'' [False, '']") for line in lines), lines
    assert float(peak) < 150
