"""The last of several records about one image counts: a later run wrote it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.output.export.lines import Line, decode_all, kind_of, read_batches


class _Named(Struct):
    url_id: str


_decode = msgspec.json.Decoder(_Named).decode


def latest_images(files: Iterable[Path]) -> Callable[[Line], bool]:
    """Whether a record of an image is the last about its URL in `files`.

    It has to be asked about each of them, once and in order. Raises UnreadableLine.
    """
    records: dict[int, int] = {}
    for batch in read_batches(files):
        images = [line for line in batch if kind_of(line) == "image"]
        for image in decode_all(images, _decode):
            key = int(image.url_id, 16)
            records[key] = records.get(key, 0) + 1

    def is_latest(line: Line) -> bool:
        key = int(_decode(line).url_id, 16)
        records[key] -= 1
        return not records[key]

    return is_latest
