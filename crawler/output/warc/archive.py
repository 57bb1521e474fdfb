"""The archive of a crawl: which WARC records an exchange becomes.

    response    or `revisit`: the same payload, or 304 Not Modified, was archived before
    request     what was asked
    metadata    the page that led there, the time that it took, what is not exact

Identifiers are made of the run's id and a running number, so that two runs from one
seed write the same bytes. What revisits refer to is in the state, and becomes durable
in the commit of the exchanges themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from crawler.model.http import Exchange
from crawler.model.metadata import WARC_PAYLOAD, WARC_VALIDATED, KeyValue
from crawler.output.sink import Position
from crawler.output.warc import cdxj, framing
from crawler.output.warc.files import WarcFiles
from crawler.output.warc.framing import Fields, Part
from crawler.output.warc.http_records import (
    Answer,
    answer_of,
    referer,
    request_block,
)

_REVISIT = "http://netpreserve.org/warc/1.1/revisit/"
_UNKNOWN_TYPE = "unk"  # as in every CDX


class Refers(Struct, frozen=True):
    """The record of an earlier response, to which a revisit refers."""

    record_id: str
    date: str
    digest: str
    url: str

    def stored(self) -> bytes:
        """As the state keeps it: no part holds a space."""
        return " ".join([self.record_id, self.date, self.digest, self.url]).encode()


class WarcArchive:
    """Writes exchanges to `files`.

    `run_id` is the crawl's, `records` the number of records that it has written.
    `seen` keeps what revisits refer to. `info` describes the crawl in each file's
    `warcinfo`, and `info_id` is that of the current file. `secrets`: write secret
    request headers as they were sent.
    """

    def __init__(
        self,
        files: WarcFiles,
        run_id: str,
        records: int,
        seen: KeyValue,
        info: Fields,
        max_size: int,
        secrets: bool,
        info_id: str = "",
    ) -> None:
        self._files = files
        self._run_id = run_id
        self._records = records
        self._seen = seen
        self._info = info
        self._max_size = max_size
        self._secrets = secrets
        self._info_id = info_id

    def write(self, exchange: Exchange, ended: float) -> None:
        """Append the records of an exchange that ended then (seconds since the epoch).

        An exchange without an answer has none. Raises OutputError.
        """
        answer = answer_of(exchange)
        if answer is None:
            return
        began = ended - exchange.timings.fetch_ms / 1000
        date = _date(began)
        self._begin_file(date)
        fields = self._common(exchange, date)
        response_id = self._response(exchange, answer, date, fields)
        related = ("WARC-Concurrent-To", response_id)
        request = request_block(exchange, self._secrets)
        self._append("request", _HTTP_REQUEST, [*fields, related], [request])
        metadata = framing.warc_fields(_metadata(exchange, answer))
        self._append("metadata", _WARC_FIELDS, [*fields, related], [metadata])

    def flush(self) -> Position:
        """Hand everything to the operating system; returns the position reached."""
        self._files.flush()
        files = self._files
        return [
            files.name,
            self._run_id,
            files.number,
            files.offset,
            self._records,
            self._info_id,
        ]

    def close(self) -> None:
        """Flush to the disk, and sort the index of the last file."""
        self._files.close()

    def _begin_file(self, date: str) -> None:
        """Begin the next file if this one is full; a new one begins with `warcinfo`."""
        if self._files.is_full(self._max_size):
            self._files.begin_next()
        if not self._files.offset:
            fields = [("WARC-Date", date), ("WARC-Filename", self._files.filename)]
            block = framing.warc_fields(self._info)
            self._info_id, _ = self._append("warcinfo", _WARC_FIELDS, fields, [block])

    def _common(self, exchange: Exchange, date: str) -> Fields:
        fields = [("WARC-Date", date), ("WARC-Target-URI", exchange.url)]
        if self._info_id:
            fields.append(("WARC-Warcinfo-ID", self._info_id))
        if exchange.peer is not None and exchange.peer.proxy is None:
            fields.append(("WARC-IP-Address", exchange.peer.ip))
        return fields

    def _response(
        self, exchange: Exchange, answer: Answer, date: str, fields: Fields
    ) -> str:
        """Append the response, or the revisit of an earlier one; returns its id."""
        digest = framing.digest([answer.payload])
        known = self._known(exchange, answer, digest)
        if known is None:
            kind, block = "response", [answer.head, *answer.body]
            own: Fields = [("WARC-Payload-Digest", digest)]
        else:
            kind, block = "revisit", [answer.head]
            digest = known.digest
            own = _revisit_fields(known, answer)
        if answer.truncated and known is None:
            own.append(("WARC-Truncated", answer.truncated))
        record_id, place = self._append(kind, _HTTP_RESPONSE, [*fields, *own], block)
        if known is None:
            known = Refers(record_id, date, digest, exchange.url)
        self._remember(exchange, answer, known)
        mime = answer.header(b"content-type").partition(";")[0].strip().lower()
        entry = cdxj.Entry(
            exchange.url,
            "warc/revisit" if kind == "revisit" else mime or _UNKNOWN_TYPE,
            str(answer.status),
            digest,
            str(place[1]),
            str(place[0]),
            self._files.filename,
        )
        self._files.add_to_index(cdxj.line(date, entry))
        return record_id

    def _known(self, exchange: Exchange, answer: Answer, digest: str) -> Refers | None:
        """The response whose payload this is, if it was archived."""
        if answer.status == 304:
            stored = self._seen.get(WARC_VALIDATED, exchange.url)
        elif answer.payload and not answer.truncated:
            stored = self._seen.get(WARC_PAYLOAD, digest)
        else:
            return None
        return None if stored is None else Refers(*stored.decode().split(" "))

    def _remember(self, exchange: Exchange, answer: Answer, refers: Refers) -> None:
        """Keep what a later revisit of the payload, or a 304, refers to."""
        if answer.truncated or answer.status == 304:
            return
        stored = refers.stored()
        if answer.payload:
            self._seen.set(WARC_PAYLOAD, refers.digest, stored)
        if answer.status == 200 and (
            answer.header(b"etag") or answer.header(b"last-modified")
        ):
            self._seen.set(WARC_VALIDATED, exchange.url, stored)

    def _append(
        self, kind: str, content_type: str, fields: Fields, block: Sequence[Part]
    ) -> tuple[str, tuple[int, int]]:
        """Append a record; returns its id, its offset and its size (bytes)."""
        self._records += 1
        record_id = _record_id(self._run_id, self._records)
        head = [
            ("WARC-Type", kind),
            ("WARC-Record-ID", record_id),
            ("Content-Type", content_type),
            *fields,
        ]
        offset = self._files.offset
        for piece in framing.record(head, block):
            if piece:
                self._files.append(piece)
        return record_id, (offset, self._files.offset - offset)


_HTTP_RESPONSE = "application/http;msgtype=response"
_HTTP_REQUEST = "application/http;msgtype=request"
_WARC_FIELDS = "application/warc-fields"


def _revisit_fields(known: Refers, answer: Answer) -> Fields:
    unmodified = answer.status == 304
    profile = "server-not-modified" if unmodified else "identical-payload-digest"
    return [
        ("WARC-Profile", _REVISIT + profile),
        ("WARC-Payload-Digest", known.digest),
        ("WARC-Refers-To", known.record_id),
        ("WARC-Refers-To-Target-URI", known.url),
        ("WARC-Refers-To-Date", known.date),
    ]


def _metadata(exchange: Exchange, answer: Answer) -> Fields:
    """What Heritrix writes, and what is not as it was received."""
    fields = [("fetchTimeMs", str(exchange.timings.fetch_ms))]
    if via := referer(exchange):
        fields.insert(0, ("via", via))
    if answer.chunked:
        fields.append(("transferCoding", "chunked; written as one chunk"))
    return fields


def _record_id(run_id: str, number: int) -> str:
    """A UUID of version 8 (RFC 9562 section 5.8) that no other record has."""
    digest = bytearray(hashlib.sha256(f"{run_id} {number}".encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    parts = text[:8], text[8:12], text[12:16], text[16:20], text[20:]
    return f"<urn:uuid:{'-'.join(parts)}>"


def _date(seconds: float) -> str:
    """A WARC-Date in milliseconds (W3C-DTF, WARC 1.1 section 5.4)."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
