"""A WACZ file, version 1.1.1: WARC files, their index and their pages in one ZIP file.

    archive/NAME-00000.warc.gz    the files as they are
    indexes/index.cdx.gz          the lines of all indexes, sorted, in gzip members
    indexes/index.idx             the first key of each member, and where it begins
    pages/pages.jsonl             URL, time, title and text of the pages
    datapackage.json              size and SHA-256 of each of these
    datapackage-digest.json       SHA-256 of datapackage.json

Readers request ranges of the file, so what is compressed already is stored as it is.
Everything is copied in blocks, and the file takes its name when it is whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import msgspec

from crawler.model.errors import UsageError
from crawler.output.export.lines import kind_of, place_of, read_batches
from crawler.output.sink import refused
from crawler.output.warc import cdxj

VERSION = "1.1.1"
LINES = 1024
"""Lines of the index in one gzip member, as py-wacz has them."""

_BLOCK = 2**20
_GZIP = 31  # the largest window, with the header and trailer of gzip

_encode = msgspec.json.Encoder().encode


class About(msgspec.Struct, frozen=True):
    """What the file says of itself."""

    title: str
    main_url: str | None
    """The page that a reader shows first."""
    software: str
    created: float
    """Seconds since the epoch."""
    has_text: bool = False
    """Whether pages have their text."""


class Cancelled(Exception):
    """It was wanted no longer, and what was at the target is as it was."""


def pack(
    target: Path,
    warcs: Sequence[Path],
    pages: Iterable[Page],
    about: About,
    is_wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Write `target`, in place of what is there.

    `pages`: see `pages_of_records`, `pages_of_index`. Raises OutputError, and Cancelled
    once it is not wanted any more, which is asked for each block.
    """
    new = target.with_name(f"{target.name}.new")
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(new, flags, 0o644), "w+b") as file:
            with ZipFile(file, "w") as zipped:
                _Package(zipped, about, is_wanted).fill(warcs, pages)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, target)
    except OSError as error:
        raise refused(error, error.filename or target) from error
    finally:
        with suppress(OSError):
            new.unlink()


class Page(msgspec.Struct, omit_defaults=True):
    """A line of pages.jsonl."""

    url: str
    ts: str
    """RFC 3339."""
    id: str = ""
    title: str = ""
    text: str = ""


class _PageRecord(msgspec.Struct):
    """What is taken from a record of a page."""

    run_id: str
    url_id: str
    url: str
    ts: str
    status: int
    title: str | None = None
    text: str | None = None
    markdown: str | None = None


_decode = msgspec.json.Decoder(_PageRecord).decode


def pages_of_records(files: Iterable[Path]) -> Iterator[Page]:
    """The pages that answered 200, of all runs whose records are in `files`.

    Raises UsageError where a file is damaged.
    """
    for lines in read_batches(files):
        for line in lines:
            try:
                one = _decode(line) if kind_of(line) == "page" else None
            except ValueError as error:
                raise UsageError(f"{place_of(line, files)}: {error}") from error
            if one is not None and one.status == 200:
                text = one.text or one.markdown or ""
                name = f"{one.run_id}-{one.url_id}"  # shards count `seq` each
                yield Page(one.url, one.ts, name, one.title or "", text)


def pages_of_index(warcs: Iterable[Path]) -> Iterator[Page]:
    """The HTML pages in the indexes of `warcs`, for a crawl that keeps no records."""
    for date, entry in map(cdxj.parsed, cdxj.merged(_indexes(warcs))):
        if entry.mime == "text/html" and entry.status == "200":
            moment = datetime.strptime(date, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            yield Page(entry.url, _timestamp(moment))


class _Package:
    """The contents of one file. Notes what it writes for datapackage.json."""

    def __init__(
        self, zipped: ZipFile, about: About, is_wanted: Callable[[], bool]
    ) -> None:
        self._zipped = zipped
        self._about = about
        self._is_wanted = is_wanted
        self._created = datetime.fromtimestamp(about.created, UTC)
        self._resources: list[dict[str, Any]] = []

    def fill(self, warcs: Sequence[Path], pages: Iterable[Page]) -> None:
        for warc in warcs:
            with warc.open("rb") as file:
                self._add(f"archive/{warc.name}", iter(lambda: file.read(_BLOCK), b""))
        members: list[bytes] = [
            b'!meta 0 {"format": "cdxj-gzip-1.0", "filename": "index.cdx.gz"}\n'
        ]
        lines = cdxj.merged(_indexes(warcs))
        self._add("indexes/index.cdx.gz", _compressed(lines, members))
        self._add("indexes/index.idx", members, ZIP_DEFLATED)
        self._add("pages/pages.jsonl", self._page_lines(pages), ZIP_DEFLATED)
        self._describe()

    def _page_lines(self, pages: Iterable[Page]) -> Iterator[bytes]:
        yield (
            _encode(
                {
                    "format": "json-pages-1.0",
                    "id": "pages",
                    "title": "All Pages",
                    "hasText": self._about.has_text,
                }
            )
            + b"\n"
        )
        for page in pages:
            yield _encode(page) + b"\n"

    def _describe(self) -> None:
        about = self._about
        package: dict[str, Any] = {
            "profile": "data-package",
            "wacz_version": VERSION,
            "title": about.title,
            "software": about.software,
            "created": _timestamp(self._created),
            "resources": self._resources,
        }
        if about.main_url is not None:
            package["mainPageUrl"] = about.main_url
        described = msgspec.json.format(_encode(package), indent=2)
        digest = f"sha256:{hashlib.sha256(described).hexdigest()}"
        self._add("datapackage.json", [described], ZIP_DEFLATED)
        whole = _encode({"path": "datapackage.json", "hash": digest})
        self._add("datapackage-digest.json", [whole], ZIP_DEFLATED)

    def _add(
        self, path: str, blocks: Iterable[bytes], compression: int = ZIP_STORED
    ) -> None:
        info = ZipInfo(path, self._created.timetuple()[:6])
        info.compress_type = compression
        info.external_attr = 0o644 << 16
        digest, size = hashlib.sha256(), 0
        with self._zipped.open(info, "w", force_zip64=True) as out:
            for block in blocks:
                if not self._is_wanted():
                    raise Cancelled
                out.write(block)
                digest.update(block)
                size += len(block)
        folder, _, name = path.rpartition("/")
        if folder:
            self._resources.append(
                {
                    # A data package has names of lower-case letters.
                    "name": re.sub(r"[^a-z0-9._-]", "-", name.lower()),
                    "path": path,
                    "hash": f"sha256:{digest.hexdigest()}",
                    "bytes": size,
                }
            )


def _indexes(warcs: Iterable[Path]) -> list[Path]:
    """The indexes beside `warcs` that are there."""
    found = [warc.with_name(warc.name.replace(".warc.gz", ".cdxj")) for warc in warcs]
    return [index for index in found if index.is_file()]


def _compressed(lines: Iterator[bytes], members: list[bytes]) -> Iterator[bytes]:
    """The `lines` in gzip members; adds a line for each to `members`."""
    offset = 0
    while block := list(islice(lines, LINES)):
        compressor = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
        member = b"".join([*map(compressor.compress, block), compressor.flush()])
        key = b" ".join(block[0].split(b" ", 2)[:2])
        place = {
            "offset": offset,
            "length": len(member),
            "digest": f"sha256:{hashlib.sha256(member).hexdigest()}",
            "filename": "index.cdx.gz",
        }
        members.append(b"%s %s\n" % (key, _encode(place)))
        offset += len(member)
        yield member


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
