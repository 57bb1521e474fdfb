"""Which pictures are alike: measured on made pictures that are labelled."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import msgspec
import pytest
from PIL import Image

from crawler.extract.looks.decoding import MAX_PIXELS
from crawler.extract.looks.hashing import look_task
from crawler.extract.looks.look import SIZE, are_alike, distance, hash_of
from tests.helpers.made_pictures import SAME, bomb, different, encoded, noise, shapes

OF_EACH = 50


def look(content: bytes | str) -> bytes:
    return look_task(msgspec.msgpack.encode(content))


@pytest.fixture(scope="module")
def pictures() -> dict[str, Image.Image]:
    return dict(different(OF_EACH))


@pytest.fixture(scope="module")
def looks(pictures: dict[str, Image.Image]) -> dict[str, bytes]:
    return {name: look(encoded(image)) for name, image in pictures.items()}


def test_no_two_different_pictures_are_alike(looks: dict[str, bytes]) -> None:
    assert {len(one) for one in looks.values()} <= {0, SIZE}
    pairs = combinations([(name, one) for name, one in looks.items() if one], 2)
    near = [
        (name, other, are_alike(a, b))
        for (name, a), (other, b) in pairs
        if distance(hash_of(a), hash_of(b)) <= 3
    ]
    assert len(near) > 50  # the hash alone is not enough
    assert [pair for pair in near if pair[2]] == []


@pytest.mark.parametrize("change", SAME)
def test_a_picture_that_was_changed_is_found(
    pictures: dict[str, Image.Image], looks: dict[str, bytes], change: str
) -> None:
    found = Counter(
        bool(looks[name]) and are_alike(looks[name], again)
        for name, image in pictures.items()
        if (again := look(SAME[change](image)))
    )
    assert found[True] / (4 * OF_EACH) >= 0.93, found


@pytest.mark.parametrize("colour", ["black", "white", (12, 200, 30)])
def test_one_colour_is_no_look(colour: str) -> None:
    assert look(encoded(Image.new("RGB", (300, 200), colour))) == b""
    assert look(encoded(Image.new("RGB", (1, 1), colour), "JPEG")) == b""


def test_what_a_person_sees_counts() -> None:
    image = shapes(1)
    plain = look(encoded(image))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = image.transpose(Image.Transpose.ROTATE_90)
    assert are_alike(plain, look(encoded(turned, exif=exif)))
    assert not are_alike(plain, look(encoded(turned)))
    animated = encoded(image, "GIF", save_all=True, append_images=[shapes(2)])
    assert are_alike(plain, look(animated))
    clear = image.copy()
    clear.putalpha(Image.new("L", image.size, 255))
    assert are_alike(plain, look(encoded(clear, "WEBP", lossless=True)))
    hidden = image.copy()
    hidden.putalpha(Image.new("L", image.size, 0))
    assert look(encoded(hidden)) == b""  # white


def test_sixteen_bits_are_eight_and_more() -> None:
    grey = noise(3).convert("L")
    wide = grey.convert("I").point(lambda level: level * 257).convert("I;16")
    assert are_alike(look(encoded(grey)), look(encoded(wide)))


def test_damaged_bytes_are_no_look() -> None:
    whole = encoded(noise(1))
    for content in (b"", b"\x89PNG\r\n\x1a\n", whole[: len(whole) // 2], b"<svg/>"):
        assert look(content) == b""
    assert look(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == b""


def test_a_bomb_is_not_decoded() -> None:
    assert MAX_PIXELS < 60_000 * 60_000
    assert look(bomb(60_000, 60_000)) == look(bomb(9_000, 8_000)) == b""
