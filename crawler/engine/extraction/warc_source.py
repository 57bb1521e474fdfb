"""The responses of anybody's WARC files, as a crawl would have received them.

A response waits for the metadata behind it, which names the page that led to it and the
time that it took. A revisit has the body of the record that it refers to; where that
comes later, in this file or another, the revisit is read at the end. Requests, `dns:`
and whatever is no answer of the web are counted and left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from crawler.engine.extraction.stored import Stored, Unread
from crawler.engine.extraction.warc_index import (
    WarcIndex,
    Where,
    block_size,
    response_of,
    target,
)
from crawler.engine.record_builder import robots_record, timestamp
from crawler.fetch.conditional import merged_headers
from crawler.model.config import Config
from crawler.model.crawl import Lease
from crawler.model.errors import Failure, is_out_of_memory
from crawler.model.http import Response
from crawler.model.records import RobotsRecord
from crawler.model.url import host_key, origin, url_id
from crawler.output.warc.reader import Damage, WarcRecord, read_warc
from crawler.policy.robots_txt import parse as parse_robots

MAX_METADATA = 64 * 2**10
"""Bytes of a metadata record that are read."""

_ANSWERS = frozenset({"response", "revisit"})
_TYPES = frozenset(
    {"warcinfo", "resource", "request", "conversion", "continuation", *_ANSWERS}
)
"""The types of WARC 1.1 (section 6), but for metadata."""
_FIELDS = re.compile(r"^([\w-]+):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").fullmatch
_NOT_MODIFIED = "server-not-modified"


class _Answer(Struct, frozen=True):
    """A record that is an answer, with what its metadata says."""

    file: int
    record: WarcRecord
    url: str
    metadata: Mapping[str, str] = {}

    @property
    def record_id(self) -> str:
        return self.record.fields.get("warc-record-id", "")

    @property
    def fetch_ms(self) -> int | None:
        took = self.metadata.get("fetchtimems", "")
        return int(took) if took.isdecimal() and len(took) < 10 else None


class WarcSource:
    """The responses in the files of `index`, to be extracted under `config`."""

    def __init__(self, index: WarcIndex, config: Config) -> None:
        self._index = index
        self._files: Sequence[Path] = index.files
        self._http = config.http
        self._size = block_size(config.http)
        self._agent = config.robots.agent
        self._max_age = config.robots.max_age
        self._record_robots = "robots" in config.records.record
        self.left_out: Counter[str] = Counter()
        """Records that are no answers, by type."""

    def __iter__(self) -> Iterator[Stored | RobotsRecord | Unread]:
        for number, path in enumerate(self._files):
            try:
                for answer in self._answers(number, path):
                    if isinstance(answer, Unread):
                        yield answer
                    else:
                        yield from self._read(answer)
            except OSError as error:
                yield Unread(f"{path}: {error.strerror or error}")
        for where in self._index.waiting():
            yield self._waited(where)

    def _answers(self, number: int, path: Path) -> Iterator[_Answer | Unread]:
        """The answers in one file, each with its metadata, and the damages."""
        pending: _Answer | None = None
        for record in read_warc(path, self._keep):
            if isinstance(record, Damage):
                yield Unread(f"{path}, offset {record.place}: {record.message}")
            elif record.fields["warc-type"] == "metadata":
                if pending is not None and _is_about(record, pending):
                    pending = replace(pending, metadata=_metadata(record))
            else:
                if pending is not None:
                    yield pending
                url = target(record.fields["warc-target-uri"])
                assert url is not None  # `_keep` has seen it
                pending = _Answer(number, record, url)
        if pending is not None:
            yield pending

    def _keep(self, fields: Mapping[str, str]) -> int | None:
        kind = fields.get("warc-type", "")
        if kind == "metadata":
            return MAX_METADATA
        media_type = fields.get("content-type", "application/http")
        if kind not in _ANSWERS or not media_type.startswith("application/http"):
            self.left_out[kind if kind in _TYPES else "unknown"] += 1
            return None
        if target(fields.get("warc-target-uri", "")) is None:
            self.left_out["not of the web"] += 1
            return None
        return self._size

    def _read(self, answer: _Answer) -> Iterator[Stored | RobotsRecord]:
        record = answer.record
        if record.fields["warc-type"] == "response":
            self._index.add(answer.file, record, answer.url)
            yield from self._told(answer, self._response(answer.url, record))
            return
        found = self._index.referred(record.fields)
        response = None if found is None else self._revisited(answer, found)
        if response is None:
            self._index.wait(answer.file, record)
        else:
            yield from self._told(answer, response)

    def _waited(self, where: Where) -> Stored | Unread:
        """A revisit, when all files have been read."""
        path = self._files[where.file]
        record = self._index.read(where, self._size)
        url = None if record is None else target(record.fields["warc-target-uri"])
        if record is not None and url is not None:
            answer = _Answer(where.file, record, url)
            found = self._index.referred(record.fields)
            response = None if found is None else self._revisited(answer, found)
            if response is not None:
                return self._stored(answer, response)
        place = f"{where.member}" + (f" +{where.inside}" if where.inside else "")
        return Unread(
            f"{path}, offset {place}: a revisit of {url}; what it refers to is in none "
            "of the files"
        )

    def _response(self, url: str, record: WarcRecord) -> Response | Failure:
        try:
            return response_of(url, record, self._http)
        except Failure as failure:
            if is_out_of_memory(failure):
                raise
            return failure

    def _revisited(self, answer: _Answer, found: Where) -> Response | Failure | None:
        """The revisit with the body of the response that is at `found`."""
        record = self._index.read(found, self._size)
        if record is None or record.fields.get("warc-type") != "response":
            return None
        whole = self._response(answer.url, record)
        if isinstance(whole, Failure) or not answer.record.block:
            return whole
        own = self._response(answer.url, answer.record)
        if isinstance(own, Failure):
            return own
        if own.status != 304:
            return replace(whole, status=own.status, headers=own.headers)
        headers = merged_headers(whole.headers, own.headers)
        return replace(whole, status=own.status, headers=headers)

    def _told(
        self, answer: _Answer, response: Response | Failure
    ) -> Iterator[Stored | RobotsRecord]:
        if answer.url != f"{origin(answer.url)}/robots.txt":
            yield self._stored(answer, response)
        elif self._record_robots and isinstance(response, Response):
            is_there = 200 <= response.status < 300
            body = response.body if is_there else b""
            robots = parse_robots(body, self._agent, origin(answer.url))
            expires_at = _seconds(answer.record) + self._max_age
            record = robots_record(answer.url, response, robots, expires_at)
            record.fetch_ms = answer.fetch_ms
            yield record

    def _stored(self, answer: _Answer, response: Response | Failure) -> Stored:
        fields, metadata = answer.record.fields, answer.metadata
        hops = metadata.get("hopsfromseed", metadata.get("pathfromseed"))
        depth = None if hops is None else len(hops) - hops.count("R") - hops.count("P")
        given: dict[str, Any] = {
            "fetched_at": _fetched_at(answer.record),
            "depth": depth,
            "link_kind": None,
            "queue_ms": None,
            "fetch_ms": answer.fetch_ms,
        }
        is_unmodified = _NOT_MODIFIED in fields.get("warc-profile", "")
        if is_unmodified:
            given["from_cache"] = "not_modified"
        if isinstance(response, Response):
            response = replace(response, remote_ip=fields.get("warc-ip-address"))
        via = target(metadata.get("via", ""))
        return Stored(
            _lease(answer.url, via, depth), response, given, is_final=is_unmodified
        )


def _lease(url: str, via: str | None, depth: int | None) -> Lease:
    """The lease of a URL of which nothing tells how it was found."""
    return Lease(
        url=url,
        url_id=url_id(url),
        host=host_key(url),
        kind="a",
        destination="page",
        depth=1 if depth is None else depth,
        attempts=0,
        queued_ms=0,
        parent_url=via,
    )


def _is_about(metadata: WarcRecord, answer: _Answer) -> bool:
    return metadata.fields.get("warc-concurrent-to") == answer.record_id


def _metadata(record: WarcRecord) -> dict[str, str]:
    text = record.block.decode("utf-8", "replace").replace("\r", "")
    return {name.lower(): value for name, value in _FIELDS.findall(text)}


def _fetched_at(record: WarcRecord) -> str | None:
    """The WARC-Date in the form of all times in records; None for a mere day."""
    date = record.fields.get("warc-date", "")
    return timestamp(_seconds(record)) if _DATE(date) else None


def _seconds(record: WarcRecord) -> float:
    """The WARC-Date in seconds since the epoch; 0 if it is none."""
    date = record.fields.get("warc-date", "")
    if not _DATE(date):
        return 0.0
    try:
        return datetime.fromisoformat(date).timestamp()
    except ValueError:
        return 0.0
