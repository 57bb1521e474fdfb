"""JPEG XL: dimensions, orientation, frames and cuts.

The samples are cjxl's, and Chromium 156 shows them with these dimensions; it shows none
of them as a whole when a byte is missing. The others are written here, bit by bit.
"""

from __future__ import annotations

import base64
import contextlib
import struct
from collections.abc import Iterator

import pytest

from crawler.extract.images.formats import ImageHeader, read_header
from crawler.model.errors import ImageDecodeFailure
from tests.helpers.cpu import cpu_within

LOSSY = base64.b64decode(
    "/wroMJBQXAgKAQAACAEAOABYAFhKOEC87aKLDDjLAopAEXiJFDqEzWktDhxPhCaNzOLzmDQf/8tsDpdP"
    "ILOp6CaFhZmB5mjT5vpI5xFg5gDgwwSiAQBAAlEcAABUqIwybvByrufLDx0W0zauM7TVtoUliVAKSSRE"
    "3O1BFwBITD5vhAJYqlAhBbIA2K0qXrwYj4wxxnuXePIq0fc52ugvfsWB76jA9PjD7m4OEr0vafsC3Bh8"
    "AmcnMBqZNe5kap9BCjky5yZrfcxHjYP0ud0iSlyu6fjR2u6mkC4X7cMMvP+h7Q3GWa1A0A=="
)
BOX = base64.b64decode(
    "AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAADwanhsY/8K6DCQUFwICgEAAAgBADgAWABY"
    "SjhAvO2iiww4ywKKQBF4iRQ6hM1pLQ4cT4Qmjczi85g0H//LbA6XTyCzqegmhYWZgeZo0+b6SOcRYOYA"
    "4MMEogEAQAJRHAAAVKiMMm7wcq7nyw8dFtM2rjO01baFJYlQCkkkRNztQRcASEw+b4QCWKpQIQWyANit"
    "Kl68GI+MMcZ7l3jyKtH3OdroL37Fge+owPT4w+5uDhK9L2n7AtwYfAJnJzAamTXuZGqfQQo5Mucma33M"
    "R42D9LndIkpcrun40druppAuF+3DDLz/oe0NxlmtQNA="
)
MODULAR = base64.b64decode(
    "/wroMLChuBAIBAgAeAQAOABYAFiaR0bYBoRhVYAtDhCV8bMXtMrUSnhm3WS7I6Kf0sOpbiyJquXkWCaZ"
    "GA9GIhbZrlm7O6F4jrcDJcuI6YOZ7oTtcf1EIL55JDVTGJtnQZlMR7QklERJJEmSJCUCBSNwisHpiAgU"
    "NcIQogWAVrI1i/8/gT+Au2cu3ccEJTwVuJFuLPJgRATigJ8nvwkdcKcw8FCgMMSa/pfKnCRJkiRJkiRJ"
    "kiRJkiRJYrTzyxPEFH8CUrp52ZL8LBc5ugTNtGnvEylfzEGIDATuQWsKVew3Boa/a1jQQjhvkvL1PhBY"
    "mIPtcFO9kodjwucf4ZhgsfIBHhjdh0ZDfwGMO4GXsPvxWgJ6PQtIyNVrKNuChZY6y75sSqedUYof9rcK"
)
ANIM = base64.b64decode(
    "/wroMEEANhSXBAoEAAAoAQA4AFgAWEooMW7xIgXjHKhZTvQsLxTUDD2TJBISetI1PwMAfs1JubCsrarr"
    "yvLHU6m2KFUfa7WKnJlwCAAAnJAZySQzuSN3kPMB4AMFUAFoACQDCVIVAIAKlVHGDV7O9Xz5ocNi2sZ1"
    "hrbatgAAAAAewMCSRGKinfdJAgwBVi1IpWEz8MzCGT5HzsaTgoJmhWSMMbaRMQbLcE5A+wIAIvUBAAAA"
    "eLECAAAAKFEFAAAAgPNnAACsi0HIxKxABwBQLQwY4JGUuxiUsEIKJAGwW4kx6HQxxnjP0v4VovxeUfsd"
    "ho9g3JqZ4vo/LAfH92ZNqG/uohrnVhPpx94ySedBXZEaV7jbJ7ABxUwxMzGX/nNAA9+UWexuwaqDhdsG"
    "CgQAACwBADgAWABYSigxbvEiBeMcqFlO9CwvFNQMPZNCh4ibGDvPQXpSUdFxXXJ+2lFwd9Nw39BUUHFd"
    "0WEmEgIAAKwZkSxsK2/eej/jO/kC4AMFkAJoAAgDSVIUAIAKlVHGDV7O9Xz5ocNi2sZ1hrbatgAAAAAe"
    "wMCSRGKinfdJAgwBVi1IpWEz8MzCGT5HzkqqpKCgMGl5AJiT//8JAAD43wcAAAAAAADXBwAAAAAAANcA"
    "AAAAAAAxzgMRhruAsz6fOaCXjpi8vUwJqJACSQDaSlRUjLyLMcZ4xhICAG8/cv54A9c81v/5BUG069YQ"
    "qJ1t2L1PrSG71XCnxUqslitktSZWYVHZ0Su6Ml0He/3s/as1VwvpPg4GpgsKBAAAEAEAOABYAFhKKDFu"
    "8SIF4xyoWU70LC8U1Aw9k0KHxDqvDJk/GS98PTFPV36fmKf/F64s252fJ6Y2EgUAAEiVBtJ6aNqmLeAD"
    "BdAjGgBsAyFRFgCACpVRxg1ezvV8+aHDYtrGdYa22rawJJGYaOd9kgBDgFULUmnYDDyzcIbPkbPxpKCg"
    "WaEYY4xUJGMMVuGctH7sCgEAAMC6CQAAAAASPgEAAACYsAIAAIgag1SKwc9CDvgKmTWvhgQMqJACaa4p"
    "XpIXL+bFjDEoDyYQAMijBLSoDRLtwxkIFOYoEiTqDxIWLv4Be6Yg8OGX+L/YgfJBDcjvZTWwc/iopGo7"
    "AciK0Km8gHyHu8Z/cx/XM+JV+GoFAnadd/QHgURQMH7+Ujsw797T5/3/wkksGw=="
)
GROUPS = base64.b64decode(
    "/woxQUJxIQASCAEA5EAGDAAAAABd5RIAABUqo4wbvJzr+fJDh8W0jesMbbVtYUkiATJv5QLwnuBhMAgp"
    "sGBjDMbGjRtj3Bi0McaNwbEMEPElwAYDBRSZrFJw0Lz2CZ5SABg2xEEDKUkA"
)


