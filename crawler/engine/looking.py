"""Has the extraction process look at pictures (`images.phash`).

A picture that cannot be decoded, or exceeds a limit of the process, has no look: its
record has no `phash`, and is otherwise as without.
"""

from __future__ import annotations

from importlib.util import find_spec

from msgspec.msgpack import Encoder

from crawler.engine.sandbox.pool import ExtractionPool
from crawler.engine.sandbox.process import WorkerLimits
from crawler.extract.looks.look import SIZE
from crawler.model.errors import BodyFailure, UsageError
from crawler.model.http import BodySink

NAME = "look"
TASK = "crawler.extract.looks.hashing:look_task"
PACKAGES = {"PIL": "pillow", "numpy": "numpy"}
"""What the extra `look` installs, by module."""

_encode = Encoder().encode


class Looking:
    """The process that looks at the pictures of one crawl; started with the first.

    Raises UsageError if the extra is missing.
    """

    def __init__(self, processes: int = 1, limits: WorkerLimits | None = None) -> None:
        missing = [name for module, name in PACKAGES.items() if not find_spec(module)]
        if missing:
            raise UsageError(f"--phash needs {missing[0]}: pip install 'orbweb[look]'")
        self._pool = ExtractionPool({NAME: TASK}, limits, processes)

    def look(self, content: bytes | BodySink) -> bytes | None:
        """The look of a picture; None if it has none. May switch to other greenlets."""
        order = content if isinstance(content, bytes) else content.path
        try:
            found = self._pool.run(NAME, _encode(order))
        except BodyFailure:
            return None
        return found if len(found) == SIZE else None

    def close(self) -> None:
        """End the process."""
        self._pool.close()
