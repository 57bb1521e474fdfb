"""Small files of pictures whose headers announce 60,000 x 60,000 pixels.

python -m tests.helpers.bombs      decodes them all, and prints the peak of memory
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec
from PIL import Image

from tests.helpers.made_pictures import bomb, encoded, noise
from tests.helpers.own_usage import peak_mb

SIDE = 60_000
MAX_WEBP = 16_383
"""The largest side that the format has."""


def bombs() -> Iterator[tuple[str, bytes]]:
    """By name."""
    picture = Image.new("RGB", (64, 64), "red")
    yield "png", bomb(SIDE, SIDE)
    gif = encoded(picture, "GIF")
    yield "gif", gif.replace(struct.pack("<HH", 64, 64), struct.pack("<HH", SIDE, SIDE))
    small, large = struct.pack(">HH", 64, 64), struct.pack(">HH", SIDE, SIDE)
    for name in ("jpeg", "progressive"):
        square = noise(1).resize((64, 64))
        data = encoded(square, "JPEG", progressive=name == "progressive")
        yield name, data.replace(small, large, 1)
    bmp = bytearray(encoded(picture, "BMP"))
    bmp[18:26] = struct.pack("<ii", SIDE, SIDE)
    yield "bmp", bytes(bmp)
    tiff = encoded(picture, "TIFF", compression="tiff_adobe_deflate")
    for tag in (256, 257):
        at = tiff.index(struct.pack("<HH", tag, 3))
        value = struct.pack("<HHII", tag, 4, 1, SIDE)
        tiff = tiff[:at] + value + tiff[at + 12 :]
    yield "tiff", tiff
    frames = {"save_all": True, "append_images": [Image.new("RGB", (64, 64))]}
    webp = bytearray(encoded(picture, "WEBP", **frames))
    webp[24:30] = 2 * (MAX_WEBP - 1).to_bytes(3, "little")
    yield "webp", bytes(webp)
    avif = encoded(picture, "AVIF")
    sides = struct.pack(">II", 64, 64)
    yield "avif", avif.replace(sides, struct.pack(">II", SIDE, SIDE))


def main() -> None:
    from crawler.extract.looks.hashing import look_task
    from crawler.extract.looks.verifying import verify_task

    for name, data in bombs():
        order = msgspec.msgpack.encode(data)
        print(name, look_task(order), msgspec.msgpack.decode(verify_task(order)))
    print(peak_mb())


if __name__ == "__main__":
    main()
