"""`images.phash`: pictures that look the same, found by one crawl and the next."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from PIL import Image

from crawler.engine.extraction.opening import extract_crawl
from crawler.engine.fetch_url import fetch_url
from crawler.engine.images.look_index import MAX_ENTRIES, MAX_SHARING, LookIndex
from crawler.engine.images.looking import Looking
from crawler.engine.sandbox.process import WorkerLimits
from crawler.extract.looks.look import FIELDS, HASH_BYTES
from crawler.frontier.memory import MemoryStore
from crawler.model.content_config import ImagesConfig
from crawler.model.records import ImageRecord
from tests.helpers.crawling import (
    config,
    crawl,
    of,
    page,
    picture,
    png,
    serve,
)
from tests.helpers.made_pictures import SAME, bomb, encoded, noise, screenshot, shapes
from tests.helpers.paths import ROOT
from tests.site.page import reply
from tests.site.server import Exchange

__all__ = ["serve"]

HASHED = ImagesConfig(phash=True)


class Cached:
    """A picture with an ETag, which answers 304 to it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __call__(self, exchange: Exchange) -> None:
        etag = f'"{hash(self.data)}"'
        if exchange.hit.headers.get("if-none-match") == etag:
            exchange.reply(status=304, headers=(("ETag", etag),))
        else:
            exchange.reply(self.data, "image/png", headers=(("ETag", etag),))


def gallery() -> dict[str, bytes]:
    """By name, in the order of the page."""
    first, broken = shapes(1), encoded(noise(1), "WEBP")
    return {
        "first": encoded(first),
        "dialog": encoded(screenshot(1)),
        "copy": encoded(first),
        "webp": SAME["webp"](first),
        "half": SAME["half"](first),
        "other-dialog": encoded(screenshot(2)),
        "red": encoded(Image.new("RGB", (60, 60), "red")),
        "also-red": encoded(Image.new("RGB", (90, 90), "red")),
        "damaged": broken[:40] + bytes(len(broken) - 40),
        "bomb": bomb(60_000, 60_000),
        "drawing": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    }


def serving(serve: Any, pictures: dict[str, bytes]) -> Any:
    shown = picture(*(f"/{name}" for name in pictures))
    kinds: dict[str, Any] = {name: Cached(data) for name, data in pictures.items()}
    if "drawing" in pictures:
        kinds["drawing"] = reply(pictures["drawing"], "image/svg+xml")
    return serve(index=page(shown), **kinds)


def duplicates(folder: Path, site: Any) -> dict[str, tuple[str | None, str | None]]:
    return {
        one["url"].removeprefix(site.url("/")): (
            one["dup_kind"],
            one["dup_of"] and one["dup_of"].removeprefix(site.url("/")),
        )
        for one in of(folder, "image")
    }


EXPECTED = {
    **dict.fromkeys(gallery(), (None, None)),
    "copy": ("exact", "first"),
    "webp": ("near", "first"),
    "half": ("near", "first"),
}
WITHOUT_LOOK = {"red", "also-red", "damaged", "bomb", "drawing"}


def test_pictures_that_look_the_same_are_told(serve: Any, tmp_path: Path) -> None:
    site = serving(serve, gallery())
    settings = config(site, tmp_path, images=HASHED, concurrency=1)
    crawl(settings)
    assert duplicates(tmp_path, site) == EXPECTED
    hashes = {
        one["url"].removeprefix(site.url("/")): one["phash"]
        for one in of(tmp_path, "image")
    }
    assert {name for name, value in hashes.items() if value is None} == WITHOUT_LOOK
    assert all(len(value) == 16 for value in hashes.values() if value)
    assert hashes["copy"] == hashes["first"]

    crawl(settings, "newer")  # each picture is a 304 but the drawing
    assert duplicates(tmp_path, site) == EXPECTED
    again = {
        one["url"].removeprefix(site.url("/")): one["phash"]
        for one in of(tmp_path, "image")
    }
    assert again == hashes


def test_what_has_other_bytes_now_is_no_duplicate_and_has_none(
    serve: Any, tmp_path: Path
) -> None:
    pictures = {name: gallery()[name] for name in ("first", "webp", "half")}
    site = serving(serve, pictures)
    settings = config(site, tmp_path, images=HASHED, concurrency=1)
    crawl(settings)
    site.pages["first"].data = encoded(noise(5))
    crawl(settings, "newer")
    assert duplicates(tmp_path, site) == {
        "first": (None, None),
        "webp": (None, None),
        "half": ("near", "webp"),
    }


def test_a_recrawl_hashes_what_was_fetched_without(serve: Any, tmp_path: Path) -> None:
    site = serving(serve, gallery())
    settings = config(site, tmp_path, concurrency=1)
    crawl(settings)
    exact_only = {**dict.fromkeys(gallery(), (None, None)), "copy": EXPECTED["copy"]}
    assert duplicates(tmp_path, site) == exact_only
    crawl(replace(settings, images=HASHED), "newer")
    assert duplicates(tmp_path, site) == EXPECTED


def test_fetch_and_extract_hash_as_well(serve: Any, tmp_path: Path) -> None:
    site = serving(serve, gallery())
    settings = config(site, tmp_path / "a", images=HASHED, concurrency=1)
    fetched = fetch_url(settings, site.url("/first")).record
    assert isinstance(fetched, ImageRecord)
    assert fetched.phash is not None
    crawl(replace(settings, images=ImagesConfig()))
    extract_crawl(tmp_path / "a", replace(settings, dir=str(tmp_path / "b")), print)
    assert duplicates(tmp_path / "b", site) == EXPECTED
    first = of(tmp_path / "b", "image")[0]
    assert first["phash"] == fetched.phash


