"""The links and images of a document that is no page, each once, within bounds."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.extract.body import MAX_URL_CHARACTERS
from crawler.model.documents import (
    Alternate,
    ImageLink,
    LeftOut,
    Link,
    LinkKind,
    Page,
)
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
        self._left_out: set[LeftOut] = set()
        self.full = False
        """Whether a link was left out, as all further ones will be."""
        self._has_all_images = True

    def add(self, href: str, kind: LinkKind, hreflang: str | None = None) -> None:
        """Collect the page at `href`, which is as written; ignored if no URL."""
        url = self._base.join(href) if href and not self.full else None
        if url is not None:
            self._add_link(Link(url, kind, hreflang=hreflang))

    def _add_link(self, link: Link) -> None:
        if link.url not in self._links:
            if self._has_room(link.url, len(self._links)):
                self._links[link.url] = link
            else:
                self.full = True

    def _add_image(self, image: ImageLink) -> None:
        if image.url not in self._images:
            if self._has_room(image.url, len(self._images)):
                self._images[image.url] = image
            else:
                self._has_all_images = False

    def _has_room(self, url: str, number: int) -> bool:
        """Whether `url` is within the limits, beside `number` others of its kind."""
        if number < self._max_links and self._characters_left >= len(url):
            self._characters_left -= len(url)
            return True
        self.leave_out("links")
        return False

    def leave_out(self, *kinds: LeftOut) -> None:
        """Note that there was more in the document than is here."""
        self._left_out.update(kinds)

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
        characters = sum(len(one.url) for one in of_page)
        if characters <= self._characters_left:
            self._characters_left -= characters
            self._alternates += of_page
        else:
            self.leave_out("links")

    def add_image(self, href: str, kind: LinkKind) -> None:
        """Collect the image at `href`, which is as written; ignored if no URL."""
        url = self._base.join(href) if href and self._has_all_images else None
        if url is not None:
            self._add_image(ImageLink(url, kind))

    def add_all(self, document: Page) -> None:
        """Collect the links and images of a document that is a part of this one."""
        for link in document.links:
            self._add_link(link)
        for image in document.images:
            self._add_image(image)
        self.leave_out(*document.left_out)

    @property
    def links(self) -> tuple[Link, ...]:
        return tuple(self._links.values())

    @property
    def alternates(self) -> tuple[Alternate, ...]:
        return tuple(self._alternates)

    @property
    def images(self) -> tuple[ImageLink, ...]:
        return tuple(self._images.values())

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What a limit has left out."""
        return tuple(sorted(self._left_out))
