"""The best of the pictures that look the same is kept (`images.dedupe: near`).

The best has the most pixels, then the most bytes; of two equal ones it is the first. A
picture that is not better than the best so far gets no file: its record has no `path`,
and `dup_of` names the best so far. One that is better is kept. Its record says which
picture it `replaces`, whose file is removed after the commit.

A record that was written is never rewritten, since a reader may have it already. So a
stream is read with this rule, as `orbweb images` does (`output/export/latest.py`): a
picture that a later record replaces has no file any more, nor have the records that
name the same bytes.

Groups belong to the first picture of a look, which is in the index, so a chain of small
differences does not lead from one picture to quite another. A still picture and an
animation are no group, nor are animations with other numbers of frames: the first frame
says nothing of the others.

A recrawl decides anew, by the pictures that it has met itself: the best one may have
changed or gone. What was not kept is fetched whole, since a 304 would bring no file.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from crawler.engine.images.kept_thumbnails import KeptThumbnails, remove_thumbnail
from crawler.engine.images.look_index import LookIndex
from crawler.frontier.store import Content, Store
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.model.metadata import BEST_OF_LOOK
from crawler.model.records import ImageRecord
from crawler.output.images import ImageStore


class _Best(Struct, frozen=True, array_like=True):
    """The best picture of a look so far."""

    run_id: str
    """The run that has met it."""
    url: str
    sha256: str
    pixels: int
    size: int
    """Bytes."""
    frames: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Best).decode


class LookGroups:
    """The groups of one run's pictures, in `store`; `images` has their files."""

    def __init__(
        self, looks: LookIndex, store: Store, images: ImageStore, run_id: str
    ) -> None:
        self._run_id = run_id
        self._looks = looks
        self._store = store
        self._images = images

    def fill(self, record: ImageRecord, look: bytes | None) -> bool:
        """Set `phash`, `dup_of` and `replaces`. Returns whether the file is kept.

        `record.path` is set if it is there already. `look` as in `LookIndex.fill`.
        """
        look = self._looks.take(record, look)
        if look is None or (record.path and record.dup_of):  # the bytes of a kept one
            return True
        ours = self._as_best(record)
        group, _ = self._looks.first_alike(
            record, look, lambda name: self._has_frames(name, ours.frames)
        )
        best = self._best(group)
        if best is not None and best.sha256 != ours.sha256:
            if (ours.pixels, ours.size) <= (best.pixels, best.size):
                if record.dup_of is None:
                    record.dup_of, record.dup_kind = best.url, "near"
                return False
            self._remove(best)
            record.replaces = best.url
        self._store.set(BEST_OF_LOOK, group, _encode(ours))
        return True

    def forget(self, sha256: str, url: str) -> None:
        """The URL has other bytes now: nothing looks like it any more."""
        self._looks.forget(sha256, url)

    def _has_frames(self, group: str, frames: int) -> bool:
        encoded = self._store.get(BEST_OF_LOOK, group)
        return encoded is None or _decode(encoded).frames == frames

    def _best(self, group: str) -> _Best | None:
        """The best picture of a group; None if this run has not met one."""
        encoded = self._store.get(BEST_OF_LOOK, group)
        best = None if encoded is None else _decode(encoded)
        return best if best is not None and best.run_id == self._run_id else None

    def _remove(self, best: _Best) -> None:
        content = self._store.content(best.sha256)
        if content is not None and content.path:
            self._images.remove(content.path, best.sha256)
            self._store.set_content(best.sha256, Content("", content.url))
        remove_thumbnail(self._store, self._images, best.sha256)

    def _as_best(self, record: ImageRecord) -> _Best:
        assert record.sha256 is not None
        url = record.dup_of or record.url  # the state names one for the same bytes
        pixels = (record.width or 0) * (record.height or 0)
        frames = record.frames or 1
        return _Best(
            self._run_id, url, record.sha256, pixels, record.body_bytes, frames
        )


def opened_looks(
    config: Config, store: Store, images: ImageStore, run_id: str
) -> tuple[LookIndex | LookGroups | None, KeptThumbnails | None]:
    """The looks and the thumbnails of a run, as far as wanted. Raises UsageError."""
    wanted = config.images
    side = wanted.thumbnails
    thumbnails = None if side is None else KeptThumbnails(store, images, side)
    if not wanted.are_hashed:
        return None, thumbnails
    index = LookIndex(store)
    if wanted.dedupe == "exact":
        return index, thumbnails
    if config.bodies.mirror:
        raise UsageError("images.dedupe: near: a mirror needs each picture; use exact")
    return LookGroups(index, store, images, run_id), thumbnails
