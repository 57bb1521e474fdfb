"""What it takes to know pictures by their look: hashing, and the search in the state.

    python -m tests.benchmarks.looks              10,000 and 100,000 hashes
    python -m tests.benchmarks.looks 1000000      a million hashes

Hashing is CPU time of the extraction process, and decoding is most of it. The search is
that of the crawling process, in a state on the disk, with commits of 256 pictures. Near
linear is: ten times as many pictures cost some ten times as much.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path

import msgspec

from crawler.engine.look_index import LookIndex
from crawler.extract.looks.hashing import look_of, look_task
from crawler.extract.looks.look import HASH_BYTES, SIZE
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


def search(number: int) -> None:
    dice = random.Random(number)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "state")) as store,
    ):
        index = LookIndex(store)
        began = time.process_time()
        for at in range(number):
            index.fill(_record(at), dice.randbytes(HASH_BYTES) + bytes(SIZE - 8))
            if at % BATCH == 0:
                store.commit()
        store.commit()
        each = _each(began, number)
    compared = index.compared / number
    print(f"{number:,} hashes: {each:,.0f} us each, compared with {compared:.2f}")


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
        search(number)


if __name__ == "__main__":
    main()
