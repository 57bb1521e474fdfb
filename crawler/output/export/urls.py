"""A list of URLs, one a line: for `orbweb crawl -i`, wget, curl and sort."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crawler.output.export.files import open_output
from crawler.output.export.rows import Row
from crawler.output.export.selection import Field
from crawler.output.export.writer import Write


@contextmanager
def open_urls(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`. Records without a URL, such as `run`, are left out."""
    with open_output(target) as out:

        def write(rows: Sequence[Row]) -> int:
            urls = [row["url"] for row in rows if row.get("url")]
            out.write("".join(f"{url}\n" for url in urls).encode())
            return len(urls)

        yield write