def read(body: bytes) -> ImageHeader:
    return read_header(body, "image/jxl")


SAMPLES = {
    "lossy": (LOSSY, (40, 30, 1)),
    "in a container": (BOX, (40, 30, 1)),
    "modular with alpha": (MODULAR, (40, 30, 1)),
    "an animation": (ANIM, (40, 30, 3)),
    "several groups": (GROUPS, (300, 200, 1)),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name: str) -> None:
    body, expected = SAMPLES[name]
    assert read(body)[1:] == expected
    assert read(body + b"more")[1:] == expected


@pytest.mark.parametrize("name", SAMPLES)
def test_each_cut_is_noticed(name: str) -> None:
    body, _ = SAMPLES[name]
    for length in range(12, len(body)):
        with pytest.raises(ImageDecodeFailure, match="cut short"):
            read(body[:length])


Field = tuple[int, int]
"""A value and its number of bits."""


def packed(*fields: Field) -> bytes:
    bits = [value >> bit & 1 for value, count in fields for bit in range(count)]
    bits += [0] * (-len(bits) % 8)
    return bytes(
        sum(bits[at + bit] << bit for bit in range(8)) for at in range(0, len(bits), 8)
    )


DEFAULT = (1, 1)
"""All fields of a bundle have their default values."""


def frame(*lengths: int) -> bytes:
    """The last frame, with these lengths of its sections."""
    table = packed(*(field for length in lengths for field in ((0, 2), (length, 10))))
    return packed(DEFAULT, (0, 1)) + table + bytes(sum(lengths))


def codestream(*fields: Field, frames: bytes) -> bytes:
    """`fields` are size and metadata; those of its transformation are the defaults."""
    return b"\xff\n" + packed(*fields, DEFAULT) + frames


