"""Which response was being read when the process died.

A response can kill the process that reads it: by a defect in a library written in C, or
by so much memory that the kernel ends the process. No exception can be caught then, and
a resume would begin with the same bytes and die again. So while a response is read, its
URL stands in a file that is mapped into memory: writing it takes no system call, and
the kernel keeps it whatever becomes of the process. The next run finds the URL there
and counts a death. After a few of them (`policy`) the URL ends as an error, and the
crawl goes on.

A MemoryError while a response is read ends the crawl, and counts as such a death.
A `kill -9` in that very moment looks the same, which is why the first deaths are
forgiven.
"""

from __future__ import annotations

import os
from mmap import mmap
from pathlib import Path
from typing import Self

from crawler.model.metadata import POISON_URLS, KeyValue, increase
from crawler.model.url import MAX_URL
from crawler.output.sink import refused

_LENGTH = 4
"""Bytes in front of the URL that hold its length; written last."""
_NOTHING = bytes(_LENGTH)


class CrashGuard:
    """Use it as `with guard(url):` around what reads the response of `url`.

    The file is at `path`, and is created if need be. What is done inside must not
    switch, so that there is one URL at most. Raises OutputError.
    """

    def __init__(self, path: Path, metadata: KeyValue) -> None:
        try:
            fd = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
            try:
                # Without its blocks, writing to the map on a full disk is a SIGBUS.
                os.posix_fallocate(fd, 0, _LENGTH + MAX_URL)
                self._map = mmap(fd, _LENGTH + MAX_URL)
            finally:
                os.close(fd)
        except OSError as error:
            raise refused(error, path) from error
        if (url := self._last()) is not None:
            increase(metadata, POISON_URLS, url)
            self._map[:_LENGTH] = _NOTHING
        self._deaths = {url: int(count) for url, count in metadata.items(POISON_URLS)}

    def deaths(self, url: str) -> int:
        """How often the process died while it read the response of `url`."""
        return self._deaths.get(url, 0)

    def __call__(self, url: str) -> Self:
        """Record that the response of `url` is being read, for the `with` block."""
        written = url.encode()
        self._map[_LENGTH : _LENGTH + len(written)] = written
        self._map[:_LENGTH] = len(written).to_bytes(_LENGTH, "big")
        return self

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: object
    ) -> None:
        if kind is not MemoryError:
            self._map[:_LENGTH] = _NOTHING

    def close(self) -> None:
        self._map.close()

    def _last(self) -> str | None:
        """The URL that the last run was reading when it died; None if it was not."""
        length = int.from_bytes(self._map[:_LENGTH], "big")
        if not length:
            return None
        return self._map[_LENGTH : _LENGTH + length].decode("ascii", "replace")
