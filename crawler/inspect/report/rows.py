"""What is read of a record, whatever its type is."""

from __future__ import annotations

import msgspec
from msgspec import Struct

TERMINAL = frozenset({"page", "file", "image", "redirect", "error", "skip"})
"""The types of records in which a URL ends."""


class Row(Struct):
    """The fields of a record that the report shows; see `crawler/model/records.py`."""

    type: str
    run_id: str = ""
    ts: str = ""
    url: str = ""
    url_id: str = "0"
    host: str = ""
    depth: int | None = None
    parent_url: str | None = None
    status: int | None = None
    content_type: str | None = None
    fetch_ms: int | None = None
    wire_bytes: int = 0
    body_bytes: int | None = 0
    changed: str | None = None
    title: str | None = None
    left_out: tuple[str, ...] = ()
    location: str = ""
    error_code: str = ""
    error_message: str = ""
    for_type: str = "page"
    reason: str = ""
    path: str | None = None
    format: str = ""
    width: int | None = None
    height: int | None = None
    dup_of: str | None = None
    dup_kind: str | None = None
    event: str = ""
    finish_reason: str | None = None
    version: str = ""


class Key(Struct):
    """What tells records about the same URL of the same crawl."""

    run_id: str = ""
    url_id: str = "0"


decode_row = msgspec.json.Decoder(Row).decode
decode_key = msgspec.json.Decoder(Key).decode
