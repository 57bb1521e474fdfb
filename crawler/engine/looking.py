"""Has the extraction process decode pictures: for their look, and to find damage.

A picture that cannot be decoded, or exceeds a limit of the process, has no look and is
not verified: its record is otherwise as without. Each is a task of its own, so that one
that fails, or ends the process, costs no more than its own result.
"""

from __future__ import annotations

from importlib.util import find_spec

import msgspec
from msgspec import MsgspecError
from msgspec.msgpack import Encoder

from crawler.engine.sandbox.pool import ExtractionPool
from crawler.engine.sandbox.process import WorkerLimits
from crawler.extract.looks.look import SIZE
from crawler.model.content_config import ImagesConfig
from crawler.model.errors import BodyFailure, ImageDecodeFailure, UsageError
from crawler.model.http import BodySink
from crawler.model.record_base import Damage
from crawler.model.records import ImageRecord

LOOK, VERIFY = "look", "verify"
TASKS = {
    LOOK: "crawler.extract.looks.hashing:look_task",
    VERIFY: "crawler.extract.looks.verifying:verify_task",
}
PACKAGES = {
    LOOK: {"PIL": "pillow", "numpy": "numpy"},
    VERIFY: {"PIL": "pillow", "simplejpeg": "simplejpeg"},
}
"""What the extra `look` installs, by module, for each task."""
DECODED = frozenset({"jpeg", "png", "gif", "webp", "avif", "bmp", "tiff"})
"""The formats that are decoded, as records call them."""
_AT_THE_END = ("cut short", "truncated", "premature end", "unexpected end")

_encode = Encoder().encode


class Looking:
    """The process that decodes the pictures of one crawl; started with the first.

    Raises UsageError if the extra is missing.
    """

    def __init__(
        self,
        config: ImagesConfig,
        processes: int = 1,
        limits: WorkerLimits | None = None,
    ) -> None:
        tasks: dict[str, str] = {}
        if config.are_hashed:
            tasks |= _task(LOOK, "--phash")
        if config.verify:
            tasks |= _task(VERIFY, "--verify-images")
        self._config = config
        self._pool = ExtractionPool(tasks, limits, processes)

    def look(self, record: ImageRecord, content: bytes | BodySink) -> bytes | None:
        """The look of a picture, if it has one and that is wanted.

        Sets `verified`, and `damage` of a damaged picture that is kept. May switch to
        other greenlets. Raises ImageDecodeFailure for one that is not kept.
        """
        order = None
        if record.format in DECODED:
            order = _encode(content if isinstance(content, bytes) else content.path)
        if self._config.verify:
            self._verify(record, order)
        if order is None or not self._config.are_hashed or record.damage is not None:
            return None
        try:
            found = self._pool.run(LOOK, order)
        except BodyFailure:
            return None
        return found if len(found) == SIZE else None

    def _verify(self, record: ImageRecord, order: bytes | None) -> None:
        wrong = ""
        record.verified = False
        if order is not None and record.truncated is None:
            try:
                answer = self._pool.run(VERIFY, order)
                record.verified, wrong = msgspec.msgpack.decode(
                    answer, type=tuple[bool, str]
                )
            except (BodyFailure, MsgspecError):
                return
        if wrong and not self._config.keep_damaged:
            raise ImageDecodeFailure(f"{record.content_type}: {wrong[:200]}")
        if wrong:
            record.damage = damage_of(wrong)

    def close(self) -> None:
        """End the process."""
        self._pool.close()


def _task(name: str, option: str) -> dict[str, str]:
    """A task under its name. Raises UsageError if a package for it is missing."""
    for module, package in PACKAGES[name].items():
        if not find_spec(module):
            raise UsageError(f"{option} needs {package}: pip install 'orbweb[look]'")
    return {name: TASKS[name]}


def damage_of(message: str) -> Damage:
    """What kind of damage a message of a decoder means."""
    is_cut = any(words in message.lower() for words in _AT_THE_END)
    return "truncated" if is_cut else "corrupt"
