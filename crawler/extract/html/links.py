"""The links and images of a document that is no page, each once, within bounds."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.extract.body import MAX_URL_CHARACTERS
from crawler.model.documents import Alternate, ImageLink, Link, LinkKind, Page
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
        self._alternates: list[Alternate] = []

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

    def add_translations(self, href: str, others: Iterable[tuple[str, str]]) -> None:
        """Collect what the page at `href` is in other languages, as `File` has it.

        `others`: language and URL of each, as written.
        """
        url = self._base.join(href) if href else None
        if url is None:
            return
        of_page = [Alternate("", url)]
        for hreflang, other in others:
            joined = self._base.join(other) if hreflang and other else None
            if joined is not None:
                of_page.append(Alternate(hreflang, joined))
        self._characters_left -= sum(len(one.url) for one in of_page)
        if self._characters_left > 0:
            self._alternates += of_page

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
    def alternates(self) -> tuple[Alternate, ...]:
        return tuple(self._alternates)

    @property
    def images(self) -> tuple[ImageLink, ...]:
        return tuple(self._images.values())
