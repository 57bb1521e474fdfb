"""The stored responses of a crawl, so that the next one fetches only changes.

No I/O.

    record + validators -> StoredResponse    into the state, in the record's commit
    StoredResponse -> CachedFields           when a later crawl leases the URL
    CachedFields + 304 -> record             with all that a 304 does not repeat
    StoredResponse + record -> changed       where the whole came again: by its hash;
                                             where it was not wanted: by its validators

A 304 has no body, so the fields of the record that say what the body is (title, size,
pixels, ...) come from the state, and no link is found. None is lost: each URL of the
crawl before is requested by itself.

The fields depend on the configuration under which the body was read. Where that is
another today (`model/fingerprint.py`), they are dropped, and each URL is fetched whole.
"""

from __future__ import annotations

import hashlib
from operator import attrgetter
from typing import Any, Literal

import msgspec
from msgspec import Struct

from crawler.engine import record_builder
from crawler.fetch.conditional import can_revalidate, updated_validators
from crawler.model.crawl import Lease, StoredResponse
from crawler.model.documents import Alternate
from crawler.model.http import Response, Validators
from crawler.model.record_base import FetchRecord
from crawler.model.records import FileRecord, ImageRecord, PageRecord, RedirectRecord

Change = Literal["new", "changed", "unchanged"]

_ALTERNATES = tuple[Alternate, ...]

MAX_CACHED_FIELDS = 16 * 2**10
"""Bytes; a response whose fields take more is fetched whole the next time.

So a page with a long text (`--with text`) is not revalidated: to keep all texts a
second time would make the state as large as the records.
"""

_OF_PAGES = (
    "content_type", "body_bytes", "truncated", "charset", "charset_source", "lang",
    "robots_meta", "title", "title_source", "description", "description_source",
    "canonical_url", "canonical_source", "og_type", "og_site_name", "author",
    "published", "modified", "jsonld_types", "feeds", "breadcrumbs", "amp_url",
    "alternates", "jsonld", "links_count", "images_count", "data",
    "body_path", "text", "markdown", "words_count",
)  # fmt: skip
_OF_FILES = (
    "content_type", "body_bytes", "charset", "charset_source", "links_count",
    "images_count", "data", "body_path", "truncated", "declared_bytes",
)  # fmt: skip
_OF_IMAGES = (
    "content_type", "body_bytes", "path", "format", "width", "height", "frames",
    "animated",
)  # fmt: skip

FACTS: dict[str, tuple[str, ...]] = {
    "page": _OF_PAGES,
    "file": _OF_FILES,
    "image": _OF_IMAGES,
}
"""The fields that say what the body is, not how it was fetched, by type of record.

They are stored without their names.
"""
_read = {kind: attrgetter(*names) for kind, names in FACTS.items()}


class CachedFields(Struct, frozen=True, array_like=True):
    """The fields of a record, for the next one if the server says 304."""

    type: Literal["page", "file", "image"]
    etag: str | None
    last_modified: str | None
    facts: tuple[Any, ...]
    """Fields of its record."""

    @property
    def validators(self) -> Validators:
        return Validators(self.etag, self.last_modified)

    @property
    def fields(self) -> dict[str, Any]:
        """The facts by name."""
        return dict(zip(FACTS[self.type], self.facts, strict=True))

    @property
    def path(self) -> str | None:
        """The file of the body, if it is kept, which must still be there."""
        name = "path" if self.type == "image" else "body_path"
        path: str | None = self.fields[name]
        return path


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CachedFields).decode


def stored_response(
    record: FetchRecord, validators: Validators | None
) -> StoredResponse:
    """What to store of a response.

    `validators` are None where the next crawl cannot revalidate it.
    """
    digest = _digest(record)
    if validators is None or not can_revalidate(validators):
        return StoredResponse(digest)
    etag, modified = validators.etag, validators.last_modified
    if modified == validators.date:
        modified = None
    facts = _read[record.type](record)
    answer = _encode(CachedFields(record.type, etag, modified, facts))  # type: ignore[arg-type]
    return StoredResponse(digest, answer if len(answer) <= MAX_CACHED_FIELDS else None)


def cached_fields(lease: Lease) -> CachedFields | None:
    """What the lease's URL may be requested with.

    None also after an attempt that failed: the next one is unconditional.
    """
    if lease.stored is None or lease.stored.cached_fields is None or lease.attempts:
        return None
    cached = _decode(lease.stored.cached_fields)
    # Another version of the program may have kept other fields.
    return cached if len(cached.facts) == len(FACTS[cached.type]) else None


def unmodified_record(
    lease: Lease, response: Response, answer: CachedFields
) -> PageRecord | FileRecord | ImageRecord:
    """The record of a 304 about what `answer` tells."""
    assert lease.stored is not None
    updated = updated_validators(response, answer.validators)
    fields = record_builder.fetched(lease, response) | answer.fields
    is_unread = fields["truncated"] == "unread"
    fields |= {
        "sha256": None if is_unread else lease.stored.digest.hex(),
        "etag": updated.etag,
        "last_modified": updated.last_modified,
        "from_cache": "not_modified",
    }
    if answer.type == "image":
        return ImageRecord(
            **fields,
            alt=lease.alt,
            page_url=lease.parent_url,
            data=record_builder.image_data(lease),
        )
    if answer.type == "file":
        return FileRecord(**fields)
    return PageRecord(**fields | _lists(answer.fields))


def _lists(fields: dict[str, Any]) -> dict[str, Any]:
    """The lists among the fields of a page, which lose their types when stored."""
    lists = {name: tuple(one) for name, one in fields.items() if isinstance(one, list)}
    if lists.get("alternates"):
        lists["alternates"] = msgspec.convert(lists["alternates"], _ALTERNATES)
    return lists


def change(before: StoredResponse | None, now: StoredResponse) -> Change | None:
    """How the response differs from that of the previous crawl; None: nothing tells.

    The hash of a body says nothing of one that was not downloaded.
    """
    if before is None:
        return "new"
    if len(before.digest) != len(now.digest):
        return None
    if before.digest != now.digest:
        return "changed"
    is_hash = len(now.digest) != _UNREAD_SIZE
    return "unchanged" if is_hash or now.digest.startswith(_VOUCHED) else None


_VOUCHED, _UNVOUCHED = b"\1", b"\0"
_UNREAD_SIZE = 33
"""Bytes of the digest of a body that was not downloaded; a hash has 32."""


def _digest_of_unread(record: FetchRecord) -> bytes:
    """What stands for the hash of a body that was not downloaded.

    Without a validator, the same size is no proof that the body is the same.
    """
    size = record.declared_bytes if isinstance(record, FileRecord) else None
    told = (record.etag, record.last_modified, record.content_type, size)
    has_validator = record.etag is not None or record.last_modified is not None
    kind = _VOUCHED if has_validator else _UNVOUCHED
    return kind + hashlib.sha256(repr(told).encode()).digest()


def _digest(record: FetchRecord) -> bytes:
    if record.truncated == "unread":
        return _digest_of_unread(record)
    if isinstance(record, RedirectRecord):
        return hashlib.sha256(record.location.encode()).digest()
    return bytes.fromhex(record.sha256 or "")
