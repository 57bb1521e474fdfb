"""The pictures of the contact sheet, with what their records say."""

from __future__ import annotations

import heapq
from collections import Counter
from pathlib import PurePosixPath
from typing import Any

import msgspec
from msgspec import Struct

from crawler.inspect.report.markup import clip
from crawler.inspect.report.rows import Row

MAX_PICTURES = 5_000
"""Pictures of the contact sheet unless another number is asked for."""
MAX_URL = 2_000
"""Characters of a URL in a record; a longer one ends with `…`, and is no link."""
MAX_TEXT = 300
"""Characters of another value that are shown."""
MAX_ITEMS = 10
"""Entries of a list in a record that are shown."""
FIRST = (
    "url", "path", "page_url", "alt", "title", "caption", "link_text", "format",
    "width", "height", "frames", "body_bytes", "dup_of", "dup_kind", "data",
)  # fmt: skip
"""The fields that come first, in this order."""
LEFT_OUT = frozenset({"type", "v", "run_id", "url_id", "tolerated"})

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Picture(Struct, frozen=True):
    """One picture: its row, and the record as it stands in the file."""

    row: Row
    line: bytes

    def record(self) -> dict[str, Any]:
        """What the record says; what it does not know is left out."""
        found = _decode(self.line)
        first = {key: found[key] for key in FIRST if key in found}
        return {
            key: _bounded(value)
            for key, value in (first | found).items()
            if key not in LEFT_OUT and value not in (None, "", [], {}, False)
        }


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        is_url = value.startswith(("http://", "https://"))
        return clip(value, MAX_URL if is_url else MAX_TEXT)
    if isinstance(value, list):
        return [_bounded(one) for one in value[:MAX_ITEMS]]
    if isinstance(value, dict):
        return _bounded(msgspec.json.encode(value).decode())
    return value


class Pictures:
    """The pictures with the most pixels, at most `limit`; of equals the first ones."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[int, int, Picture]] = []
        self.count = 0
        self.received = 0
        """Bytes of all pictures."""
        self.formats: Counter[str] = Counter()
        self.duplicates: Counter[str] = Counter()
        """Pictures that are the same as an earlier one, by `dup_kind`."""

    def add(self, row: Row, line: bytes) -> None:
        self.count += 1
        self.received += row.body_bytes or 0
        self.formats[row.format] += 1
        if row.dup_of is not None:
            self.duplicates[row.dup_kind or "exact"] += 1
        if not self._limit:
            return
        pixels = (row.width or 0) * (row.height or 0)
        entry = (pixels, -self.count, Picture(row, line))
        if len(self._heap) < self._limit:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def shown(self) -> list[Picture]:
        """In the order in which they came."""
        return [one for _, _, one in sorted(self._heap, key=lambda entry: -entry[1])]


def is_file_of_crawl(path: str) -> bool:
    """Whether the path of a record stays in the folder of the crawl."""
    parts = PurePosixPath(path).parts
    return bool(parts) and ".." not in parts and not path.startswith("/")