def eighths(height: int, ratio: int, width: int = 0) -> list[Field]:
    size = [(1, 1), (height // 8 - 1, 5), (ratio, 3)]
    return size if ratio else [*size, (width // 8 - 1, 5)]


def sides(height: int, selector: int, ratio: int, width: int = 0) -> list[Field]:
    count = (9, 13, 18, 30)[selector]
    size = [(0, 1), (selector, 2), (height - 1, count), (ratio, 3)]
    return size if ratio else [*size, (selector, 2), (width - 1, count)]


@pytest.mark.parametrize(
    ("ratio", "width"),
    [(1, 240), (2, 288), (3, 320), (4, 360), (5, 426), (6, 300), (7, 480)],
)
def test_a_width_by_its_ratio(ratio: int, width: int) -> None:
    # More than 256 pixels are two groups: two sections, one of DC, two of groups.
    frames = frame(5) if width <= 256 else frame(1, 2, 3, 4, 5)
    for size in (eighths(240, ratio), *(sides(240, n, ratio) for n in range(4))):
        body = codestream(*size, DEFAULT, frames=frames)
        assert read(body)[1:] == (width, 240, 1)
        with pytest.raises(ImageDecodeFailure, match="cut short"):
            read(body[:-1])


def test_a_width_of_its_own() -> None:
    body = codestream(*eighths(8, 0, 256), DEFAULT, frames=frame(5))
    assert read(body)[1:] == (256, 8, 1)
    for selector in range(4):
        size = sides(333, selector, 0, 500)
        body = codestream(*size, DEFAULT, frames=frame(1, 2, 3, 4, 5, 6, 7))
        assert read(body)[1:] == (500, 333, 1)


def metadata(orientation: int) -> list[Field]:
    """With a preferred size; the image is of 8 bits, without an extra channel."""
    extra = [(0, 1), (1, 1), (orientation - 1, 3), (1, 1), *eighths(80, 1), (0, 2)]
    depth = [(0, 1), (0, 2), (1, 1), (0, 2)]
    color = [(1, 1), DEFAULT, DEFAULT, (0, 2)]
    return [*extra, *depth, *color]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation(orientation: int) -> None:
    fields = [*eighths(240, 1)[:2], (0, 3), (0, 5)]  # 8 by 240
    body = codestream(*fields, *metadata(orientation), frames=frame(5))
    expected = (8, 240) if orientation < 5 else (240, 8)
    assert read(body)[1:] == (*expected, 1)
    assert read(contained(body))[1:] == (*expected, 1)


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), kind) + data


BETWEEN = box(b"Exif", b"between the parts")


def contained(body: bytes, part: int = 7) -> bytes:
    """`body` in several boxes."""
    parts = [body[at : at + part] for at in range(0, len(body), part)]

    def boxes() -> Iterator[bytes]:
        yield box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
        for number, data in enumerate(parts):
            is_last = (number == len(parts) - 1) << 31
            yield box(b"jxlp", struct.pack(">I", number | is_last) + data)
            yield BETWEEN

    return b"".join(boxes())


def test_a_codestream_in_parts() -> None:
    body = contained(LOSSY)
    assert read(body)[1:] == (40, 30, 1)
    for length in range(12, len(body) - len(BETWEEN)):
        with pytest.raises(ImageDecodeFailure, match="cut short"):
            read(body[:length])


def test_what_stands_before_the_lengths_and_is_not_read() -> None:
    """A profile, and a permutation of the sections: such an image counts as whole."""
    depth = [(0, 1), (0, 1), (0, 1), (0, 2), (1, 1), (0, 2), (1, 1)]
    profile = [(0, 1), (1, 1), (0, 2), (0, 2)]
    body = codestream(*eighths(240, 1), *depth, *profile, frames=b"")
    assert read(body)[1:] == (240, 240, 1)
    permuted = packed(DEFAULT, (1, 1))
    body = codestream(*eighths(240, 1), DEFAULT, frames=permuted)
    assert read(body)[1:] == (240, 240, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\n" + b"\xff" * 2_000_000,
        b"\xff\n" + bytes(2_000_000),
        codestream(*sides(2**30, 3, 1), DEFAULT, frames=b"\1" + bytes(2_000_000)),
        codestream(*sides(1, 0, 1), DEFAULT, frames=bytes(2_000_000)),
        contained(bytes(100_000), 1),
    ],
)
def test_time_is_bounded(body: bytes) -> None:
    with cpu_within(3), contextlib.suppress(ImageDecodeFailure):
        read(body)
