"""What was being read when the process died.

A body can kill whoever reads it: by a defect in a library written in C, or by so much
memory that the kernel ends the process. Nothing is left to be caught then, and a resume
would begin with the same bytes and die again. So while a body is read, its URL stands
in a file that is mapped into memory: no system call, and the kernel keeps it whatever
becomes of the process. The next run finds it there and counts a death; after DEATHS of
them the URL ends as an error and the crawl goes on.

Somebody's `kill -9` in that very moment looks the same, which is why the first ones are
forgiven.
"""

from __future__ import annotations

import os
from mmap import mmap
from pathlib import Path
from typing import Self

from crawler.model.metadata import POISON_URLS, KeyValue
from crawler.model.url import MAX_URL
from crawler.output.sink import refused

_LENGTH = 4
"""Bytes in front of the URL that say how long it is; written last."""
_NOTHING = bytes(_LENGTH)


class CrashGuard:
    """The file at `path`, made if need be. Counts the death that it tells of, in
    `notes`.

    For a reader that does not switch, so that one URL at most is being read. Raises
    OutputError.
    """

    def __init__(self, path: Path, metadata: KeyValue) -> None:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(
                    fd, 0, _LENGTH + MAX_URL
                )  # else a full disk would end us later
                self._map = mmap(fd, _LENGTH + MAX_URL)
            finally:
                os.close(fd)
        except OSError as error:
            raise refused(error, path) from error
        if (url := self._last()) is not None:
            metadata.set(
                POISON_URLS, url, b"%d" % (int(metadata.get(POISON_URLS, url) or 0) + 1)
            )
            self._clear()
        self._counts = {url: int(count) for url, count in metadata.items(POISON_URLS)}

    def _last(self) -> str | None:
        length = int.from_bytes(self._map[:_LENGTH], "big")
        return (
            self._map[_LENGTH : _LENGTH + length].decode("ascii", "replace")
            if length
            else None
        )

    def deaths(self, url: str) -> int:
        """How often the process died while it read the response of `url`."""
        return self._counts.get(url, 0)

    def __call__(self, url: str) -> Self:
        """`with guard(url):` the response of `url` is read."""
        written = url.encode()
        self._map[_LENGTH : _LENGTH + len(written)] = written
        self._map[:_LENGTH] = len(written).to_bytes(_LENGTH, "big")
        return self

    def __enter__(self) -> None:
        """The URL is noted already."""

    def __exit__(self, *_error: object) -> None:
        self._clear()

    def _clear(self) -> None:
        self._map[:_LENGTH] = _NOTHING

    def close(self) -> None:
        self._map.close()
