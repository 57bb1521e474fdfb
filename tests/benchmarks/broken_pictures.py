"""What becomes of the pictures of a folder: an image, or a coded error, each.

    python -m tests.benchmarks.broken_pictures FOLDER [--show]

FOLDER may be the `Tests/images` of Pillow's source, the files of PngSuite, or any other
collection of whole, strange and broken pictures. Each file goes through the header's
reader in this process, and then through the extraction process, as with
`--verify-images`. It prints how many there are of each ending; `--show` each file. The
exit status is 1 if anything else was raised, or if the extraction process needed more
than MEMORY.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from contextlib import closing
from pathlib import Path

from crawler.engine.images.looking import Looking
from crawler.extract.images.formats import FORMATS, read_header
from crawler.extract.sniff import image_type
from crawler.model.content_config import ImagesConfig
from crawler.model.errors import Failure
from crawler.model.records import ImageRecord

MEMORY = 512 * 2**20
"""The limit of the process (bytes)."""


def ending(looking: Looking, body: bytes) -> str:
    """`image` with what was found, or the code of an error and its message."""
    media_type = image_type(body)
    if media_type not in FORMATS:
        return "no picture of a known format"
    try:
        header = read_header(body, media_type)
    except Failure as failure:
        return f"{failure.code} (header): {failure.message}"
    record = ImageRecord(
        url="", url_id="", host="", status=200, path=None, content_type=media_type,
        format=header.format, width=header.width, height=header.height,
    )  # fmt: skip
    try:
        looking.look(record, body)
    except Failure as failure:
        return f"{failure.code} (pixels): {failure.message}"
    return "image, verified" if record.verified else f"image, not verified ({header})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--show", action="store_true")
    chosen = parser.parse_args()
    found: Counter[str] = Counter()
    config = ImagesConfig(verify=True, phash=True)
    with closing(Looking(config)) as looking:
        for path in sorted(chosen.folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            end = ending(looking, path.read_bytes())
            found[end.partition(" (")[0].partition(":")[0]] += 1
            if chosen.show:
                print(f"{os.fspath(path.relative_to(chosen.folder)):<50} {end}")
    for kind, number in found.most_common():
        print(f"{number:>6} {kind}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
