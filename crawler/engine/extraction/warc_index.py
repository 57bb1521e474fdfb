"""Where the responses of WARC files are: a store on disk, so that memory is flat.

By what revisits refer to: the id of a record, the digest of its payload, its URL. The
store is deleted with the extraction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from crawler.fetch.http1.archived import read_archived
from crawler.model.errors import Failure
from crawler.model.http import Response, Truncated
from crawler.model.http_config import HttpConfig
from crawler.model.metadata import KeyValue
from crawler.model.url import canonical
from crawler.output.warc.reader import Place, WarcRecord, read_warc, record_at

BY_ID, BY_DIGEST, BY_URL = "warc id", "warc digest", "warc url"
_UNRESOLVED = "warc revisit"
_COMMIT_AFTER = 10_000
MAX_OF_URL = 1000
"""Responses of one URL that are remembered."""


class Where(Struct, frozen=True, array_like=True):
    """A record: the number of its file, and its place in that."""

    file: int
    member: int
    inside: int


class IndexStore(KeyValue, Protocol):
    """Keeps the index; what is not committed may be in memory."""

    def commit(self) -> None: ...


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Where).decode
_decode_all = msgspec.msgpack.Decoder(tuple[Where, ...]).decode


class WarcIndex:
    """The places of the responses in `files`, and those of revisits that wait."""

    def __init__(self, files: Sequence[Path], store: IndexStore) -> None:
        self.files = files
        self._store = store
        self._changes = 0
        self._waiting = 0

    def add(self, file: int, record: WarcRecord, url: str) -> None:
        """A response of `url`, or a revisit of one, is there."""
        where = Where(file, record.place.member, record.place.inside)
        fields = record.fields
        if fields.get("warc-type") != "revisit":
            for kind, name in ((BY_ID, "warc-record-id"), (BY_DIGEST, _DIGEST)):
                if key := fields.get(name):
                    self._set(kind, key, _encode(where))
        known = self.of_url(url)
        if len(known) < MAX_OF_URL:
            self._set(BY_URL, url, _encode((*known, where)))

    def of_url(self, url: str) -> tuple[Where, ...]:
        """The responses of `url`, in order."""
        found = self._store.get(BY_URL, url)
        return () if found is None else _decode_all(found)

    def referred(self, fields: Mapping[str, str]) -> Where | None:
        """The record that a revisit with these fields refers to, if it is known."""
        for kind, name in ((BY_ID, "warc-refers-to"), (BY_DIGEST, _DIGEST)):
            key = fields.get(name)
            if key and (found := self._store.get(kind, key)) is not None:
                return _decode(found)
        url = fields.get("warc-refers-to-target-uri") or fields.get(_TARGET, "")
        if "server-not-modified" in fields.get("warc-profile", "") or _DATE in fields:
            known = self.of_url(target(url) or url)
            return known[-1] if known else None
        return None

    def wait(self, file: int, record: WarcRecord) -> None:
        """A revisit refers to a record that has not come yet."""
        self._waiting += 1
        where = Where(file, record.place.member, record.place.inside)
        self._set(_UNRESOLVED, f"{self._waiting:012}", _encode(where))

    def waiting(self) -> Iterator[Where]:
        """The places of those revisits."""
        for number in range(1, self._waiting + 1):
            found = self._store.get(_UNRESOLVED, f"{number:012}")
            if found is not None:
                yield _decode(found)

    def read(self, where: Where, size: int) -> WarcRecord | None:
        """The record there, `size` bytes of its block at most."""
        with suppress(OSError):
            place = Place(where.member, where.inside)
            return record_at(self.files[where.file], place, lambda _fields: size)
        return None

    def _set(self, kind: str, key: str, value: bytes) -> None:
        self._store.set(kind, key, value)
        self._changes += 1
        if self._changes >= _COMMIT_AFTER:
            self._changes = 0
            self._store.commit()


_DIGEST, _TARGET = "warc-payload-digest", "warc-target-uri"
_DATE = "warc-refers-to-date"


def target(text: str) -> str | None:
    """The canonical URL of a WARC-Target-URI; None if it is none of the web.

    wget writes it in angle brackets, as WARC 1.0 had it.
    """
    url = canonical(text.strip("<>"))
    return url if url is not None and url.startswith(("http://", "https://")) else None


def response_of(url: str, record: WarcRecord, http: HttpConfig) -> Response:
    """The response in a record. Raises Failure."""
    return read_archived(
        url, record.block, http.max_header, http.max_body, _truncated(record)
    )


def _truncated(record: WarcRecord) -> Truncated | None:
    why = record.fields.get("warc-truncated", "")
    if record.cut or why == "length":
        return "length"
    return "disconnect" if why else None


def block_size(http: HttpConfig) -> int:
    """The bytes of a response's block that are read: its head, and chunks of a body."""
    return http.max_header + http.max_body + http.max_body // 8


def _head_of_answer(fields: Mapping[str, str]) -> int | None:
    """None of the block of an answer, and no other record."""
    is_answer = fields.get("warc-type") in ("response", "revisit")
    return 0 if is_answer and _TARGET in fields else None


class ArchivedBodies:
    """The bodies in the WARC files of `index`, which it looks through first."""

    def __init__(self, index: WarcIndex, http: HttpConfig) -> None:
        self._index = index
        self._http = http
        self._size = block_size(http)
        for number, path in enumerate(index.files):
            for record in read_warc(path, _head_of_answer):
                if isinstance(record, WarcRecord):
                    url = target(record.fields[_TARGET])
                    if url is not None:
                        index.add(number, record, url)

    def body(self, url: str, sha256: str) -> bytes | None:
        """The decoded body of a response of `url` with this hash, if there is one."""
        for where in self._index.of_url(url):
            body = self._body(url, where)
            if body is not None and hashlib.sha256(body).hexdigest() == sha256:
                return body
        return None

    def _body(self, url: str, where: Where) -> bytes | None:
        record = self._index.read(where, self._size)
        if record is not None and record.fields.get("warc-type") == "revisit":
            found = self._index.referred(record.fields)
            record = None if found is None else self._index.read(found, self._size)
        if record is None:
            return None
        try:
            return response_of(url, record, self._http).body
        except Failure:
            return None
