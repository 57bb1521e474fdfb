"""Seconds and memory of `orbweb export` for a stream of records with lists.

    python -m tests.benchmarks.export                     a million records, all formats
    python -m tests.benchmarks.export -n 100000 parquet   fewer, one format

Seven of ten records are pages with a redirect, three links, breadcrumbs and fields of
the user; the others are images and errors. Each export is a process of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from crawler.model.documents import Link
from crawler.model.record_base import RedirectHop
from crawler.model.records import AnyRecord, ErrorRecord, ImageRecord, PageRecord
from crawler.model.url import url_id_hex
from crawler.output.schema_export import schema_line
from tests.helpers.paths import PROGRAM

FORMS = ("parquet", "csv", "sqlite", "jsonl", "urls")
SITE = "https://www.example.com/"
HEX = "0123456789abcdef"


def record(number: int) -> AnyRecord:
    """The record with this number: always the same."""
    url = f"{SITE}shop/{number % 997}/{number}.html"
    shared = {
        "url": url, "url_id": url_id_hex(url), "host": "www.example.com",
        "domain": "example.com", "run_id": "01KBA9Y8V2T6S3R5QZ4N7M1XWE",
        "seq": number, "parent_url": f"{SITE}shop/{number % 997}/", "link_kind": "a",
        "depth": number % 7, "seed_url": SITE,
        "ts": f"2026-11-30T{number // 3600 % 24:02}:{number // 60 % 60:02}"
        f":{number % 60:02}.{number % 1000:03}Z",
    }  # fmt: skip
    if number % 10 == 9:
        return ErrorRecord(
            **shared, error_code="status_4xx", error_stage="headers",
            error_message="404 Not Found", status=404,
        )  # fmt: skip
    digest = f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" * 4
    fetched = {
        "status": 200, "sha256": digest, "remote_ip": "192.0.2.7", "fetch_ms": 48,
        "ttfb_ms": 41, "wire_bytes": number % 10**5, "body_bytes": number % 10**6,
        "last_modified": "Mon, 02 Jan 2006 15:04:05 GMT", "etag": f'"{digest[:12]}"',
    }  # fmt: skip
    if number % 10 > 6:
        return ImageRecord(
            **shared, **fetched, path=f"images/{digest[:2]}/{digest}.png",
            format="png", width=640, height=480, page_url=url, source="a",
        )  # fmt: skip
    links = tuple(
        Link(f"{SITE}shop/{number % 997}/{number + step}.html", "a", f"Article {step}")
        for step in range(1, 4)
    )
    return PageRecord(
        **shared, **fetched, content_type="text/html", charset="utf-8", lang="en",
        title=f"Article {number}: a lamp for a table", links=links, links_count=41,
        redirects=(RedirectHop(f"{SITE}{number}", 301),), images_count=3,
        content_encoding="gzip", jsonld_types=("Product", "BreadcrumbList"),
        breadcrumbs=("Home", "Shop", f"Shelf {number % 997}"),
        data={"price": number % 1000 / 10, "tags": ["lamp", "table"]},
    )  # fmt: skip


def write_stream(path: Path, count: int) -> None:
    """Write a stream of `count` records."""
    encode = msgspec.json.Encoder().encode_lines
    with path.open("wb") as out:
        out.write(schema_line({"price": 0.0, "tags": [""]}) + b"\n")
        lines: Iterator[AnyRecord] = map(record, range(1, count + 1))
        while chunk := list(islice(lines, 10_000)):
            out.write(encode(chunk))


def run(stream: Path, target: Path, arguments: list[str]) -> tuple[float, float, int]:
    """Seconds, seconds of CPU and the largest memory (bytes) of one export."""
    command = [*PROGRAM, "export", str(stream), "-o", str(target), "-t", *arguments]
    begun = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - begun
    if status:
        raise SystemExit(f"{' '.join(arguments)} ended with {status}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("forms", nargs="*", default=FORMS)
    options.add_argument("-n", type=int, default=1_000_000)
    options.add_argument("--where", default="")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder, "records.jsonl")
        write_stream(stream, chosen.n)
        print(f"{chosen.n:,} records, {stream.stat().st_size / 1e6:,.0f} MB")
        where = ["--where", chosen.where] if chosen.where else []
        for form in chosen.forms:
            target = Path(folder, f"out.{form}")
            seconds, cpu, memory = run(stream, target, [form, *where])
            size = target.stat().st_size / 1e6
            print(
                f"{form:8} {seconds:6.1f} s {cpu:6.1f} s CPU {memory / 1e6:6.0f} MB "
                f"{size:6.0f} MB written",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
