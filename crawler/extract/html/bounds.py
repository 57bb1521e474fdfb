"""What holds of every Page that the reader makes: its kinds, its URLs, its sizes.

A Page may come from a process that has read untrusted bytes, and that they may have
taken over. Such a page is checked before anything is done with it. So it can say what
a page of that address could say as well, and no more: a kind that no link of a page
has would pass checks for which the kind counts (`policy/scope.py`), and a URL that is
not canonical would be another one to the checks than to the server.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from webencodings import lookup

from crawler.extract.body import MAX_URL_CHARACTERS
from crawler.extract.html.declarations import MAX_ROBOTS, MAX_TEXT
from crawler.extract.html.images import MAX_STYLES
from crawler.extract.json_ld import is_storable
from crawler.model.documents import NOTHING, Declared, ImageLink, LinkKind, Page
from crawler.model.url import canonical

_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_LINKS: frozenset[LinkKind] = frozenset({
    "a", "iframe", "meta_refresh", "link_canonical", "link_next", "link_alternate",
    "feed",
})  # fmt: skip
_IMAGES: frozenset[LinkKind] = frozenset({
    "a", "img", "srcset", "source", "css", "icon", "lazy", "json", "json_ld", "og",
})  # fmt: skip
_STYLES: frozenset[LinkKind] = frozenset({"stylesheet", "css_import"})
_MAX_PIXELS = 10**9
_MAX_ROBOTS = MAX_ROBOTS * (MAX_TEXT + 2)
_MAX_CACHED = 1024
"""Characters of a URL that is remembered as canonical."""


def check_page(page: Page, max_links: int) -> None:
    """Raises ValueError if the reader makes no such page.

    `max_links` is what the reader is given.
    """
    links, images, styles = page.links, page.images, page.styles
    if page.content_type not in _TYPES or lookup(page.charset) is None:
        raise ValueError("another type than that of a page")
    if (
        len(links) > max_links
        or len(images) > 2 * max_links
        or len(styles) > max(max_links, MAX_STYLES)
    ):
        raise ValueError("more links than there may be")
    if not (
        _LINKS.issuperset([one.kind for one in links])
        and _IMAGES.issuperset([one.kind for one in images])
        and _STYLES.issuperset([one.kind for one in styles])
    ):
        raise ValueError("links of another kind")
    urls = [link.url for link in links] + [image.url for image in images]
    if sum(map(len, urls)) > MAX_URL_CHARACTERS:
        raise ValueError("longer links than there may be")
    _check_urls(urls)
    _check_urls([one.url for one in styles])
    _check_urls(filter(None, (page.canonical_url,)))
    for link in (*links, *styles):
        if link.text is not None or link.rel is not None or link.hreflang is not None:
            _check_texts((link.text, link.rel, link.hreflang))
    _check_texts((page.title, page.description, page.lang))
    _check_texts((page.robots_meta,), _MAX_ROBOTS)
    _check_images(images, page)
    if page.declared is not NOTHING:
        _check_declared(page.declared)


def _check_images(images: tuple[ImageLink, ...], page: Page) -> None:
    pictures = len(page.pictures)
    for image in images:
        _check_texts((image.alt, image.title, image.caption, image.link_text))
        _check_number(image.width, _MAX_PIXELS)
        _check_number(image.height, _MAX_PIXELS)
        _check_number(image.group, pictures)
    for picture in page.pictures:
        _check_number(picture.shown, len(picture.versions))
        _check_urls(picture.versions)


def _check_declared(declared: Declared) -> None:
    _check_texts((
        declared.og_type, declared.og_site_name, declared.author,
        declared.published, declared.modified,
        *declared.jsonld_types, *declared.breadcrumbs,
        *[one.hreflang for one in declared.alternates],
    ))  # fmt: skip
    _check_urls(declared.feeds)
    _check_urls([one.url for one in declared.alternates])
    _check_urls(filter(None, (declared.amp_url,)))
    if not all(map(is_storable, declared.jsonld)):
        raise ValueError("JSON-LD that is too deep")


def _check_texts(texts: Iterable[str | None], longest: int = MAX_TEXT) -> None:
    for text in texts:
        if text is not None and len(text) > longest:
            raise ValueError("a longer text than there may be")


def _check_number(number: int | None, end: int) -> None:
    if number is not None and not 0 <= number < end:
        raise ValueError(f"{number}, which is not below {end}")


def _check_urls(urls: Iterable[str]) -> None:
    for url in urls:
        if not (
            _is_canonical(url) if len(url) <= _MAX_CACHED else canonical(url) == url
        ):
            raise ValueError(f"{url[:200]!r}, which is no canonical URL")


@lru_cache(maxsize=16_384)
def _is_canonical(url: str) -> bool:
    return canonical(url) == url
