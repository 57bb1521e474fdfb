"""Asking only for what changed, or for the rest (RFC 9110 sections 13 and 14). No I/O.

    changed since?   If-None-Match, If-Modified-Since    -> 304, or the whole
    the rest?        Range, If-Range                     -> 206, or the whole, or 416

Whether something has changed may be asked with any validator: "as good as" (a weak
ETag) is what a crawl wants to know, and a server that is told both looks at the ETag
alone (section 13.2.2). Only a date of the very second in which the answer was made is
not used: what came later in that second would never be noticed (section 8.8.2.2).

A part fits only a body that has not changed by a byte, so the rest is asked for with a
*strong* validator or not at all (section 13.1.5): a weak ETag says "as good as", and a
date does not tell two versions of one second apart. And what comes must say itself that
it belongs there: the same validator, a range that goes to the end that was announced.
Servers err about that too; so we ask for a little that is here already, and it has to
be the same.
"""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from crawler.model.http import Header, Response, Validators

CONDITIONS = frozenset({"if-none-match", "if-modified-since"})

_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
# The form that servers must send (RFC 9110 section 5.6.7), and the letters of all
# others.
_IMF_FIXDATE = re.compile(
    r"[A-Z][a-z]{2}, [0-3]\d [A-Z][a-z]{2} \d{4} [0-2]\d:[0-5]\d:[0-5]\d GMT"
)
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{8,60}")
_RANGE = re.compile(r"bytes[ \t]+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
_LENGTH = re.compile(r"\d{1,18}")
_SETTLED_S = 60.0

MIN_PART = 64 * 2**10
"""Bytes that a broken connection must have brought: below, the whole is as quickly
asked again."""
OVERLAP = 1024
"""Bytes that are asked for again, to see that the rest is of the same body and begins
there."""


def validators_of(response: Response) -> Validators:
    """Those that may be sent back; malformed ones count as none."""
    etag = response.header("etag")
    return Validators(
        etag if etag and _ETAG.fullmatch(etag) else None,
        _date(response.header("last-modified")),
        _date(response.header("date")),
    )


def can_revalidate(validators: Validators) -> bool:
    """Whether there is anything to ask with."""
    modified = validators.last_modified
    return validators.etag is not None or (
        modified is not None and modified != validators.date
    )


def conditional_headers(validators: Validators) -> list[Header]:
    """Headers of a request that is answered with 304 if nothing has changed; [] if
    there are no validators to ask with."""
    headers = []
    if validators.etag is not None:
        headers.append(("If-None-Match", validators.etag))
    modified = validators.last_modified
    if modified is not None and modified != validators.date:
        headers.append(("If-Modified-Since", modified))
    return headers


def validators_match(response: Response, asked: Validators) -> bool:
    """Whether the 304 is about the version that was asked about (RFC 9111 section
    4.3.4).

    A server behind which several stand may answer for another one.
    """
    etag = response.header("etag")
    if etag is None or asked.etag is None:
        return True
    return etag.removeprefix("W/") == asked.etag.removeprefix("W/")


def updated_validators(response: Response, asked: Validators) -> Validators:
    """What to ask with the next time: what the 304 says, or else what was asked
    with."""
    said = validators_of(response)
    return Validators(
        said.etag or asked.etag, said.last_modified or asked.last_modified, said.date
    )


class PartialResponse(Struct, frozen=True):
    """A response whose connection broke in the middle of its body: `head.body` is what
    came."""

    head: Response
    validator: str
    """A strong one: ETag or Last-Modified."""
    length: int | None
    """Of the whole body, if that was announced."""


def resumable(response: Response) -> PartialResponse | None:
    """The beginning of a whole, if the rest of it is worth asking for and can be; else
    None.

    Parts of a coded body do not join: one would have to go on in the middle of its
    coding.
    """
    validator = _strong_validator(validators_of(response))
    if (
        response.status != 200
        or validator is None
        or response.content_encoding is not None
        or len(response.body) < MIN_PART
        or (response.header("accept-ranges") or "").strip().lower() == "none"
    ):
        return None
    length = response.header("content-length")
    return PartialResponse(
        response,
        validator,
        int(length) if length and _LENGTH.fullmatch(length) else None,
    )


def resume_range(
    part: PartialResponse, headers: tuple[Header, ...] = ()
) -> tuple[Header, ...]:
    """The request's `headers`, its conditions taken off, and those that ask for the
    rest."""
    return (
        *((name, value) for name, value in headers if name.lower() not in CONDITIONS),
        ("Range", f"bytes={_resume_offset(part)}-"),
        ("If-Range", part.validator),
        ("Accept-Encoding", "identity"),
    )


def merge(part: PartialResponse, answer: Response, limit: int) -> Response | None:
    """The whole, of a part and the answer to `resume_range`; None if they do not fit to the
    byte.

    A server may send from an earlier byte on. A whole of more than `limit` bytes is cut
    there.
    """
    fitted = _splice(part, answer)
    if fitted is None:
        return None
    body, end = fitted
    if len(body) != end and answer.truncated is None:
        return None
    whole = _with(part, answer, body[:limit])
    return whole if len(body) <= limit else replace(whole, truncated="length")


def extend(part: PartialResponse, answer: Response) -> PartialResponse | None:
    """The part with what came of an answer whose connection broke too; None if it is no
    use."""
    fitted = _splice(part, answer)
    if fitted is None or len(fitted[0]) < len(part.head.body) + MIN_PART:
        return None
    return replace(part, head=_with(part, answer, fitted[0]), length=fitted[1])


def _with(part: PartialResponse, answer: Response, body: bytes) -> Response:
    """The head is that of the first answer, the account that of both."""
    return replace(
        part.head,
        body=body,
        wire_bytes=part.head.wire_bytes + answer.wire_bytes,
        timings=answer.timings,
        reused_connection=answer.reused_connection,
        remote_ip=answer.remote_ip,
        truncated=answer.truncated,
        resumed=True,
    )


def _splice(part: PartialResponse, answer: Response) -> tuple[bytes, int] | None:
    """The part and what of the rest is there, and how long the whole is."""
    match = _RANGE.fullmatch(answer.header("content-range") or "")
    if answer.status != 206 or match is None or answer.content_encoding is not None:
        return None
    first, end = int(match[1]), int(match[2]) + 1
    lengths = {end, *([int(match[3])] if match[3] != "*" else [])}
    lengths |= {part.length} if part.length is not None else set()
    known = match[3] != "*" or part.length is not None
    if (
        not known
        or len(lengths) > 1
        or first > _resume_offset(part)
        or end <= len(part.head.body)
    ):
        return None
    if len(answer.body) > end - first or not _same_version(part, answer):
        return None
    if not answer.body.startswith(part.head.body[first:]):
        return None
    return part.head.body[:first] + answer.body, end


def _resume_offset(part: PartialResponse) -> int:
    return max(0, len(part.head.body) - OVERLAP)


def _same_version(part: PartialResponse, answer: Response) -> bool:
    """No validator in the answer is another than that of the part (section
    15.3.7.3)."""
    for name in ("etag", "last-modified"):
        ours, theirs = part.head.header(name), answer.header(name)
        if theirs is not None and theirs != ours:
            return False
    return True


def _strong_validator(validators: Validators) -> str | None:
    if validators.etag is not None:
        return None if validators.etag.startswith("W/") else validators.etag
    if validators.last_modified is None or validators.date is None:
        return None
    changed, made = _parsed(validators.last_modified), _parsed(validators.date)
    if changed is None or made is None:
        return None
    settled = (made - changed).total_seconds() >= _SETTLED_S
    return validators.last_modified if settled else None


def _date(text: str | None) -> str | None:
    """`text` if it is a date with a time zone, as all dates of HTTP are."""
    if text is None or _IMF_FIXDATE.fullmatch(text):  # parsing costs ten times as much
        return text
    return text if _DATE.fullmatch(text) and _parsed(text) is not None else None


def _parsed(text: str) -> datetime | None:
    from email.utils import (
        parsedate_to_datetime,  # with calendars and locales: for few answers
    )

    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo is not None else None
