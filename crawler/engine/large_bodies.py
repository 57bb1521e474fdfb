"""What becomes of a large body: left unread, kept in memory, or streamed.

    nothing reads or saves its type       the rest is not downloaded (`wants`)
    a picture that is not to be kept      the rest is not downloaded
    a reader takes links from it          it stays in memory, as small ones do
    a picture, or a type that is saved    a partial file (`output/partials.py`)
    only its hash is wanted               no file; the hash is made as the bytes come

A picture is read where it is, in its file, which is mapped into memory. What broke off
is requested from there on by the next attempt, in this run or another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crawler.engine.record_builder import announced_size
from crawler.extract.images.formats import FORMATS
from crawler.extract.sniff import image_type
from crawler.extract.unread import is_read, media_type_of
from crawler.fetch.conditional import resumable
from crawler.model.crawl import Lease, Skip
from crawler.model.errors import TooLarge
from crawler.model.http import BodySink, PartialResponse, Response
from crawler.output.partials import HashedBody, PartialFiles, mapped
from crawler.policy.scope import is_named_sitemap

if TYPE_CHECKING:
    from crawler.engine.images.limits import ImageLimits
    from crawler.output.bodies import Saves


def readable(response: Response) -> Response:
    """A response that was streamed, with all the bytes of a picture, in its file."""
    sink = response.streamed
    if sink is None or sink.path is None or image_type(response.body) is None:
        return response
    return replace(response, body=mapped(sink.path))


class LargeBodies:
    """Decides about the large bodies of one crawl.

    `saves` chooses the bodies that are kept, by media type. `partials`: where bodies
    are streamed to; None: all stay in memory. `max_body`: as in `[http]` (bytes).
    `limits`: what images have to be; None: any are kept.
    """

    def __init__(
        self,
        saves: Saves | None,
        partials: PartialFiles | None,
        max_body: int,
        limits: ImageLimits | None = None,
    ) -> None:
        self._limits = limits
        self._saves = saves
        self._partials = partials
        self._max_body = max_body

    def wants(
        self,
        lease: Lease,
        content_types: list[str],
        start: bytes,
        size: int | None,
    ) -> bool | None:
        """Whether a large body has to be downloaded whole: it is read, or saved.

        `size`: bytes, as declared. None: more of an image is needed to decide.
        """
        media_type = media_type_of(content_types, start)
        if self._limits is not None and media_type in FORMATS:
            return self._limits.wants(media_type, start, size)
        return self._is_saved(media_type) or self._is_read(lease, media_type, start)

    def refusal(self, response: Response) -> Skip | None:
        """Why an image was left unread; None: it is none, or was read."""
        if self._limits is None or response.truncated != "unread":
            return None
        media_type = media_type_of(response.values("content-type"), response.body)
        if media_type not in FORMATS:
            return None
        plain = response.content_encoding is None
        size = announced_size(response) if plain else None
        return self._limits.refusal(media_type, response.body, size)

    def open_sink(self, lease: Lease, response: Response) -> BodySink | None:
        """Where a large body goes; None: it stays in memory.

        Raises TooLarge if its announced size is beyond the limit.
        """
        if self._partials is None or response.status != 200:
            return None
        start = response.body
        media_type = media_type_of(response.values("content-type"), start)
        is_picture = media_type in FORMATS
        if not is_picture and self._is_read(lease, media_type, start):
            return None
        if (announced_size(response) or 0) > self._max_body:
            raise TooLarge(f"larger than http.max_body, {self._max_body} bytes")
        if is_picture or self._is_saved(media_type):
            return self._partials.open(lease.url_id, resumable(response))
        return HashedBody()

    def resume(self, lease: Lease) -> PartialResponse | None:
        """What an earlier attempt has brought of the body; None: nothing of use."""
        if self._partials is None:
            return None
        return self._partials.resume(lease.url_id, lease.url)

    def discard(self, url_ids: Iterable[int]) -> None:
        """These URLs have their records."""
        if self._partials is not None:
            self._partials.discard_all(url_ids)

    def close(self) -> None:
        """Close the files. Those that are not complete are left to the next run."""
        if self._partials is not None:
            self._partials.close()

    def _is_saved(self, media_type: str) -> bool:
        return self._saves is not None and self._saves(media_type)

    def _is_read(self, lease: Lease, media_type: str, start: bytes) -> bool:
        return is_named_sitemap(lease) or is_read(
            media_type, lease.url, start, lease.destination
        )
