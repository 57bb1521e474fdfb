"""Conditional requests and range requests (RFC 9110 sections 13 and 14). No I/O.

    revalidate   If-None-Match, If-Modified-Since    -> 304, or the whole body
    resume       Range, If-Range                     -> 206, or the whole body, or 416

Any validator may be used to revalidate: a crawl wants to know whether the content is
equivalent (a weak ETag), and a server that receives both validators uses the ETag alone
(section 13.2.2). Only a Last-Modified of the same second as the Date is not used: a
later change within that second would never be noticed (section 8.8.2.2).

Two parts may only be merged if they belong to the same sequence of bytes, so a body is
resumed with a *strong* validator or not at all (section 13.1.5): a weak ETag only
promises equivalence, and a date does not distinguish two versions of one second. The
response must confirm that it fits: the same validator, and a range up to the announced
end. Servers get this wrong too; so the requested range overlaps what has been received,
and the bytes of the overlap have to be identical.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from msgspec.structs import replace

from crawler.model.errors import ProtocolFailure, TooLarge
from crawler.model.http import (
    BodySink,
    Header,
    OpenSink,
    PartialResponse,
    Response,
    Validators,
)

CONDITIONS = frozenset({"if-none-match", "if-modified-since"})

_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
# The format that servers must send (RFC 9110 section 5.6.7), and the characters of all
# others.
_IMF_FIXDATE = re.compile(
    r"[A-Z][a-z]{2}, [0-3]\d [A-Z][a-z]{2} \d{4} [0-2]\d:[0-5]\d:[0-5]\d GMT"
)
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{8,60}")
_RANGE = re.compile(r"bytes[ \t]+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
_LENGTH = re.compile(r"\d{1,18}")
_SETTLED_S = 60.0

MIN_PART = 64 * 2**10
"""The minimum size (bytes) of a body that is resumed.

Requesting a smaller one again is as fast.
"""
OVERLAP = 1024
"""Size of the part that is requested again to verify that the rest fits (bytes)."""


def validators_of(response: Response) -> Validators:
    """The validators of `response`; malformed ones are left out."""
    etag = response.header("etag")
    return Validators(
        etag if etag and _ETAG.fullmatch(etag) else None,
        _date(response.header("last-modified")),
        _date(response.header("date")),
    )


def validators_of_whole(response: Response) -> Validators | None:
    """Those for the next crawl: a 304 stands for a whole 200, nothing else."""
    whole = response.status == 200 and response.truncated != "disconnect"
    return validators_of(response) if whole else None


def can_revalidate(validators: Validators) -> bool:
    """Whether there is a validator that may be sent."""
    modified = validators.last_modified
    return validators.etag is not None or (
        modified is not None and modified != validators.date
    )


def conditional_headers(validators: Validators) -> list[Header]:
    """The headers of a conditional request; [] if no validator may be sent."""
    headers = []
    if validators.etag is not None:
        headers.append(("If-None-Match", validators.etag))
    modified = validators.last_modified
    if modified is not None and modified != validators.date:
        headers.append(("If-Modified-Since", modified))
    return headers


def validators_match(response: Response, sent: Validators) -> bool:
    """Whether a 304 refers to the version with the validators `sent`.

    A load balancer may have used another server (RFC 9111 section 4.3.4).
    """
    etag = response.header("etag")
    if etag is None or sent.etag is None:
        return True
    return etag.removeprefix("W/") == sent.etag.removeprefix("W/")


def updated_validators(response: Response, sent: Validators) -> Validators:
    """The validators for the next request: those of the 304, or else those `sent`."""
    new = validators_of(response)
    return Validators(
        new.etag or sent.etag, new.last_modified or sent.last_modified, new.date
    )


_OF_THE_BODY = frozenset(
    {"content-length", "content-encoding", "content-range", "transfer-encoding"}
)


def merged_headers(
    stored: Sequence[Header], new: Sequence[Header]
) -> tuple[Header, ...]:
    """The stored headers, with those of a 304 in their place (RFC 9111 section 3.2).

    What describes the body stays as it was. Names are in lower case.
    """
    names = {name for name, _ in new} - _OF_THE_BODY
    return (
        *(header for header in stored if header[0] not in names),
        *(header for header in new if header[0] in names),
    )


def resumable(response: Response) -> PartialResponse | None:
    """`response` as a partial response, if its body can be resumed; else None.

    A body with a content coding cannot be resumed, because its decoder would have to
    continue in the middle.
    """
    validator = _strong_validator(validators_of(response))
    if (
        response.status != 200
        or validator is None
        or response.content_encoding is not None
        or response.size < MIN_PART
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
    """The request's `headers` without conditions, and with a range for the rest."""
    return (
        *((name, value) for name, value in headers if name.lower() not in CONDITIONS),
        ("Range", f"bytes={_resume_offset(part)}-"),
        ("If-Range", part.validator),
        ("Accept-Encoding", "identity"),
    )


def merge(part: PartialResponse, answer: Response, limit: int) -> Response | None:
    """The whole response: `part` and the `answer` to a request with `resume_range`.

    None if they do not fit exactly. The answer may begin earlier than requested. A body
    of more than `limit` bytes is cut there.
    """
    if isinstance(answer.streamed, Rest):
        return _merged(part, answer) if answer.streamed.is_complete else None
    fitted = _splice(part, answer)
    if fitted is None:
        return None
    body, end = fitted
    if len(body) != end and answer.truncated is None:
        return None
    whole = replace(_merged(part, answer), body=body[:limit])
    return whole if len(body) <= limit else replace(whole, truncated="length")


