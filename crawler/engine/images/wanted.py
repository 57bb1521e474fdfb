"""What some crawls want of the images of a document before they are queued.

The place of an image in its document, if names are made of it; and a refusal of those
that are too narrow by their own `srcset`, so that they are not requested.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from crawler.engine.images.versions import declared_width
from crawler.model.content_config import ImagesConfig
from crawler.model.crawl import Discovered, ImageContext
from crawler.model.documents import ImageLink
from crawler.policy.kept_images import check_sides

MAX_TITLE = 200
"""Characters of a title that are kept for names."""


class ImagePlaces:
    """Adds them to the finds of one crawl."""

    def __init__(self, config: ImagesConfig) -> None:
        self._config = config
        self._in_names = config.are_named_by_page

    def added(
        self, found: list[Discovered], images: Iterable[ImageLink], title: str | None
    ) -> list[Discovered]:
        """`found` of the `images` of a document with this title."""
        known: dict[str, tuple[int, ImageLink]] = {}
        for index, image in enumerate(images, 1):
            known.setdefault(image.url, (index, image))
        return [self._added(one, *known[one.url], title) for one in found]

    def _added(
        self, one: Discovered, index: int, image: ImageLink, title: str | None
    ) -> Discovered:
        width = declared_width(image)
        if one.skip is None and width is not None and self._config.min_width > width:
            one = replace(one, skip=check_sides(self._config, width, None))
        if self._in_names:
            context = one.context or ImageContext()
            title = title and title[:MAX_TITLE]
            one = replace(one, context=replace(context, page_title=title, index=index))
        return one
