"""A response as it was saved: what the record or the WARC file says of it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from crawler.model.crawl import Destination, Lease
from crawler.model.errors import Failure
from crawler.model.http import Header, Hop, Response, Timings
from crawler.model.record_base import FetchRecord
from crawler.model.records import (
    ErrorRecord,
    FileRecord,
    ImageRecord,
    PageRecord,
    TerminalRecord,
)
from crawler.model.url import id_from_hex, url_id

BodyOwner = PageRecord | FileRecord | ImageRecord
"""A record about a body."""

STYLES = frozenset({"stylesheet", "css_import"})


class Stored(Struct, frozen=True):
    """A URL with the response that it once gave, or the failure that it was."""

    lease: Lease
    answer: Response | Failure
    given: Mapping[str, Any]
    """Fields of the record that extraction cannot know, by name."""
    failed: Mapping[str, Any] = {}
    """The same of an error, if extraction fails."""
    is_final: bool = False
    """The status is no matter: what the body is has been recorded before."""


class Carried(Struct, frozen=True):
    """A record that stays as it is: there is no body to extract."""

    lease: Lease
    record: TerminalRecord


class Unread(Struct, frozen=True):
    """Something of the source that could not be read, in words."""

    message: str


def stored_body(record: BodyOwner, body: bytes) -> Stored:
    """The response whose record is `record` and whose decoded body is `body`."""
    given: dict[str, Any] = {
        "fetched_at": record.fetched_at or record.ts,
        "from_cache": record.from_cache,
        "changed": record.changed,
        "queue_ms": record.queue_ms,
        "depth": record.depth,
        "link_kind": record.link_kind,
        "fetch_ms": record.fetch_ms,
    }
    if isinstance(record, ImageRecord):
        given |= {
            "path": record.path,
            "dup_of": record.dup_of,
            "dup_kind": record.dup_kind,
            "replaces": record.replaces,
            "damage": record.damage,
            "thumbnail_path": record.thumbnail_path,
            "source": record.source,
            "alt": record.alt,
            "page_url": record.page_url,
            "data": record.data,
            "versions": record.versions,
        }
    else:
        given |= {
            "body_path": record.body_path,
            "new_links_count": record.new_links_count,
        }
        if record.headers is None:
            given["headers"] = None
    return Stored(
        lease_of(record), _response(record, body), given, _if_failed(record), True
    )


def stored_failure(record: ErrorRecord, body: bytes) -> Stored:
    """The response whose body could not be extracted. Its timings are not known."""
    content_type = record.content_type
    if content_type is not None and record.charset is not None:
        content_type += f"; charset={record.charset}"
    headers = () if content_type is None else (("content-type", content_type),)
    response = Response(
        url=record.url,
        status=record.status or 200,
        reason="",
        http_version="1.1",
        headers=headers,
        body=body,
        wire_bytes=0,
        timings=Timings(record.elapsed_ms),
        remote_ip=None,
        reused_connection=False,
    )
    given = {
        "fetched_at": record.ts,
        "depth": record.depth,
        "link_kind": record.link_kind,
        "queue_ms": None,
        "body_path": record.body_path,
    }
    return Stored(lease_of(record), response, given, _if_failed(record), True)


def _if_failed(record: BodyOwner | ErrorRecord) -> dict[str, Any]:
    """The fields by which the record of an error names the body."""
    charset = getattr(record, "charset", None)
    is_told = getattr(record, "charset_source", "http") == "http"
    return {
        "content_type": record.content_type,
        "charset": charset if is_told else None,
        "sha256": record.sha256,
        "body_bytes": record.body_bytes,
    }


def lease_of(record: TerminalRecord) -> Lease:
    """The lease that `record` ended."""
    redirects = (
        tuple(Hop(hop.url, hop.status) for hop in record.redirects)
        if isinstance(record, FetchRecord)
        else ()
    )
    identity = id_from_hex(record.url_id)
    return Lease(
        url=record.url,
        url_id=url_id(record.url, redirects) if identity is None else identity,
        host=record.host,
        kind=record.link_kind or "a",  # type: ignore[arg-type]  # of the same list
        destination=_destination(record),
        depth=1 if record.depth is None else record.depth,
        attempts=getattr(record, "attempts", 1) - 1,
        queued_ms=getattr(record, "queue_ms", None) or 0,
        parent_url=record.parent_url,
        seed_url=record.seed_url,
        alt=record.alt if isinstance(record, ImageRecord) else None,
        redirects=redirects,
    )


def headers_of(record: BodyOwner) -> tuple[Header, ...]:
    """The headers of a response, as far as its record tells them.

    Without `--with headers` these are the ones that have a field of their own.
    """
    recorded: Sequence[Any] | None = getattr(record, "headers", None)
    if recorded is not None:
        return tuple((row.name, row.value) for row in recorded)
    charset = getattr(record, "charset", None)
    if getattr(record, "charset_source", None) != "http":
        charset = None
    canonical = None
    if isinstance(record, PageRecord) and record.canonical_source == "http":
        canonical = f'<{record.canonical_url}>; rel="canonical"'
    content_type = record.content_type
    if content_type is not None and charset is not None:
        content_type += f"; charset={charset}"
    told = {
        "content-type": content_type,
        "etag": record.etag,
        "last-modified": record.last_modified,
        "content-encoding": record.content_encoding,
        "link": canonical,
    }
    return tuple((name, value) for name, value in told.items() if value is not None)


def _response(record: BodyOwner, body: bytes) -> Response:
    return Response(
        url=record.url,
        status=record.status,
        reason="",
        http_version=record.http_version,
        headers=headers_of(record),
        body=body,
        wire_bytes=record.wire_bytes,
        timings=Timings(
            record.fetch_ms or 0,
            record.dns_ms,
            record.connect_ms,
            record.tls_ms,
            record.ttfb_ms,
            record.download_ms,
        ),
        remote_ip=record.remote_ip,
        reused_connection=record.reused_connection,
        content_encoding=record.content_encoding,
        tolerated=record.tolerated,
        weak_cipher=record.weak_cipher,
        truncated=record.truncated,
    )


def _destination(record: TerminalRecord) -> Destination:
    if isinstance(record, ErrorRecord):
        return record.for_type
    if record.type == "image":
        return "image"
    if record.type == "file" and record.link_kind in STYLES:
        return "style"
    return "page"
