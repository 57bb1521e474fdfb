"""Asking only for what changed, or for the rest (RFC 9110 sections 13 and 14). No I/O.

    changed since?   If-None-Match, If-Modified-Since    -> 304, or the whole
    the rest?        Range, If-Range                     -> 206, or the whole, or 416

A part fits only a body that has not changed by a byte, so the rest is asked for with a *strong*
validator or not at all (section 13.1.5): a weak ETag says "as good as", and a date does not tell
two versions of one second apart.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from msgspec import Struct

from crawler.http.h1 import Header
from crawler.records import Response

_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{8,60}")
_RANGE = re.compile(r"bytes[ \t]+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
_SETTLED_S = 60.0


class Validators(Struct, frozen=True):
    """What a response says of the version that it is."""

    etag: str | None = None
    last_modified: str | None = None
    date: str | None = None
    """When the response was made; tells whether `last_modified` is old enough to be strong."""


def validators_of(response: Response) -> Validators:
    """Those that may be sent back; malformed ones count as none."""
    etag = response.header("etag")
    return Validators(
        etag if etag and _ETAG.fullmatch(etag) else None,
        _date(response.header("last-modified")),
        _date(response.header("date")),
    )


def if_changed(validators: Validators) -> list[Header]:
    """Headers of a request that is answered with 304 if nothing has changed."""
    headers = []
    if validators.etag is not None:
        headers.append(("If-None-Match", validators.etag))
    if validators.last_modified is not None:
        headers.append(("If-Modified-Since", validators.last_modified))
    return headers


def the_rest(validators: Validators, received: int) -> list[Header] | None:
    """Headers of a request for what follows the first `received` bytes as they were on the wire.

    None if there is no strong validator: then the whole has to be fetched again. The coding is
    refused, because parts of a coded body do not join.
    """
    strong = _strong(validators)
    if strong is None or received <= 0:
        return None
    return [
        ("Range", f"bytes={received}-"),
        ("If-Range", strong),
        ("Accept-Encoding", "identity"),
    ]


def joined(start: bytes, response: Response) -> bytes | None:
    """The whole of `start` and the answer to `the_rest`; None if they do not fit together.

    A server may send the whole instead, or from an earlier byte on.
    """
    if response.status == 200:
        return response.body
    match = _RANGE.fullmatch(response.header("content-range") or "")
    if response.status != 206 or match is None or response.content_encoding is not None:
        return None
    first, last = int(match[1]), int(match[2])
    if first > len(start) or last + 1 != first + len(response.body):
        return None
    if match[3] != "*" and int(match[3]) != last + 1:
        return None
    return start[:first] + response.body


def _strong(validators: Validators) -> str | None:
    if validators.etag is not None:
        return None if validators.etag.startswith("W/") else validators.etag
    if validators.last_modified is None or validators.date is None:
        return None
    changed = parsedate_to_datetime(validators.last_modified)
    made = parsedate_to_datetime(validators.date)
    settled = (made - changed).total_seconds() >= _SETTLED_S
    return validators.last_modified if settled else None


def _date(text: str | None) -> str | None:
    """`text` if it is a date with a time zone, as all dates of HTTP are."""
    if text is None or not _DATE.fullmatch(text):
        return None
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return text if parsed.tzinfo is not None else None
