"""WARC files as other programs read them: warcio, FastWARC and a CDXJ reader."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

from fastwarc.warc import ArchiveIterator as FastIterator
from msgspec import Struct
from warcio.archiveiterator import ArchiveIterator


class Read(Struct):
    """A record as warcio reads it."""

    kind: str
    headers: dict[str, str]
    status: str | None
    http: list[tuple[str, str]]
    content: bytes
    """The block behind an HTTP head; its transfer coding is undone."""
    offset: int
    length: int

    @property
    def url(self) -> str:
        return self.headers["WARC-Target-URI"]


def read_warc(path: Path) -> list[Read]:
    """The records of a file; each must be a gzip member of its own."""
    found = []
    with path.open("rb") as file:
        records = ArchiveIterator(file)
        for record in records:
            http = record.http_headers
            content = record.content_stream().read()
            offset = records.get_record_offset()
            found.append(
                Read(
                    record.rec_type,
                    dict(record.rec_headers.headers),
                    None if http is None else http.get_statuscode(),
                    [] if http is None else http.headers,
                    content,
                    offset,
                    records.get_record_length(),
                )
            )
    return found


def check_with_fastwarc(path: Path) -> int:
    """Check all digests of a file; returns the number of records.

    Those of payloads are of what is left when the transfer coding is undone, as WARC
    1.1 says; FastWARC's own check takes them over the chunks.
    """
    count = 0
    with path.open("rb") as file:
        for record in FastIterator(file, parse_http=False):
            assert record.verify_block_digest(), record.headers["WARC-Record-ID"]
            count += 1
    with path.open("rb") as file:
        for record in FastIterator(file, auto_decode="transfer"):
            if record.headers["WARC-Type"] == "response":
                payload = record.reader.read()
                digest = base64.b32encode(hashlib.sha256(payload).digest()).decode()
                assert record.headers["WARC-Payload-Digest"] == f"sha256:{digest}"
    return count


def read_warcs(folder: Path) -> list[Read]:
    """The records of all files in `folder`; all files and indexes must be in order."""
    found = []
    for path in sorted(folder.glob("*.warc.gz")):
        records = read_warc(path)
        assert records[0].kind == "warcinfo"
        assert records[0].headers["WARC-Filename"] == path.name
        assert check_with_fastwarc(path) == len(records)
        check_index(path, records)
        found += records
    assert not list(folder.glob("*.new"))
    identifiers = [record.headers["WARC-Record-ID"] for record in found]
    assert len(set(identifiers)) == len(identifiers)
    return found


def read_index(warc: Path) -> list[dict[str, Any]]:
    lines = warc.with_name(warc.name.replace(".warc.gz", ".cdxj")).read_bytes()
    assert lines == b"".join(sorted(lines.splitlines(keepends=True)))
    return [json.loads(line.split(b" ", 2)[2]) for line in lines.splitlines()]


def check_index(warc: Path, records: list[Read]) -> None:
    """Each response has one line, whose offset and length are those of its member."""
    data = warc.read_bytes()
    by_offset = {str(record.offset): record for record in records}
    lines = read_index(warc)
    for line in lines:
        record = by_offset[line["offset"]]
        assert (line["url"], line["filename"]) == (record.url, warc.name)
        assert (line["status"], line["digest"]) == (
            record.status,
            record.headers["WARC-Payload-Digest"],
        )
        begin, length = int(line["offset"]), int(line["length"])
        member = gzip.decompress(data[begin : begin + length])
        assert record.headers["WARC-Record-ID"].encode() in member
    answers = [r for r in records if r.kind in ("response", "revisit")]
    assert len(lines) == len(answers) == len({line["offset"] for line in lines})


def problems(path: Path) -> list[str]:
    """What `warcio check` says against a file, but for payloads that are chunked.

    It takes their digest over the chunks, not as WARC 1.1 says (`docs/warc.md`).
    """
    found = []
    with path.open("rb") as file:
        for record in ArchiveIterator(file, check_digests=True):
            while record.content_stream().read(2**20):
                pass
            http = record.http_headers
            coding = http and http.get_header("Transfer-Encoding")
            found += [
                f"{record.rec_headers.get_header('WARC-Record-ID')}: {problem}"
                for problem in record.digest_checker.problems
                if not (coding == "chunked" and problem.startswith("payload"))
            ]
    return found
