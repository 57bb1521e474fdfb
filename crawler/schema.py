"""The record stream (JSON Lines), version 1: one struct per record type, one field per key.

Every record carries every key of its type (null when unknown), flat scalars with units in their
names; only lists of fixed structs nest. `seq` and `ts` are set by the writer, which alone knows
the order. The rules and their reasons are in the README, section "Records".
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

SCHEMA_VERSION = 1


class RedirectHop(Struct, frozen=True):
    url: str
    status: int


class LinkRow(Struct, frozen=True):
    url: str
    kind: str
    text: str | None
    rel: str | None
    nofollow: bool


class ImageRow(Struct, frozen=True):
    url: str
    kind: str
    alt: str | None
    width: int | None
    height: int | None


class HeaderRow(Struct, frozen=True):
    name: str
    value: str


class Record(Struct, kw_only=True):
    """What all records have in common."""

    type: str
    v: int = SCHEMA_VERSION
    run_id: str = ""
    seq: int = 0
    ts: str = ""


class UrlRecord(Record, kw_only=True):
    """A record about one URL."""

    url: str
    url_id: str
    host: str
    domain: str | None = None
    parent_url: str | None = None
    link_kind: str | None = None
    depth: int = 0
    seed_url: str | None = None


class FetchRecord(UrlRecord, kw_only=True):
    """A record about one URL that answered."""

    status: int
    redirects: tuple[RedirectHop, ...] = ()
    http_version: str = "1.1"
    remote_ip: str | None = None
    content_type: str | None = None
    charset: str | None = None
    lang: str | None = None
    sha256: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    robots_meta: str | None = None
    attempts: int = 1
    fetch_ms: int = 0
    queue_ms: int | None = None
    dns_ms: int | None = None
    connect_ms: int | None = None
    tls_ms: int | None = None
    ttfb_ms: int | None = None
    download_ms: int | None = None
    reused_connection: bool = False
    from_cache: Literal["miss", "not_modified"] = "miss"
    changed: Literal["new", "changed", "unchanged"] | None = None
    wire_bytes: int = 0
    body_bytes: int = 0
    content_encoding: str | None = None
    truncated: Literal["length", "time", "disconnect"] | None = None


class BodyRecord(FetchRecord, kw_only=True):
    """A page, or a file: a body that is neither HTML nor an image."""

    title: str | None = None
    description: str | None = None
    canonical_url: str | None = None
    links_count: int = 0
    images_count: int = 0
    new_links_count: int = 0
    links: tuple[LinkRow, ...] | None = None
    images: tuple[ImageRow, ...] | None = None
    text: str | None = None
    markdown: str | None = None
    headers: tuple[HeaderRow, ...] | None = None
    data: dict[str, Any] | None = None
    body_path: str | None = None
    warc_filename: str | None = None
    warc_offset: int | None = None
    warc_length: int | None = None


class PageRecord(BodyRecord, kw_only=True):
    type: Literal["page"] = "page"


class FileRecord(BodyRecord, kw_only=True):
    type: Literal["file"] = "file"


class ImageRecord(FetchRecord, kw_only=True):
    type: Literal["image"] = "image"
    path: str
    format: str
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    animated: bool | None = None
    alt: str | None = None
    page_url: str | None = None
    phash: str | None = None
    dup_of: str | None = None
    dup_kind: Literal["exact", "perceptual"] | None = None
    exif_datetime: str | None = None
    exif_make: str | None = None
    exif_model: str | None = None
    exif_gps: bool | None = None
    thumb_paths: tuple[str, ...] = ()
    source: Literal["new", "existing", "resumed"] = "new"


class RedirectRecord(FetchRecord, kw_only=True):
    type: Literal["redirect"] = "redirect"
    location: str


class ErrorRecord(UrlRecord, kw_only=True):
    type: Literal["error"] = "error"
    error_code: str
    error_stage: str
    error_message: str
    status: int | None = None
    attempts: int = 1
    retry_after_s: float | None = None
    elapsed_ms: int = 0
    for_type: Literal["page", "image"] = "page"


class SkipRecord(UrlRecord, kw_only=True):
    type: Literal["skip"] = "skip"
    reason: str
    rule: str


class RobotsRecord(UrlRecord, kw_only=True):
    type: Literal["robots"] = "robots"
    status: int | None = None
    policy: Literal["parsed", "allow_all", "disallow_all", "deferred"] = "parsed"
    agent_matched: str | None = None
    crawl_delay_s: float | None = None
    rules_count: int = 0
    sitemaps: tuple[str, ...] = ()
    expires_at: str = ""
    fetch_ms: int = 0


class RunRecord(Record, kw_only=True):
    type: Literal["run"] = "run"
    event: Literal["started", "checkpoint", "finished"]
    finish_reason: (
        Literal["done", "limit_pages", "limit_time", "limit_bytes", "signal", "error"] | None
    ) = None
    exit_code: int | None = None
    pages: int = 0
    images: int = 0
    errors: int = 0
    skipped: int = 0
    queued: int = 0
    leased: int = 0
    hosts: int = 0
    bytes: int = 0
    pages_per_s: float = 0.0
    rss_bytes: int = 0
    config_sha256: str = ""
    version: str = ""


TerminalRecord = PageRecord | FileRecord | ImageRecord | RedirectRecord | ErrorRecord | SkipRecord

RECORD_TYPES: dict[str, type[Record]] = {
    "page": PageRecord,
    "file": FileRecord,
    "image": ImageRecord,
    "redirect": RedirectRecord,
    "error": ErrorRecord,
    "skip": SkipRecord,
    "robots": RobotsRecord,
    "run": RunRecord,
}