def extend(part: PartialResponse, answer: Response) -> PartialResponse | None:
    """`part` with the beginning of an `answer` whose connection broke too.

    None if the answer does not fit, or if it is too short to be of use.
    """
    if isinstance(answer.streamed, Rest):
        long_enough = answer.streamed.size >= MIN_PART
        return replace(part, head=_merged(part, answer)) if long_enough else None
    fitted = _splice(part, answer)
    if fitted is None or len(fitted[0]) < len(part.head.body) + MIN_PART:
        return None
    whole = replace(_merged(part, answer), body=fitted[0])
    return replace(part, head=whole, length=fitted[1])


def streamed(part: PartialResponse, open_sink: OpenSink | None) -> PartialResponse:
    """`part` with its body in a sink, if there is one for it."""
    if part.head.streamed is not None or open_sink is None:
        return part
    if (sink := open_sink(part.head)) is None:
        return part
    sink.write(part.head.body)
    return replace(part, head=replace(part.head, streamed=sink))


def sink_of_rest(
    part: PartialResponse, open_sink: OpenSink | None, limit: int
) -> OpenSink | None:
    """What opens the sink for the answer to a request with `resume_range`.

    For the rest of a streamed body it is one that appends to it, and raises UnfitRange
    for a rest that does not fit exactly; for the whole body it is `open_sink`.
    """
    target = part.head.streamed
    if target is None:
        return open_sink

    def open_rest(answer: Response) -> BodySink | None:
        if answer.status != 206:
            return None if open_sink is None else open_sink(answer)
        found = _fitting_range(part, answer)
        overlap = b"" if found is None else target.tail(part.head.size - found[0])
        if found is None or len(overlap) != part.head.size - found[0]:
            raise UnfitRange
        if found[1] > limit:
            raise TooLarge(f"larger than http.max_body, {limit} bytes")
        return Rest(target, overlap, found[1])

    return open_rest


class UnfitRange(ProtocolFailure):
    """The answer to a range request is no rest of what was received."""

    def __init__(
        self, message: str = "the range does not fit what was received"
    ) -> None:
        super().__init__(message, stage="body")


class Rest:
    """Appends the rest of a body to what `target` has of it.

    The rest begins with `overlap`, the last bytes of `target`; `end` is the size of the
    whole body.
    """

    def __init__(self, target: BodySink, overlap: bytes, end: int) -> None:
        self._target = target
        self._overlap = overlap
        self._end = end
        self.size = 0
        """Bytes appended."""

    @property
    def path(self) -> str | None:
        return self._target.path

    @property
    def is_complete(self) -> bool:
        """Whether nothing of the body is missing."""
        return self._target.size == self._end and not self._overlap

    def write(self, piece: bytes) -> None:
        """Append what is new in `piece`. Raises UnfitRange."""
        if self._overlap:
            repeated = piece[: len(self._overlap)]
            if not self._overlap.startswith(repeated):
                raise UnfitRange
            self._overlap = self._overlap[len(repeated) :]
            piece = piece[len(repeated) :]
        if self._target.size + len(piece) > self._end:
            raise UnfitRange
        if piece:
            self.size += len(piece)
            self._target.write(piece)

    def tail(self, size: int) -> bytes:
        return self._target.tail(size)

    def digest(self) -> str:
        return self._target.digest()

    def close(self) -> None:
        self._target.close()


def _merged(part: PartialResponse, answer: Response) -> Response:
    """The first response with the totals of both responses."""
    return replace(
        part.head,
        wire_bytes=part.head.wire_bytes + answer.wire_bytes,
        timings=answer.timings,
        reused_connection=answer.reused_connection,
        remote_ip=answer.remote_ip,
        truncated=answer.truncated,
        resumed=True,
    )


def _splice(part: PartialResponse, answer: Response) -> tuple[bytes, int] | None:
    """The merged body as far as it was received, and the size of the whole (bytes).

    None if `answer` does not fit `part` exactly.
    """
    found = _fitting_range(part, answer)
    if found is None:
        return None
    first, end = found
    if len(answer.body) > end - first:
        return None
    if not answer.body.startswith(part.head.body[first:]):
        return None
    return part.head.body[:first] + answer.body, end


def _fitting_range(part: PartialResponse, answer: Response) -> tuple[int, int] | None:
    """Where the rest in `answer` begins, and the size of the whole body (bytes).

    None if its head does not say that it is the rest.
    """
    match = _RANGE.fullmatch(answer.header("content-range") or "")
    if answer.status != 206 or match is None or answer.content_encoding is not None:
        return None
    first, end = int(match[1]), int(match[2]) + 1
    lengths = {end, *([int(match[3])] if match[3] != "*" else [])}
    lengths |= {part.length} if part.length is not None else set()
    known = match[3] != "*" or part.length is not None
    size = part.head.size
    if not known or len(lengths) > 1 or first > _resume_offset(part) or end < size:
        return None
    return (first, end) if _same_version(part, answer) else None


def _resume_offset(part: PartialResponse) -> int:
    return max(0, part.head.size - OVERLAP)


def _same_version(part: PartialResponse, answer: Response) -> bool:
    """Whether no validator of the answer differs from the part's (section 15.3.7.3)."""
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


@lru_cache(maxsize=64)
def _date(text: str | None) -> str | None:
    """`text` if it is a date with a time zone, as all dates in HTTP are; else None."""
    if text is None or _IMF_FIXDATE.fullmatch(text):  # parsing takes ten times as long
        return text
    return text if _DATE.fullmatch(text) and _parsed(text) is not None else None


def _parsed(text: str) -> datetime | None:
    # Imported here, because it loads calendars and locales and is rarely needed.
    from email.utils import parsedate_to_datetime

    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo is not None else None
