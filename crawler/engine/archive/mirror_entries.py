"""What a mirror needs to know of each URL, kept in the state beside its record.

    record -> MirrorEntry                  in the record's commit
    MirrorEntry of all URLs -> the mirror  at the end of a run (`mirroring.py`)

The records may be on stdout, or moved away, so a conversion does not read them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from crawler.model.metadata import MIRROR, KeyValue
from crawler.model.record_base import BodyRecord
from crawler.model.records import ImageRecord, RedirectRecord, TerminalRecord


class MirrorEntry(Struct, frozen=True, array_like=True):
    """Where the content of a URL is, or where the URL redirects to."""

    path: str = ""
    """The file in the crawl's folder; empty for a redirect."""
    media_type: str = ""
    charset: str | None = None
    """As the record has it."""
    told_by_http: bool = False
    """Whether the Content-Type told the charset."""
    location: str = ""
    """Where it redirects to, absolute."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(MirrorEntry).decode


def add_entry(metadata: KeyValue, record: TerminalRecord) -> None:
    """Keep what `record` says of its URL; nothing if it has no content now."""
    entry = _entry(record)
    metadata.set(MIRROR, record.url, None if entry is None else _encode(entry))


def entries(metadata: KeyValue) -> Iterator[tuple[str, MirrorEntry]]:
    """All of them with their URLs, in order of the URLs."""
    for url, value in metadata.items(MIRROR):
        yield url, _decode(value)


def _entry(record: TerminalRecord) -> MirrorEntry | None:
    if isinstance(record, RedirectRecord):
        return MirrorEntry(location=record.location)
    if isinstance(record, ImageRecord):
        return MirrorEntry(record.path or "", record.content_type or "")
    if isinstance(record, BodyRecord) and record.body_path is not None:
        told_by_http = record.charset_source in ("http", None)
        media_type = record.content_type or ""
        return MirrorEntry(record.body_path, media_type, record.charset, told_by_http)
    return None
