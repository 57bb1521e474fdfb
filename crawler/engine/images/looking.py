"""Has the extraction process decode pictures: for their look, thumbnails, and damage.

A picture that cannot be decoded, or exceeds a limit of the process, has no look and is
not verified: its record is otherwise as without. Each is a task of its own, so that one
that fails, or ends the process, costs no more than its own result.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

import msgspec
from msgspec import MsgspecError
from msgspec.msgpack import Encoder

from crawler.engine.sandbox.cores import usable_cores
from crawler.engine.sandbox.pool import ExtractionPool
from crawler.engine.sandbox.process import WorkerLimits
from crawler.extract.looks.look import SIZE, Seen
from crawler.model.content_config import ImagesConfig
from crawler.model.errors import BodyFailure, ImageDecodeFailure, UsageError
from crawler.model.http import BodySink
from crawler.model.record_base import Damage
from crawler.model.records import ImageRecord

LOOK, VERIFY, REDUCE = "look", "verify", "reduce"
TASKS = {
    LOOK: "crawler.extract.looks.hashing:look_task",
    VERIFY: "crawler.extract.looks.verifying:verify_task",
    REDUCE: "crawler.extract.looks.reducing:reduce_task",
}
PACKAGES = {
    LOOK: {"PIL": "pillow", "numpy": "numpy"},
    VERIFY: {"PIL": "pillow", "numpy": "numpy", "simplejpeg": "simplejpeg"},
    REDUCE: {"PIL": "pillow", "numpy": "numpy"},
}
"""What the extra `look` installs, by module, for each task."""
DECODED = frozenset({"jpeg", "png", "gif", "webp", "avif", "bmp", "tiff"})
"""The formats that are decoded, as records call them."""
THUMBNAIL_ENDINGS = frozenset({"jpg", "webp"})
MAX_THUMBNAIL = 16 * 2**20
"""Bytes; the process is not trusted, since it has read what is not."""
_AT_THE_END = ("cut short", "truncated", "premature end", "unexpected end")

_encode = Encoder().encode


class Looking:
    """The process that decodes the pictures of one crawl; started with the first.

    Raises UsageError if the extra is missing.
    """

    def __init__(
        self,
        config: ImagesConfig,
        processes: int | Literal["auto"] = 1,
        limits: WorkerLimits | None = None,
    ) -> None:
        tasks: dict[str, str] = {}
        if config.are_hashed:
            tasks |= _task(LOOK, "--phash")
        if config.verify:
            tasks |= _task(VERIFY, "--verify-images")
        if config.thumbnails is not None:
            tasks |= _task(REDUCE, "--thumbnails")
        self._config = config
        number = usable_cores() if processes == "auto" else processes
        self._pool = ExtractionPool(tasks, limits, number)

    def look(self, record: ImageRecord, content: bytes | BodySink) -> Seen:
        """The look and the thumbnail of a picture, as far as they are wanted.

        Sets `verified`, and `damage` of a damaged picture that is kept. May switch to
        other greenlets. Raises ImageDecodeFailure for one that is not kept.
        """
        given = content if isinstance(content, bytes) else content.path
        is_decoded = record.format in DECODED
        if self._config.verify:
            self._verify(record, _encode(given) if is_decoded else None)
        if not is_decoded or record.damage is not None:
            return None, None
        look = self._look(given) if self._config.are_hashed else None
        side = self._config.thumbnails
        return look, None if side is None else self._reduce(given, side)

    def _look(self, given: bytes | str | None) -> bytes | None:
        try:
            found = self._pool.run(LOOK, _encode(given))
        except BodyFailure:
            return None
        return found if len(found) == SIZE else None

    def _reduce(self, given: bytes | str | None, side: int) -> tuple[str, bytes] | None:
        try:
            answer = self._pool.run(REDUCE, _encode((given, side)))
            ending, body = msgspec.msgpack.decode(answer, type=tuple[str, bytes])
        except (BodyFailure, MsgspecError):
            return None
        is_thumbnail = ending in THUMBNAIL_ENDINGS and len(body) <= MAX_THUMBNAIL
        return (ending, body) if is_thumbnail else None

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
