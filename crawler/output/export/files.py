"""The files that an export writes: compressed by their name, complete or absent."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from crawler.output.compression import zstd
from crawler.output.sink import compression_of, refused

STDOUT = Path("-")


@contextmanager
def draft(target: Path) -> Iterator[Path]:
    """A path to write to, which takes the name `target` if all goes well.

    Otherwise it is removed, and what was at `target` stays. Raises OutputError.
    """
    path = target.with_name(f"{target.name}.part{os.getpid()}")
    try:
        yield path
        path.replace(target)
    except OSError as error:
        raise refused(error, target) from error
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def open_output(target: Path) -> Iterator[IO[bytes]]:
    """A file for bytes, compressed if `target` ends in `.gz` or `.zst`; "-" is stdout.

    Raises OutputError.
    """
    if target == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with draft(target) as path, path.open("xb") as raw:
        ending = compression_of(target.name)
        if ending == ".gz":
            with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as compressed:
                yield compressed  # type: ignore[misc]
        elif ending == ".zst":
            with zstd().open(raw, "wb") as compressed:
                yield compressed
        else:
            yield raw
