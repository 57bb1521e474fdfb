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

The fields depend on the settings under which the body was extracted, so their
fingerprint (`model/fingerprint.py`) is stored with them. Where it is another today, or
the fields were too large to be stored, the body is extracted again if it was saved; the
request is conditional all the same. A URL whose body was not saved is fetched whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crawler.engine import record_builder
from crawler.fetch.conditional import (
    can_revalidate,
    merged_headers,
    updated_validators,
)
from crawler.model.crawl import Lease, Outcome, StoredResponse
from crawler.model.documents import Alternate, ImageLink, Link, is_json
from crawler.model.http import Response, Validators
from crawler.model.record_base import FetchRecord, HeaderRow
from crawler.model.records import FileRecord, ImageRecord, PageRecord, RedirectRecord
from crawler.model.redact import redact

if TYPE_CHECKING:
    from crawler.engine.open_lease import OpenLease
    from crawler.engine.pending import AnyOutcome

Change = Literal["new", "changed", "unchanged"]

MAX_CACHED_FIELDS = 16 * 2**10
"""Bytes; of a response whose fields take more only the small ones are stored.

To keep all texts (`--with text`) a second time would make the state as large as the
records. Such a page is extracted again, or fetched whole if it was not saved.
"""
_LARGE = frozenset(
    {"text", "markdown", "data", "jsonld", "links", "images", "headers", "feeds",
     "breadcrumbs", "alternates"}
)  # fmt: skip
_TO_EXTRACT = b""
"""The fingerprint of fields that are not those of any extraction."""

_OF_PAGES = (
    "content_type", "body_bytes", "truncated", "left_out", "charset", "charset_source",
    "lang", "robots_meta", "title", "title_source", "description", "description_source",
    "canonical_url", "canonical_source", "og_type", "og_site_name", "author",
    "published", "modified", "jsonld_types", "feeds", "breadcrumbs", "amp_url",
    "alternates", "needs_javascript", "jsonld", "links_count", "images_count", "data",
    "body_path", "text", "markdown", "words_count", "links", "images", "headers",
)  # fmt: skip
_OF_FILES = (
    "content_type", "body_bytes", "charset", "charset_source", "links_count",
    "images_count", "data", "body_path", "truncated", "declared_bytes", "links",
    "images", "headers", "left_out",
)  # fmt: skip
_OF_IMAGES = (
    "content_type", "body_bytes", "path", "format", "width", "height", "frames",
    "animated", "verified", "damage", "taken_at", "camera_make", "camera_model",
    "has_gps", "latitude", "longitude",
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
    extraction: bytes = _TO_EXTRACT
    """The fingerprint of the settings that they depend on."""

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
    record: FetchRecord,
    validators: Validators | None,
    extraction: bytes,
    has_items: bool = False,
) -> StoredResponse:
    """What to store of a response.

    `validators` are None where the next crawl cannot revalidate it. `extraction`: the
    fingerprint of the settings. `has_items`: the record is not all that was extracted,
    so that a 304 is of use only if the body was saved.
    """
    digest = _digest(record)
    if validators is None or not can_revalidate(validators):
        return StoredResponse(digest)
    etag, modified = validators.etag, validators.last_modified
    if modified == validators.date:
        modified = None
    facts = _read[record.type](record)
    made_by = _TO_EXTRACT if has_items else extraction
    answer = CachedFields(record.type, etag, modified, facts, made_by)  # type: ignore[arg-type]
    if has_items and answer.path is None:
        return StoredResponse(digest)
    encoded = _encode(answer)
    if len(encoded) > MAX_CACHED_FIELDS and answer.path is not None:
        encoded = _encode(_without_large(answer))
    return StoredResponse(
        digest, encoded if len(encoded) <= MAX_CACHED_FIELDS else None
    )


def _without_large(answer: CachedFields) -> CachedFields:
    facts = tuple(
        None if name in _LARGE else value for name, value in answer.fields.items()
    )
    return replace(answer, facts=facts, extraction=_TO_EXTRACT)


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
            **record_builder.image_context(lease),
        )
    fields |= _lists(answer.fields)
    if fields["headers"] is not None:
        fields["headers"] = _updated(fields["headers"], response)
    return FileRecord(**fields) if answer.type == "file" else PageRecord(**fields)


_LISTS: dict[str, Any] = {
    "alternates": tuple[Alternate, ...],
    "links": tuple[Link, ...],
    "images": tuple[ImageLink, ...],
    "headers": tuple[HeaderRow, ...],
}


