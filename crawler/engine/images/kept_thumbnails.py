"""Thumbnails of the pictures that are kept: one for each content (`images.thumbnails`).

    thumbnails/256/3f/3fa9...c1.jpg     the longer side, and the hash of the picture

Its name is in the state, in the commit of the record; the file is there before it, and
whole, as that of the picture is (`output/files.py`).
"""

from __future__ import annotations

import hashlib

from crawler.frontier.store import Store
from crawler.model.metadata import THUMBNAILS
from crawler.model.records import ImageRecord
from crawler.output.files import THUMBNAILS as FOLDER
from crawler.output.images import ImageStore


class KeptThumbnails:
    """The thumbnails of one crawl; `side` is the longer one, in pixels."""

    def __init__(self, store: Store, images: ImageStore, side: int) -> None:
        self._store = store
        self._images = images
        self._side = side

    def keep(self, record: ImageRecord, made: tuple[str, bytes] | None) -> None:
        """Set `thumbnail_path`; `made`: ending and bytes of a new thumbnail."""
        assert record.sha256 is not None
        if not record.path:
            remove_thumbnail(self._store, self._images, record.sha256)
            return
        _, known = stored_thumbnail(self._store, record.sha256)
        if f"/{self._side}/" in known and self._images.holds(known):
            record.thumbnail_path = known
        elif made is not None:
            ending, body = made
            digest = hashlib.sha256(body).hexdigest()
            sha256 = record.sha256
            name = f"{FOLDER}/{self._side}/{sha256[:2]}/{sha256}.{ending}"
            record.thumbnail_path = self._images.keep(name, body, digest)
            value = f"{digest} {record.thumbnail_path}"
            self._store.set(THUMBNAILS, record.sha256, value.encode())


def stored_thumbnail(store: Store, sha256: str) -> tuple[str, str]:
    """The hash and the path of the thumbnail of a picture; empty if it has none."""
    value = store.get(THUMBNAILS, sha256) or b""
    digest, _, path = value.decode().partition(" ")
    return digest, path


def is_recorded(store: Store, path: str) -> bool:
    """Whether the file `path`, which is in the folder of thumbnails, has its record."""
    sha256 = path.rpartition("/")[2][:64]
    return stored_thumbnail(store, sha256)[1] == path


def remove_thumbnail(store: Store, images: ImageStore, sha256: str) -> None:
    """The picture with this hash is not kept any more."""
    digest, path = stored_thumbnail(store, sha256)
    if path:
        images.remove(path, digest)
        store.set(THUMBNAILS, sha256, None)
