"""Reads the records of a crawl, and keeps what the report shows.

A file may hold several crawls (`orbweb recrawl`): the last one is reported. A URL may
have several records (`orbweb retry`): the last one counts, except in the timeline. The
records are read twice for that: memory of 8 bytes for each, and of 100 for each URL
that has more than one.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from msgspec import Struct, field

from crawler.inspect.report.failures import Failures, Redirects
from crawler.inspect.report.histogram import LogHistogram
from crawler.inspect.report.hosts import Hosts
from crawler.inspect.report.markup import clip
from crawler.inspect.report.pictures import MAX_PICTURES, Pictures
from crawler.inspect.report.rows import TERMINAL, Row, decode_key, decode_row
from crawler.inspect.report.site_tree import SiteTree
from crawler.inspect.report.timeline import Timeline
from crawler.model.errors import UsageError
from crawler.output.export.lines import (
    Line,
    UnreadableLine,
    decode_all,
    kind_of,
    place_of,
    read_batches,
)

MAX_TYPES = 200
"""Media types that are counted by name; hostile servers invent them."""
MAX_DEPTH = 1_000
MAX_CUT = 100
"""Documents that are named of which a limit has left something out."""
TOP = 10
"""Pages that are listed as the slowest and as the largest."""
_TITLE = 120


class RunMark(Struct, frozen=True):
    """The start or the end of a run."""

    event: str
    ts: str
    finish_reason: str | None
    version: str


MAX_MARKS = 100


class Gathered(Struct):
    """The figures of one crawl."""

    pictures: Pictures
    counts: Counter[str] = field(default_factory=Counter)
    """URLs by the type of their record."""
    records: int = 0
    earlier: int = 0
    """Records of earlier crawls in the same files, which are left out."""
    replaced: int = 0
    """Records of URLs that have a later one."""
    received: int = 0
    """Bytes of bodies as they came."""
    runs: list[RunMark] = field(default_factory=list)
    timeline: Timeline = field(default_factory=Timeline)
    statuses: Counter[int] = field(default_factory=Counter)
    """Statuses of all that answered, failures included."""
    media_types: Counter[str] = field(default_factory=Counter)
    depths: Counter[int] = field(default_factory=Counter)
    """Pages by depth."""
    changes: Counter[str] = field(default_factory=Counter)
    skips: Counter[str] = field(default_factory=Counter)
    hosts: Hosts = field(default_factory=Hosts)
    page_sizes: LogHistogram = field(default_factory=LogHistogram)
    picture_sizes: LogHistogram = field(default_factory=LogHistogram)
    times: LogHistogram = field(default_factory=LogHistogram)
    """Milliseconds of whole exchanges."""
    slowest: list[tuple[int, str]] = field(default_factory=list)
    """Milliseconds and URL of pages; a heap."""
    largest: list[tuple[int, str]] = field(default_factory=list)
    """Bytes and URL of pages; a heap."""
    failures: Failures = field(default_factory=Failures)
    redirects: Redirects = field(default_factory=Redirects)
    left_out: Counter[str] = field(default_factory=Counter)
    """Documents of which a limit has left something out, by what that is."""
    cut: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """URLs of the first of them, and what was left out of each."""
    cut_count: int = 0
    """How many there are."""
    tree: SiteTree = field(default_factory=SiteTree)


def gather(files: Sequence[Path], max_pictures: int = MAX_PICTURES) -> Gathered:
    """The figures of the last crawl in `files`. Raises UsageError."""
    found = Gathered(Pictures(max_pictures))
    try:
        run_id, repeated = _last_run(files)
        for line in _lines(files):
            (row,) = decode_all([line], decode_row)
            if row.run_id != run_id:
                found.earlier += 1
            else:
                found.records += 1
                _add(found, row, line, repeated)
    except UnreadableLine as error:
        raise UsageError(f"{place_of(error.line, files)}: {error}") from error
    return found


def _lines(files: Sequence[Path]) -> Iterator[Line]:
    for batch in read_batches(files):
        yield from (line for line in batch if kind_of(line) != "schema")


def _last_run(files: Sequence[Path]) -> tuple[str, dict[int, int]]:
    """The run of the last record, and how many records URLs have with more than one."""
    run_id = ""
    ids = array("Q")
    for line in _lines(files):
        kind = kind_of(line)
        if kind != "run" and kind not in TERMINAL:
            continue
        (key,) = decode_all([line], decode_key)
        if key.run_id != run_id:
            run_id, ids = key.run_id, array("Q")
        if kind != "run":
            ids.append(int(key.url_id, 16))
    repeated: dict[int, int] = {}
    for one, other in pairwise(sorted(ids)):
        if one == other:
            repeated[one] = repeated.get(one, 1) + 1
    return run_id, repeated


def _add(found: Gathered, row: Row, line: Line, repeated: dict[int, int]) -> None:
    if row.type == "run":
        _add_run(found, row)
    if row.type not in TERMINAL:
        return
    if row.type != "skip":
        kind = row.type if row.type in ("page", "image", "error") else "other"
        found.timeline.add(row.ts, kind, row.wire_bytes)
    if repeated:
        key = int(row.url_id, 16)
        left = repeated.get(key, 1) - 1
        if left:
            repeated[key] = left
            found.replaced += 1
            return
    _count(found, row)
    if row.type == "image":
        _add_picture(found, row, line)


def _add_run(found: Gathered, row: Row) -> None:
    if row.event == "started":
        found.timeline.begin_run(row.ts)
    if len(found.runs) >= MAX_MARKS:
        del found.runs[1]  # the first one tells when it began
    found.runs.append(RunMark(row.event, row.ts, row.finish_reason, row.version))


def _count(found: Gathered, row: Row) -> None:
    found.counts[row.type] += 1
    if row.type == "skip":
        found.skips[row.reason] += 1
        return
    found.received += row.wire_bytes
    found.hosts.add(row)
    if row.status is not None:
        found.statuses[row.status] += 1
    if row.changed is not None:
        found.changes[row.changed] += 1
    if row.type == "error":
        found.failures.add(row)
        if row.for_type == "page":
            found.tree.add(row.url, failed=str(row.status or row.error_code))
        return
    _count_answer(found, row)


def _count_answer(found: Gathered, row: Row) -> None:
    if row.content_type is not None and row.type != "redirect":
        known = row.content_type in found.media_types
        room = known or len(found.media_types) < MAX_TYPES
        found.media_types[row.content_type if room else "others"] += 1
    if row.fetch_ms is not None:
        found.times.add(row.fetch_ms)
    if row.type == "redirect":
        found.redirects.add(row)
    elif row.type in ("page", "file"):
        found.tree.add(row.url, clip(row.title or "", _TITLE))
        if row.left_out:
            _add_cut(found, row)
    if row.type == "page":
        _add_page(found, row)


def _add_cut(found: Gathered, row: Row) -> None:
    found.left_out.update(row.left_out)
    found.cut_count += 1
    if len(found.cut) < MAX_CUT:
        found.cut.append((row.url, row.left_out))


def _add_page(found: Gathered, row: Row) -> None:
    size = row.body_bytes or 0
    found.page_sizes.add(size)
    if row.depth is not None:
        found.depths[min(row.depth, MAX_DEPTH)] += 1
    for heap, value in ((found.slowest, row.fetch_ms or 0), (found.largest, size)):
        heapq.heappush(heap, (value, row.url))
        if len(heap) > TOP:
            heapq.heappop(heap)


def _add_picture(found: Gathered, row: Row, line: Line) -> None:
    found.picture_sizes.add(row.body_bytes or 0)
    found.tree.add_picture(row.url)
    found.pictures.add(row, line)
