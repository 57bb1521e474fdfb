"""Links and pictures gathered from a document that is no page, each once, within a
bound."""

from __future__ import annotations

from crawler.model.documents import ImageLink, Link, LinkKind
from crawler.model.url import Base

MOST_CHARACTERS = 8 * 2**20
"""Of all addresses of one document together: a long base makes much of short ones."""


class Links:
    """`limit` is of links, and again of pictures. What is also a picture is no link."""

    def __init__(self, base: Base, limit: int) -> None:
        self._base = base
        self._limit = limit
        self._room = MOST_CHARACTERS
        self._links: dict[str, Link] = {}
        self._images: dict[str, ImageLink] = {}

    @property
    def full(self) -> bool:
        """Whether there are as many links as there may be."""
        return len(self._links) >= self._limit or self._room <= 0

    def add(self, href: str, kind: LinkKind) -> None:
        """Adds the page at `href`, as written; nothing if it leads nowhere."""
        url = self._base.join(href) if href and not self.full else None
        if url is not None and url not in self._links:
            self._room -= len(url)
            self._links[url] = Link(url, kind)

    def add_image(self, href: str, kind: LinkKind) -> None:
        room = len(self._images) < self._limit and self._room > 0
        url = self._base.join(href) if href and room else None
        if url is not None and url not in self._images:
            self._room -= len(url)
            self._images[url] = ImageLink(url, kind)

    @property
    def links(self) -> tuple[Link, ...]:
        return tuple(
            link for url, link in self._links.items() if url not in self._images
        )

    @property
    def images(self) -> tuple[ImageLink, ...]:
        return tuple(self._images.values())
