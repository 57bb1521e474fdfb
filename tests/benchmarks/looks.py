"""What it takes to know pictures by their look: hashing, and the search in the state.

    python -m tests.benchmarks.looks              10,000 and 100,000 looks
    python -m tests.benchmarks.looks 1000000      a million

Hashing is CPU time of the extraction process, and decoding is most of it. The search is
that of the crawling process, in a state on the disk, with commits of 256 pictures. Near
linear is: ten times as many pictures cost some ten times as much. It is done once with
random hashes, and once with those of a site whose pictures are much alike: a quarter
are gradients, with a few hashes in all colours, and a quarter are screenshots of one
program, of whose hashes 30 bits differ.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

from crawler.engine.images.look_index import LookIndex
from crawler.extract.looks.hashing import look_of, look_task
from crawler.extract.looks.look import FIELDS, HASH_BYTES, SIZE
from crawler.frontier.sqlite.store import SqliteStore
from crawler.model.records import ImageRecord
from tests.helpers.made_pictures import encoded, shapes

PICTURES = 100
BATCH = 256


def hashing() -> None:
    images = [shapes(number) for number in range(PICTURES)]
    for form in ("JPEG", "PNG", "WEBP"):
        orders = [msgspec.msgpack.encode(encoded(image, form)) for image in images]
        began = time.process_time()
        for order in orders:
            look_task(order)
        print(f"{form}, 480 x 360: {_each(began, PICTURES):,.0f} us")
    began = time.process_time()
    for image in images:
        look_of(image)
    print(f"of that after decoding: {_each(began, PICTURES):,.0f} us")


def random_look(dice: random.Random) -> bytes:
    return dice.randbytes(HASH_BYTES) + bytes(SIZE - HASH_BYTES)


def look_of_one_site(dice: random.Random) -> bytes:
    kind = dice.randrange(4)
    if kind == 0:
        number = dice.randrange(16) * 0x1111
        return number.to_bytes(HASH_BYTES, "big") + dice.randbytes(3) * FIELDS**2
    if kind == 1:
        number = dice.getrandbits(30) << 34 | 0xABCDE
        return number.to_bytes(HASH_BYTES, "big") + bytes([236] * 3) * FIELDS**2
    return random_look(dice)


def search(number: int, draw: Callable[[random.Random], bytes]) -> None:
    dice = random.Random(number)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "state")) as store,
    ):
        index = LookIndex(store)
        began = time.process_time()
        for at in range(number):
            index.fill(_record(at), draw(dice))
            if at % BATCH == 0:
                store.commit()
        store.commit()
        each = _each(began, number)
    compared = index.compared / number
    what = draw.__name__.replace("_", " ")
    print(f"{number:,} x {what}: {each:,.0f} us each, compared with {compared:.2f}")


def _record(at: int) -> ImageRecord:
    return ImageRecord(
        url=f"https://h.example/{at}", url_id="", host="", path="", format="png",
        status=200, sha256=f"{at:016x}" * 4,
    )  # fmt: skip


def _each(began: float, number: int) -> float:
    return (time.process_time() - began) / number * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hashes", type=int, nargs="*", default=[10_000, 100_000])
    hashing()
    for number in parser.parse_args().hashes:
        search(number, random_look)
        search(number, look_of_one_site)


if __name__ == "__main__":
    main()
