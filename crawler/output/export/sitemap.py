"""A sitemap (sitemaps.org, version 0.9) of the pages that a search engine should have.

They are the pages that answered 200, do not say `noindex`, and are their own canonical
URL. The protocol bounds a file at 50,000 URLs and 50 MB. Above that there are several,
`NAME-1.xml`, `NAME-2.xml`, ..., and an index of them under the name that was asked for,
which expects all of them at the root of the site.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from html import escape
from pathlib import Path
from urllib.parse import quote, urljoin

from crawler.model.errors import UsageError
from crawler.output.export.files import STDOUT, open_output
from crawler.output.export.lines import Line, Row, rows
from crawler.output.export.selection import Field
from crawler.output.export.writer import Write

MAX_URLS = 50_000
MAX_BYTES = 50 * 10**6


@contextmanager
def open_sitemap(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`."""
    writer = _Sitemap(target)
    try:
        yield writer.write
        writer.finish()
    except BaseException:
        for part in writer.parts:
            part.unlink(missing_ok=True)
        raise


class _Sitemap:
    """Collects the entries of a file, and writes it when it is full."""

    def __init__(self, target: Path) -> None:
        self.parts: list[Path] = []
        self._target = target
        self._entries: list[str] = []
        self._size = 0
        self._first = ""

    def write(self, lines: Sequence[Line]) -> int:
        pages = [row for row in rows(lines) if is_indexable(row)]
        for row in pages:
            entry = _entry(row)
            if len(self._entries) == MAX_URLS or self._size > MAX_BYTES - 10**4:
                self._write_part()
            self._first = self._first or row["url"]
            self._entries.append(entry)
            self._size += len(entry.encode())
        return len(pages)

    def finish(self) -> None:
        if not self.parts:
            _write(self._target, "urlset", self._entries)
            return
        self._write_part()
        _write(
            self._target,
            "sitemapindex",
            [
                f"<sitemap><loc>{escape(urljoin(self._first, '/' + quote(part.name)))}"
                "</loc></sitemap>\n"
                for part in self.parts
            ],
        )

    def _write_part(self) -> None:
        if self._target == STDOUT:
            raise UsageError(
                f"more than {MAX_URLS} pages are several sitemaps; name a file: "
                "-o sitemap.xml"
            )
        stem, dot, endings = self._target.name.partition(".")
        part = self._target.with_name(f"{stem}-{len(self.parts) + 1}{dot}{endings}")
        _write(part, "urlset", self._entries)
        self.parts.append(part)
        self._entries, self._size = [], 0


def is_indexable(row: Row) -> bool:
    """Whether a search engine should have this page."""
    robots = (row.get("robots_meta") or "").lower()
    return (
        row.get("type") == "page"
        and row.get("status") == 200
        and "noindex" not in robots
        and "none" not in robots.replace(",", " ").split()
        and (
            row.get("canonical_url") in (None, row["url"])
            or row.get("canonical_source") == "og"  # which search engines ignore
        )
    )


def _entry(row: Row) -> str:
    date = _date(row.get("last_modified"))
    modified = f"<lastmod>{date}</lastmod>" if date else ""
    return f"<url><loc>{escape(row['url'])}</loc>{modified}</url>\n"


def _date(last_modified: str | None) -> str | None:
    """An HTTP date as W3C has it; None for what is no date."""
    try:
        return parsedate_to_datetime(last_modified or "").strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, TypeError, OverflowError):
        return None


def _write(target: Path, root: str, entries: Sequence[str]) -> None:
    with open_output(target) as out:
        out.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'.encode()
        )
        out.writelines(entry.encode() for entry in entries)
        out.write(f"</{root}>\n".encode())
