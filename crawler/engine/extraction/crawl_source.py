"""The records of a crawl's folder, each with its body.

A body is where `body_path` or `path` says, or in the WARC files of the folder. Its hash
must be that of the record: a file that was changed since is not what was fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec.structs import replace

from crawler.engine.extraction.stored import (
    BodyOwner,
    Carried,
    Stored,
    Unread,
    lease_of,
    stored_body,
    stored_failure,
)
from crawler.engine.revalidation import is_unread
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.model.fingerprint import extraction_fingerprint
from crawler.model.records import (
    RECORD_TYPES,
    AnyRecord,
    ErrorRecord,
    FileRecord,
    ImageRecord,
    PageRecord,
    RobotsRecord,
    TerminalRecord,
)
from crawler.output.export.latest import ReplacedImages
from crawler.output.export.lines import UnreadableLine, decode, kind_of, read_batches
from crawler.output.files import read_file
from crawler.workspace.outputs import record_streams

_MADE_ANEW = frozenset({"schema", "run", "item"})
_DECODERS: dict[str, Callable[[bytes], AnyRecord]] = {
    kind: msgspec.json.Decoder(record).decode for kind, record in RECORD_TYPES.items()
}
_BY_SETTINGS = ("text", "markdown", "words_count", "data")
_BY_INCLUDE = ("links", "images", "headers", "jsonld")


class Archived(Protocol):
    """Bodies in the WARC files of a folder (`warc_index.py`)."""

    def body(self, url: str, sha256: str) -> bytes | None:
        """The decoded body of a response of `url` with this hash, if there is one."""
        ...


class CrawlSource:
    """What the crawl in `folder` has recorded, to be extracted under `config`.

    `crawl` is the configuration of that crawl.
    """

    def __init__(
        self, folder: Path, crawl: Config, config: Config, archived: Archived | None
    ) -> None:
        self._folder = folder
        self._archived = archived
        self._max_body = config.http.max_body
        self._include = frozenset(config.records.include)
        self._record_robots = "robots" in config.records.record
        self._same_settings = extraction_fingerprint(crawl) == extraction_fingerprint(
            config
        )
        self._files = _record_files(folder, crawl)
        self._replaced: ReplacedImages | None = None
        self.unsaved = 0
        """Pages and files whose bodies were not saved."""

    def __iter__(self) -> Iterator[Stored | Carried | RobotsRecord | Unread]:
        for lines in read_batches(self._files):
            for line in lines:
                try:
                    kind = kind_of(line)
                    if kind not in _MADE_ANEW:
                        yield from self._read(decode(line, _DECODERS[kind]))
                except UnreadableLine as error:
                    yield Unread(f"{str(line[:100], 'utf-8', 'replace')}: {error}")

    def _read(
        self, record: AnyRecord
    ) -> Iterator[Stored | Carried | RobotsRecord | Unread]:
        if isinstance(record, RobotsRecord):
            if self._record_robots:
                yield record
        else:
            yield from self._stored(record)  # type: ignore[arg-type]  # of no run

    def _stored(self, record: TerminalRecord) -> Iterator[Stored | Carried | Unread]:
        if isinstance(record, ErrorRecord) and record.body_path:
            body = self._body(record.url, record.sha256, record.body_path)
            if body is not None:
                yield stored_failure(record, body)
                return
        if not isinstance(record, PageRecord | FileRecord | ImageRecord):
            yield self._carried(record)
            return
        if _is_unread(record):
            yield self._carried(self._without_extracted(record))
            return
        path = record.path if isinstance(record, ImageRecord) else record.body_path
        body = self._body(record.url, record.sha256, path)
        if body is not None:
            yield stored_body(record, body)
            return
        if isinstance(record, ImageRecord) and self._has_no_file(record):
            pass
        elif path:
            yield Unread(f"{record.url}: {path} is gone, or not what was saved")
        else:
            self.unsaved += 1
        yield self._carried(self._without_extracted(record))

    def _has_no_file(self, record: ImageRecord) -> bool:
        """Whether the crawl itself kept no file of a picture, or removed it."""
        if self._replaced is None:
            self._replaced = ReplacedImages(self._files)
        return self._replaced.are_without(record)

    def _carried(self, record: TerminalRecord) -> Carried:
        return Carried(lease_of(record), record)

    def _body(self, url: str, sha256: str | None, path: str | None) -> bytes | None:
        if sha256 is None:
            return None
        if path and (body := self._saved(path, sha256)) is not None:
            return body
        return None if self._archived is None else self._archived.body(url, sha256)

    def _saved(self, path: str, sha256: str) -> bytes | None:
        body = read_file(self._folder, path, self._max_body)
        is_it = body is not None and hashlib.sha256(body).hexdigest() == sha256
        return body if is_it else None

    def _without_extracted(
        self, record: PageRecord | FileRecord | ImageRecord
    ) -> PageRecord | FileRecord | ImageRecord:
        """The record without the values that other settings would have made."""
        names = [name for name in _BY_INCLUDE if name not in self._include]
        if not self._same_settings:
            names += _BY_SETTINGS
        fields = record.__struct_fields__
        return replace(record, **{name: None for name in names if name in fields})


def _is_unread(record: BodyOwner) -> bool:
    is_page = isinstance(record, PageRecord)
    found = 0 if isinstance(record, ImageRecord) else _found(record)
    return not is_page and is_unread(record.body_bytes, record.content_type, found)


def _found(record: PageRecord | FileRecord) -> int:
    return record.links_count + record.images_count


def _record_files(folder: Path, crawl: Config) -> list[Path]:
    streams = record_streams(replace(crawl, dir=str(folder)))
    files: list[Path] = next(filter(None, streams), [])
    if not files:
        raise UsageError(
            f"{folder}: its crawl has left no file of records; its WARC files can be "
            f"read without: --from-warc {folder}/warc/*.warc.gz"
        )
    return files
