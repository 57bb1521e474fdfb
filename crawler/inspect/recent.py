"""What a crawl did last, from the end of its records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.output.stored_lines import last_lines

LAST_URLS = 20
LAST_ERRORS = 10

_TAIL = 512 * 1024
_RATE_WINDOW_S = 10.0


class Speed(Struct, frozen=True):
    """What the end of the records tells about the last ten seconds of writing."""

    last_at: float
    """Time of the last record, epoch seconds."""
    pages_per_s: float
    urls_per_s: float
    bytes_per_s: float = 0.0
    """Body bytes on the wire."""


class Recent(Struct, frozen=True):
    """The end of the records."""

    speed: Speed | None
    """None where there are too few records."""
    urls: tuple[tuple[str, str], ...]
    """What was done last: (record type, URL), the newest last."""
    errors: tuple[tuple[str, str, str], ...]
    """(URL, error_code, message), the newest last."""


class _Line(Struct):
    """What is read of a record; those without a URL have only the first two."""

    type: str
    ts: str
    url: str = ""
    wire_bytes: int | None = None
    error_code: str | None = None
    error_message: str | None = None


_FETCHED = frozenset({"page", "file", "image", "redirect"})
_decode = msgspec.json.Decoder(_Line).decode


def read_recent(*paths: Path) -> Recent:
    """From the last records of files of JSON Lines, one of each shard.

    Raises OSError.
    """
    found = [one for path in paths for one in _last_records(path)]
    if len(paths) > 1:
        found.sort(key=itemgetter(0))
    newest = [record for _, record in reversed(found)]
    fetched = (record for record in newest if record.type in _FETCHED)
    failed = (record for record in newest if record.type == "error")
    urls = [(one.type, one.url) for one in islice(fetched, LAST_URLS)]
    errors = [
        (one.url, one.error_code or "", one.error_message or "")
        for one in islice(failed, LAST_ERRORS)
    ]
    return Recent(_speed(found), tuple(urls[::-1]), tuple(errors[::-1]))


def read_speed(*paths: Path) -> Speed | None:
    """As `read_recent`; None where there are too few records."""
    return read_recent(*paths).speed


def _last_records(path: Path) -> Iterator[tuple[float, _Line]]:
    """The last records of a file, each with its time."""
    for line in last_lines(path, _TAIL).split(b"\n"):
        try:
            record = _decode(line)
            yield datetime.fromisoformat(record.ts).timestamp(), record
        except (msgspec.DecodeError, ValueError):
            continue  # the first line may be cut, the last one half-written


def _speed(found: list[tuple[float, _Line]]) -> Speed | None:
    records = [(at, record) for at, record in found if record.type != "run"]
    if not records:
        return None
    last = records[-1][0]
    recent = [(at, record) for at, record in records if at > last - _RATE_WINDOW_S]
    span = last - recent[0][0]
    if span < 1:  # too short to tell: the tail of a fast crawl, or its beginning
        return None
    pages = sum(record.type == "page" for _, record in recent)
    received = sum(record.wire_bytes or 0 for _, record in recent)
    return Speed(last, pages / span, len(recent) / span, received / span)
