"""The links and images of a document that is no page, each once, within bounds."""

from __future__ import annotations

from crawler.extract.body import MAX_URL_CHARACTERS
from crawler.model.documents import ImageLink, Link, LinkKind, Page
from crawler.model.url import Base


class LinkCollector:
    """Joins URLs with `base` and collects them, `max_links` links and as many images.

    A URL may be both: what it is, only its bytes can tell.
    """

    def __init__(self, base: Base, max_links: int) -> None:
        self._base = base
        self._max_links = max_links
        self._characters_left = MAX_URL_CHARACTERS
        self._links: dict[str, Link] = {}
        self._images: dict[str, ImageLink] = {}

    @property
    def full(self) -> bool:
        """Whether no further link is collected."""
        return len(self._links) >= self._max_links or self._characters_left <= 0

    def add(self, href: str, kind: LinkKind, hreflang: str | None = None) -> None:
        """Collect the page at `href`, which is as written; ignored if no URL."""
        url = self._base.join(href) if href and not self.full else None
        if url is not None and url not in self._links:
            self._characters_left -= len(url)
            self._links[url] = Link(url, kind, hreflang=hreflang)

    def add_image(self, href: str, kind: LinkKind) -> None:
        """Collect the image at `href`, which is as written; ignored if no URL."""
        full = len(self._images) >= self._max_links or self._characters_left <= 0
        url = self._base.join(href) if href and not full else None
        if url is not None and url not in self._images:
            self._characters_left -= len(url)
            self._images[url] = ImageLink(url, kind)

    def add_all(self, document: Page) -> None:
        """Collect the links and images of a document that is a part of this one."""
        for link in document.links:
            if not self.full and link.url not in self._links:
                self._characters_left -= len(link.url)
                self._links[link.url] = link
        for image in document.images[: self._max_links - len(self._images)]:
            if self._characters_left > 0 and image.url not in self._images:
                self._characters_left -= len(image.url)
                self._images[image.url] = image

    @property
    def links(self) -> tuple[Link, ...]:
        return tuple(self._links.values())

    @property
    def images(self) -> tuple[ImageLink, ...]:
        return tuple(self._images.values())
