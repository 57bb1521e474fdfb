"""Pictures made by Pillow, different ones of each kind, and the same ones again."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw

_WORDS = """
file edit view insert format tools window help open save close print name size date type
path user group host port error warning value total count index page text layer brush
"""
WORDS = _WORDS.split()
Picture = Image.Image


def screenshot(number: int) -> Picture:
    """One dialog of one program, with other words in it each time."""
    image = Image.new("RGB", (640, 420), (236, 236, 236))
    draw, dice = ImageDraw.Draw(image), random.Random(number)
    draw.rectangle((0, 0, 640, 24), fill=(60, 90, 160))
    draw.text((8, 6), "Settings", fill="white")
    draw.rectangle((0, 44, 140, 420), fill=(250, 250, 250))
    for line in range(14):
        draw.text((8, 54 + line * 20), WORDS[line], fill="black")
    for line in range(18):
        words = " ".join(dice.choice(WORDS) for _ in range(dice.randint(3, 10)))
        draw.text((156, 54 + line * 19), words, fill="black")
    for x, label in (500, "OK"), (570, "Cancel"):
        draw.rectangle((x, 390, x + 60, 412), outline="black")
        draw.text((x + 10, 395), label, fill="black")
    return image


def noise(number: int) -> Picture:
    """Soft patches of colour, and grain over them."""
    dice = np.random.default_rng(number)
    patches = int(dice.integers(4, 24))
    colours = dice.integers(0, 256, (patches, patches, 3), dtype=np.uint8)
    width, height = (int(side) for side in dice.integers(150, 400, 2))
    soft = Image.fromarray(colours).resize((width, height), Image.Resampling.BICUBIC)
    grain = dice.integers(-20, 20, (height, width, 3))
    grainy = (np.asarray(soft, np.int16) + grain).clip(0, 255)
    return Image.fromarray(grainy.astype(np.uint8))


def gradient(number: int) -> Picture:
    dice = np.random.default_rng(number)
    start, end = dice.integers(0, 256, (2, 3))
    angle = dice.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:300, 0:400]
    way = np.cos(angle) * x / 400 + np.sin(angle) * y / 300
    way = (way - way.min()) / (way.max() - way.min())
    return Image.fromarray((start + (end - start) * way[..., None]).astype(np.uint8))


def shapes(number: int) -> Picture:
    dice = random.Random(number)

    def colour() -> tuple[int, ...]:
        return tuple(dice.randrange(256) for _ in range(3))

    image = Image.new("RGB", (480, 360), colour())
    draw = ImageDraw.Draw(image)
    for _ in range(dice.randint(3, 9)):
        x, y = dice.randrange(400), dice.randrange(300)
        box = (x, y, x + dice.randint(30, 200), y + dice.randint(30, 200))
        dice.choice([draw.ellipse, draw.rectangle])(box, fill=colour())
    return image


KINDS: tuple[Callable[[int], Picture], ...] = (screenshot, noise, gradient, shapes)


def different(of_each: int) -> Iterator[tuple[str, Picture]]:
    """So many pictures of each kind, no two of which show the same, with names."""
    for kind in KINDS:
        for number in range(of_each):
            yield f"{kind.__name__}-{number}", kind(number)


def encoded(image: Picture, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    fast = {"PNG": {"compress_level": 1}, "WEBP": {"method": 0}}.get(form, {})
    image.save(file, form, **(fast | options))
    return file.getvalue()


def _scaled(image: Picture, factor: float) -> Picture:
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def _thumbnail(image: Picture) -> bytes:
    return encoded(_scaled(image, 1 / 3), "JPEG", quality=85)


SAME: dict[str, Callable[[Picture], bytes]] = {
    "half": lambda image: encoded(_scaled(image, 0.5)),
    "thumbnail": _thumbnail,
    "larger": lambda image: encoded(_scaled(image, 1.5), "JPEG", quality=90),
    "q50": lambda image: encoded(image, "JPEG", quality=50),
    "webp": lambda image: encoded(image, "WEBP", quality=75),
}
"""Makes the bytes of a picture that shows the same."""


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header announces pixels that are not there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(10**6))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )
