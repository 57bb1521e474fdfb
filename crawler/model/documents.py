"""What a body says: documents of three kinds, and the links that they hold."""

from __future__ import annotations

from msgspec import Struct

from crawler.model.crawl import LinkKind


class Link(Struct, frozen=True):
    """A hyperlink of a page, absolute and canonical."""

    url: str
    kind: LinkKind
    text: str | None = None
    rel: str | None = None
    nofollow: bool = False


class ImageLink(Struct, frozen=True):
    """A picture that a page shows or names, absolute and canonical."""

    url: str
    kind: LinkKind
    alt: str | None = None
    width: int | None = None
    height: int | None = None


class Page(Struct, frozen=True):
    """What an HTML document says."""

    content_type: str
    charset: str
    links: tuple[Link, ...] = ()
    images: tuple[ImageLink, ...] = ()
    title: str | None = None
    description: str | None = None
    canonical_url: str | None = None
    lang: str | None = None
    robots_meta: str | None = None
    """Directives of `<meta name=robots>`, as written, several joined by ", "."""


class Image(Struct, frozen=True):
    """What the bytes of a picture say. `frames` is 1 for a still image."""

    content_type: str
    format: str
    width: int | None
    height: int | None
    frames: int | None = None


class File(Struct, frozen=True):
    """A body that is neither HTML nor an image; sitemaps and feeds name pages and
    images."""

    content_type: str
    charset: str | None = None
    links: tuple[Link, ...] = ()
    images: tuple[ImageLink, ...] = ()
