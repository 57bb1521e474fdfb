"""The manifest of an output in object storage: its parts that are committed.

It is an object beside the parts, `NAME.manifest.json`, and is written after the part
that it names, so what it names is whole. A copy in the crawl's folder is written first.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from crawler.model.errors import StateError, UsageError
from crawler.output.compression import damage, open_unpacked
from crawler.output.export.lines import kind_of
from crawler.output.sink import compression_of

_BLOCK = 2**20


class Part(msgspec.Struct, frozen=True):
    """A part: its object is beside the manifest."""

    name: str
    bytes: int
    sha256: str
    records: int
    """Records in it; the schema line is none."""
    first_seq: int
    last_seq: int
    """`seq` of the first and of the last of them."""


class Manifest(msgspec.Struct):
    """The parts of one output, in the order of the records."""

    output: str
    """Its address."""
    parts: list[Part] = []
    format: str = "orbweb-parts-1"

    def names(self) -> frozenset[str]:
        return frozenset(part.name for part in self.parts)

    def encoded(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


class _Numbered(msgspec.Struct):
    seq: int


def manifest_name(name: str) -> str:
    """That of the manifest of a stream."""
    return f"{name}.manifest.json"


def parse(data: bytes) -> Manifest | None:
    """The manifest that `data` is; None if it is something else."""
    try:
        return _decode(data)
    except msgspec.DecodeError:
        return None


def load(path: Path) -> Manifest | None:
    """The manifest in the crawl's folder, if there is one.

    Raises StateError if it is damaged, OSError.
    """
    if not path.exists():
        return None
    if (found := parse(path.read_bytes())) is None:
        raise StateError(
            f"{path} is damaged: replace it by the object of its name in the bucket"
        )
    return found


def save(path: Path, manifest: Manifest) -> None:
    """Replace the manifest in the crawl's folder durably. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(manifest.encoded())
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def describe(file: Path) -> Part | None:
    """A part as the manifest has it; None if it has no record.

    Only the first and the last records are decoded: a thread of the crawl does this.
    Raises OSError, UsageError if it is damaged.
    """
    count, head, tail = 0, b"", b""
    damages: tuple[type[Exception], ...] = (
        ValueError,
        EOFError,
        *damage(compression_of(file.name)),
    )
    try:
        for block in _text(file):
            count += block.count(b"\n")
            if head.count(b"\n") < 2:
                head += block
            tail += block
            tail = tail[tail.rfind(b"\n", 0, -1) + 1 :]
        first, *rest = head.splitlines()[:2]
        if kind_of(first) == "schema":
            count -= 1
            first, *_ = rest or [b""]
        if not count:
            return None
        seqs = [_seq(line).seq for line in (first, tail)]
    except damages as error:
        raise UsageError(f"{file} is damaged: {error}") from error
    return Part(file.name, file.stat().st_size, _sha256(file), count, *seqs)


def _text(file: Path) -> Iterator[bytes]:
    ending = compression_of(file.name)
    with open_unpacked(file, ending) if ending else file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            yield block


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


_decode = msgspec.json.Decoder(Manifest).decode
_seq = msgspec.json.Decoder(_Numbered).decode
