"""WACZ files as other programs read them: zipfile, warcio, FastWARC and py-wacz."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from fastwarc.warc import ArchiveIterator as FastIterator
from msgspec import Struct
from warcio.archiveiterator import ArchiveIterator


class Packed(Struct):
    """What a WACZ file holds."""

    about: dict[str, Any]
    """datapackage.json."""
    warcs: dict[str, bytes]
    index: list[dict[str, Any]]
    """The lines of the index."""
    pages: list[dict[str, Any]]
    header: dict[str, Any]
    """The first line of pages.jsonl."""

    @property
    def urls(self) -> list[str]:
        """Those of all answers, sorted."""
        return sorted(line["url"] for line in self.index)


def read_wacz(path: Path) -> Packed:
    """Read a file, whose hashes, index and modes of storage must be in order."""
    with ZipFile(path) as file:
        assert file.testzip() is None
        infos = {info.filename: info for info in file.infolist()}
        assert len(infos) == len(file.infolist())
        for name, info in infos.items():
            if name.endswith(".gz"):
                assert info.compress_type == ZIP_STORED
        data = {name: file.read(name) for name in infos}
    digest = json.loads(data.pop("datapackage-digest.json"))
    described = data.pop("datapackage.json")
    assert digest == {"path": "datapackage.json", "hash": sha256(described)}
    about = json.loads(described)
    assert {one["path"]: (one["hash"], one["bytes"]) for one in about["resources"]} == {
        name: (sha256(body), len(body)) for name, body in data.items()
    }
    header, *pages = map(json.loads, data["pages/pages.jsonl"].splitlines())
    warcs = {
        name.removeprefix("archive/"): body
        for name, body in data.items()
        if name.startswith("archive/")
    }
    return Packed(about, warcs, read_index(data, warcs), pages, header)


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def read_index(data: dict[str, bytes], warcs: dict[str, bytes]) -> list[dict[str, Any]]:
    """The lines of the index; each must point to a record of its URL."""
    meta, *members = data["indexes/index.idx"].splitlines()
    assert meta.startswith(b'!meta 0 {"format": "cdxj-gzip-1.0"')
    lines: list[bytes] = []
    for member in members:
        *key, place = member.split(b" ", 2)
        found = json.loads(place)
        begin, length = found["offset"], found["length"]
        block = data["indexes/" + found["filename"]][begin : begin + length]
        assert found["digest"] == sha256(block)
        lines += gzip.decompress(block).splitlines()
        assert lines[-gzip.decompress(block).count(b"\n")].split(b" ")[:2] == key
    whole = gzip.decompress(data["indexes/index.cdx.gz"]).splitlines()
    assert lines == whole == sorted(whole)
    entries = [json.loads(line.split(b" ", 2)[2]) for line in lines]
    for entry in entries:
        check_record(entry, warcs[entry["filename"]])
    return entries


def check_record(entry: dict[str, Any], warc: bytes) -> None:
    """At the place that a line names, two readers find the answer of its URL."""
    begin, length = int(entry["offset"]), int(entry["length"])
    record = next(iter(ArchiveIterator(io.BytesIO(warc[begin : begin + length]))))
    assert record.rec_type in ("response", "revisit")
    assert record.rec_headers.get_header("WARC-Target-URI") == entry["url"]
    assert record.http_headers.get_statuscode() == entry["status"]
    stream = io.BytesIO(warc[begin:])
    fast = next(iter(FastIterator(stream, parse_http=False)))
    assert fast.verify_block_digest()
    assert fast.headers["WARC-Target-URI"] == entry["url"]


def validate(path: Path) -> None:
    """Run `wacz validate` of py-wacz, which the authors of the format keep."""
    command = [sys.executable, "-m", "wacz", "validate", "-f", str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False
    )
    assert "Validation succeeded" in done.stdout, done.stdout + done.stderr
