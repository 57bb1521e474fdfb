"""Where the bytes of an image go, before its record is written.

No two files have the same bytes. What else is kept only once, and of what there is a
thumbnail, the settings decide (`look_groups.py`, `kept_thumbnails.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.frontier.store import Content, Store
from crawler.model.crawl import Outcome
from crawler.model.records import ImageRecord
from crawler.output.files import DAMAGED, IMAGES
from crawler.output.images import ImageFacts, ImageStore

if TYPE_CHECKING:
    from crawler.engine.images.kept_thumbnails import KeptThumbnails
    from crawler.engine.images.look_groups import LookGroups
    from crawler.engine.images.look_index import LookIndex


class ImageKeeper:
    """Keeps the images of one crawl, and sets what their records say of the files."""

    def __init__(
        self,
        store: Store,
        images: ImageStore,
        looks: LookIndex | LookGroups | None,
        thumbnails: KeptThumbnails | None,
    ) -> None:
        self._store = store
        self._images = images
        self._looks = looks
        self._thumbnails = thumbnails

    def keep(self, record: ImageRecord, outcome: Outcome) -> None:
        """Store the bytes of a picture, unless the disk has them already.

        They may be there from another URL or from an earlier crawl. Without a
        `picture` the record has the path already: the server has confirmed them (304).
        """
        assert record.sha256 is not None
        known, picture = self._store.content(record.sha256), outcome.picture
        path = known.path if known else ""
        folder = IMAGES if record.damage is None else DAMAGED
        is_there = bool(path) and (
            record.path is not None
            if picture is None
            else path.startswith(folder) and self._images.holds(path, record.body_bytes)
        )
        if is_there:
            record.path = path
        first = record.url if known is None or known.url is None else known.url
        if first != record.url:
            record.dup_of, record.dup_kind = first, "exact"
        elif is_there:
            record.source = "existing"
        is_kept = self._looks is None or self._looks.fill(record, outcome.look)
        if is_kept and not is_there and picture is not None:
            found = outcome.lease.context
            facts = ImageFacts(
                record.width or 0,
                record.height or 0,
                record.data or {},
                folder,
                (found and found.page_title) or "",
                found.index if found else 0,
            )
            record.path = self._images.put(
                picture, record.url, record.sha256, record.format, facts
            )
        elif is_there and not is_kept:
            self._images.remove(path, record.sha256)
            record.path = None
        if self._thumbnails is not None:
            self._thumbnails.keep(record, outcome.thumbnail)
        if known != (now := Content(record.path or "", first)):
            self._store.set_content(record.sha256, now)
