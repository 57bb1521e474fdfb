"""Reads back what `lines.py` has written: whole lines, and where each piece ends."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from crawler.output.sink import compression_of

_MAX_LINE = 256 * 2**20


def pieces(path: Path, limit: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines of the file, and the offset behind them, up to `limit` (bytes).

    A piece is what the file can be cut behind: a line, or the lines of a member where
    the file is compressed. Ends before what is not whole. Raises OSError.
    """
    with path.open("rb") as stream:
        if ending := compression_of(path.name):
            from crawler.output.compression import members

            found = members(stream, ending)
        else:
            found = _lines(iter(lambda: stream.readline(_MAX_LINE), b""))
        for data, end in found:
            if end > limit or not data.endswith(b"\n"):
                return
            yield data, end


def _lines(lines: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    end = 0
    for line in lines:
        end += len(line)
        yield line, end


def last_lines(path: Path, size: int) -> bytes:
    """The end of the text in the last `size` bytes of the file.

    Its first line may be cut, and its last one too while a crawl writes it. At most
    `size` bytes are returned where the file is compressed, none of them from a member
    that begins before. Raises OSError.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        data = file.read(size)
    ending = compression_of(path.name)
    if not ending:
        return data
    from crawler.output.compression import first_member, members

    text = b""
    for piece, _end in members(BytesIO(first_member(data, ending)), ending):
        text = (text + piece)[-size:]
    return text
