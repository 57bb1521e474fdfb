"""The links and images of a document that is no page, each once, within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from crawler.extract.body import MAX_URL_CHARACTERS
from crawler.model.documents import (
    Alternate,
    ImageLink,
    LeftOut,
    Link,
    LinkKind,
    Page,
    left_out_of,
)
from crawler.model.url import Base, is_too_long

T = TypeVar("T", Link, ImageLink)


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
        if not href or self.full:
            return
        url = self._base.join(href)
        if url is None:
            self._note_no_url(href)
        else:
            self.full = not self._takes(Link(url, kind, hreflang=hreflang), self._links)

    def _takes(self, one: T, found: dict[str, T]) -> bool:
        """Add what is new to those of its kind; whether the limits allow that."""
        if one.url not in found:
            if len(found) >= self._max_links or len(one.url) > self._characters_left:
                self.leave_out("links")
                return False
            self._characters_left -= len(one.url)
            found[one.url] = one
        return True

    def _note_no_url(self, href: str) -> None:
        """The base makes no URL of `href`, as it is written: is that for its length?"""
        if is_too_long(self._base.url, href):
            self.leave_out("links")

    def leave_out(self, kind: LeftOut) -> None:
        """Note that there was more in the document than is here."""
        self._left_out.add(kind)

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
        if not href or not self._has_all_images:
            return
        url = self._base.join(href)
        if url is None:
            self._note_no_url(href)
        else:
            self._has_all_images = self._takes(ImageLink(url, kind), self._images)

    def add_all(self, document: Page) -> None:
        """Collect the links and images of a document that is a part of this one."""
        for link in document.links:
            self.full = not self._takes(link, self._links) or self.full
        for image in document.images:
            has_room = self._takes(image, self._images)
            self._has_all_images = has_room and self._has_all_images
        self._left_out.update(document.left_out)

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
        return left_out_of(self._left_out)