def _lists(fields: dict[str, Any]) -> dict[str, Any]:
    """The lists among the fields, which lose their types when stored."""
    lists: dict[str, Any] = {}
    for name, value in fields.items():
        if name in _LISTS and value is not None:
            lists[name] = msgspec.convert(value, _LISTS[name])
        elif isinstance(value, list):
            lists[name] = tuple(value)
    return lists


def _updated(rows: tuple[HeaderRow, ...], response: Response) -> tuple[HeaderRow, ...]:
    """The stored headers with those of a 304 (RFC 9111 section 3.2)."""
    old = tuple((row.name, row.value) for row in rows)
    return tuple(
        HeaderRow(name, redact(name, value))
        for name, value in merged_headers(old, response.headers)
    )


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


MAX_READ = 2**20
"""Bytes of a picture, or of a file of which nothing was read, that are read again.

A crawl streams larger ones to the disk.
"""


def is_unread(size: int, content_type: str | None, found: int) -> bool:
    """Whether no setting can change what is extracted from a picture or a file.

    It is large (`size` in bytes), and no reader needs all of it: nothing was `found`.
    """
    return size > MAX_READ and not found and not is_json(content_type or "")


class SavedFiles(Protocol):
    """Images and bodies on disk."""

    def holds(self, name: str, size: int | None = None) -> bool:
        """Whether the file is there, and of this size (bytes)."""

    def read(self, name: str, limit: int) -> bytes | None:
        """Its bytes; None if it is not there, or larger than `limit`."""
        ...


class Revalidation:
    """What a crawl under these settings takes from stored responses.

    `extraction`: their fingerprint. `files` has what was saved, of which bodies of at
    most `max_body` bytes are extracted. `notice` gets a sentence for the user.
    """

    def __init__(
        self,
        extraction: bytes,
        files: SavedFiles,
        max_body: int,
        notice: Callable[[str], None],
    ) -> None:
        self._extraction = extraction
        self._files = files
        self._max_body = max_body
        self._notice: Callable[[str], None] | None = notice

    def cached_fields(self, lease: Lease) -> CachedFields | None:
        """With what the lease's URL is requested; None: without conditions.

        A 304 is of no use where the file is gone or cut, or was not kept, or where
        fields depend on other settings and no body was saved to extract them from.
        """
        cached = None if lease.stored is None else cached_fields(lease)
        if cached is None:
            return None
        if cached.path is not None:
            is_whole = self._files.holds(cached.path, cached.fields["body_bytes"])
            return cached if is_whole else None
        if cached.type == "image":  # another was better, and may have changed
            return None
        if not self.is_outdated(cached):
            return cached
        if self._notice is not None:
            self._notice(
                "the settings of the extraction are others than before: what was not "
                "saved (--save) is fetched whole"
            )
            self._notice = None
        return None

    def is_outdated(self, cached: CachedFields) -> bool:
        """Whether the fields are not those that an extraction would bring today."""
        if cached.extraction == self._extraction:
            return False
        fields = cached.fields
        found = fields.get("links_count", 0) + fields.get("images_count", 0)
        return cached.type == "page" or not is_unread(
            fields["body_bytes"], fields["content_type"], found
        )

    def read(
        self,
        handle: OpenLease,
        response: Response,
        cached: CachedFields,
        extract: Callable[[OpenLease, Response], AnyOutcome],
        now: float,
    ) -> AnyOutcome:
        """The outcome of a 304 whose body was saved: of that, by `extract`.

        None if the lease was released, or is retried: without conditions, if the file
        is not what was fetched. `now`: seconds since the epoch.
        """
        from crawler.engine.pending import then  # few 304 need it

        saved = self._saved_response(handle.lease, response, cached)
        if saved is None:
            handle.retry(now, "protocol", "304 about a body that is no longer saved")
            return None

        def confirmed(outcome: Outcome) -> Outcome:
            if isinstance(outcome.record, FetchRecord):
                outcome.record.from_cache = "not_modified"
                validators = updated_validators(response, cached.validators)
                outcome = replace(outcome, validators=validators)
            return outcome

        return then(extract(handle, saved), confirmed)

    def _saved_response(
        self, lease: Lease, response: Response, cached: CachedFields
    ) -> Response | None:
        """The response that a 304 is about, from what was saved of it.

        None if the file is not what was fetched.
        """
        from crawler.engine.extraction.stored import headers_of  # few 304 need it

        assert cached.path is not None
        body = self._files.read(cached.path, self._max_body)
        record = unmodified_record(lease, response, cached)
        if body is None or hashlib.sha256(body).hexdigest() != record.sha256:
            return None
        return replace(
            response,
            body=body,
            headers=merged_headers(headers_of(record), response.headers),
            content_encoding=record.content_encoding,
            truncated=record.truncated,
        )