def test_a_large_picture_is_read_from_its_file(serve: Any, tmp_path: Path) -> None:
    large = shapes(3)
    data = encoded(large, compress_level=0) + bytes(2**21)
    site = serving(serve, {"large": data, "small": SAME["webp"](large)})
    crawl(config(site, tmp_path, images=HASHED, concurrency=1))
    assert duplicates(tmp_path, site)["small"] == ("near", "large")


def test_a_crawl_without_starts_no_process(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page(picture("/a.png")), **{"a.png": reply(png(), "image/png")})
    code = (
        "import sys, msgspec; from crawler.engine.builder import open_crawl;"
        "from crawler.model.config import Config;"
        "config = msgspec.json.decode(sys.argv[1], type=Config);"
        "open_crawl(config, mode='new').run();"
        "print(sorted({'numpy', 'PIL', 'crawler.engine.images.looking',"
        " 'crawler.engine.sandbox.pool'} & {*sys.modules}))"
    )
    for images, loaded in (ImagesConfig(), 0), (HASHED, 2):
        settings = config(site, tmp_path / str(loaded), images=images)
        done = subprocess.run(
            [sys.executable, "-c", code, msgspec.json.encode(settings).decode()],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        names = done.stdout.splitlines()[-1]
        assert names.count("crawler.engine") == loaded, names
        assert "PIL" not in names
        assert "numpy" not in names


@pytest.fixture
def looking() -> Iterator[Looking]:
    with closing(Looking(HASHED)) as looks:
        yield looks


def test_a_process_that_dies_is_no_look(looking: Looking) -> None:
    record = record_of(1)
    data = encoded(shapes(1))
    assert looking.look(record, data)[0] is not None
    for content in (b"", b"nonsense", bomb(60_000, 60_000), data[:500]):
        assert looking.look(record, content)[0] is None
    assert looking.look(record, data)[0] is not None
    with closing(Looking(HASHED, limits=WorkerLimits(cpu_s=0.01))) as hurried:
        large = encoded(noise(1).resize((3000, 3000)))
        assert hurried.look(record, large)[0] is None


def test_what_exceeds_a_limit_is_not_verified_and_not_damaged() -> None:
    record = record_of(1)
    large = encoded(noise(1).resize((3000, 3000)))
    limits = WorkerLimits(cpu_s=0.01)
    with closing(Looking(ImagesConfig(verify=True), limits=limits)) as hurried:
        assert hurried.look(record, large)[0] is None
    assert (record.verified, record.damage) == (False, None)


# The index


def look(number: int, colours: bytes = bytes(3)) -> bytes:
    return number.to_bytes(HASH_BYTES, "big") + colours * (FIELDS * FIELDS)


def record_of(number: int) -> ImageRecord:
    """The record of a picture, whose URL and bytes have this number."""
    return ImageRecord(
        url=f"https://h.example/{number}", url_id="", host="", path="", format="png",
        status=200, sha256=f"{number:016x}" * 4,
    )  # fmt: skip


def filled(index: LookIndex, number: int, look: bytes) -> ImageRecord:
    record = record_of(number)
    index.fill(record, look)
    return record


def flipped(number: int, bits: int, dice: random.Random) -> int:
    for bit in dice.sample(range(64), bits):
        number ^= 1 << bit
    return number


def test_all_hashes_at_distance_three_are_found_in_near_linear_time() -> None:
    dice = random.Random(1)
    index, size = LookIndex(MemoryStore()), 10_000
    hashes = [dice.getrandbits(64) for _ in range(size)]
    for at, one in enumerate(hashes):
        assert filled(index, at, look(one)).dup_of is None
    assert index.compared < size  # each with less than one other
    for at in range(0, size, 10):
        near = flipped(hashes[at], dice.randint(0, 3), dice)
        record = filled(index, size + at, look(near))
        assert record.dup_of == f"https://h.example/{at}"
        assert (record.dup_kind, record.phash) == ("near", f"{near:016x}")
        far = flipped(hashes[at], 4, dice)
        assert filled(index, 2 * size + at, look(far)).dup_of is None


def test_one_hash_for_everything_is_bounded() -> None:
    """A site whose pictures have one hash, and other colours each time."""
    index = LookIndex(MemoryStore())
    number = MAX_SHARING + 100
    for at in range(number):
        colours = bytes([at % 8 * 30, at // 8 % 8 * 30, at // 64 * 20])
        assert filled(index, at, look(0, colours)).dup_of is None
    assert index.compared <= number * MAX_ENTRIES


def test_what_shares_three_chunks_with_many_is_found() -> None:
    """The screenshots of one program: most of their bits are always the same."""
    index, number = LookIndex(MemoryStore()), 4 * MAX_SHARING
    dice = random.Random(2)
    hashes = [dice.getrandbits(30) << 34 | 0xABCDE for _ in range(number)]
    for at, one in enumerate(hashes):
        filled(index, at, look(one))
    found = 0
    for at in range(0, number, 16):
        near = look(flipped(hashes[at], dice.randint(1, 3), dice))
        found += filled(index, number + at, near).dup_of is not None
    assert found >= 0.93 * number / 16


def test_one_hash_and_its_own_mean_colour_is_found() -> None:
    """Gradients have the same few hashes, in all colours."""
    index, number = LookIndex(MemoryStore()), MAX_SHARING
    for at in range(number):
        filled(
            index, at, look(0, bytes([at % 8 * 30, at // 8 % 8 * 30, at // 64 * 30]))
        )
    for at in range(number):
        colours = bytes([at % 8 * 30, at // 8 % 8 * 30 + 2, at // 64 * 30 + 3])
        record = filled(index, number + at, look(0, colours))
        assert record.dup_of == f"https://h.example/{at}"
