"""Has extraction processes make the thumbnails of a report (extra `look`)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import msgspec
from msgspec import MsgspecError

from crawler.engine.sandbox.pool import ExtractionPool
from crawler.engine.sandbox.process import WorkerLimits
from crawler.model.errors import BodyFailure

NAME = "thumbnail"
TASK = "crawler.extract.looks.thumbnail:thumbnail_task"
MODULES = ("PIL", "numpy")
MEDIA_TYPES = frozenset({"image/webp", "image/svg+xml"})


def can_make_thumbnails() -> bool:
    """Whether the extra `look` is installed."""
    return all(map(find_spec, MODULES))


class Thumbnails:
    """The processes that make the thumbnails of one report."""

    def __init__(self, processes: int = 1, limits: WorkerLimits | None = None) -> None:
        self._pool = ExtractionPool({NAME: TASK}, limits, processes)

    def make(self, path: Path, share: int) -> tuple[str, bytes] | None:
        """Media type and bytes, of which there are about `share`.

        None: the file is missing, damaged, too large, or of a format that Pillow does
        not read. May switch to other greenlets.
        """
        order = msgspec.msgpack.encode((str(path), share))
        try:
            answer = self._pool.run(NAME, order)
            media_type, body = msgspec.msgpack.decode(answer, type=tuple[str, bytes])
        except (BodyFailure, MsgspecError):
            return None
        if media_type not in MEDIA_TYPES or len(body) > 2 * share:
            return None
        return media_type, body

    def close(self) -> None:
        """End the processes."""
        self._pool.close()
