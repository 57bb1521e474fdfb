"""A list of URLs, one a line: for `orbweb crawl -i`, wget, curl and sort."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.output.export.files import open_output
from crawler.output.export.lines import Line, decode_all
from crawler.output.export.selection import Field
from crawler.output.export.writer import Write


class _Address(Struct):
    url: str | None = None


@contextmanager
def open_urls(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`. Records without a URL, such as `run`, are left out."""
    decode = msgspec.json.Decoder(_Address).decode
    with open_output(target) as out:

        def write(lines: Sequence[Line]) -> int:
            urls = [one.url for one in decode_all(lines, decode) if one.url]
            out.write("".join(f"{url}\n" for url in urls).encode())
            return len(urls)

        yield write
