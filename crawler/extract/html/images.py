"""The images of a page: in elements, in styles, and in lazy-loading attributes."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Mapping

from crawler.extract.charset import Markup
from crawler.extract.html.srcset import parse_srcset
from crawler.extract.html.tags import any_tag, attributes
from crawler.model.documents import ImageLink, LinkKind
from crawler.model.url import Base

# Where scripts that load images late find the URL. The names are those of lazysizes,
# lozad, WordPress's and Drupal's plug-ins, and the older jQuery ones.
_LAZY_ATTRIBUTES = (
    "data-src",
    "data-original",
    "data-lazy-src",
    "data-lazy",
    "data-url",
    "data-hi-res-src",
)
_SRCSET_ATTRIBUTES = (
    "srcset",
    "imagesrcset",
    "data-srcset",
    "data-lazy-srcset",
    "data-original-set",
)
_RARE_ATTRIBUTES = frozenset({*_LAZY_ATTRIBUTES, *_SRCSET_ATTRIBUTES})
_LAZY_BACKGROUNDS = (
    "data-bg", "data-background", "data-background-image", "data-bg-src", "data-image",
)  # fmt: skip

_CSS_URL = re.compile(
    r"""url\([\t\n\f\r ]*"""
    r"""(?:"([^"\n]*)"|'([^'\n]*)'|([^)"'(\t\n\f\r ]+))[\t\n\f\r ]*\)""",
    re.IGNORECASE,
).finditer
_OTHER_SUFFIX = re.compile(
    r"\.(?:woff2?|ttf|otf|eot|css|js)(?:[?#]|$)", re.IGNORECASE
).search
_IMAGE_SUFFIX = re.compile(
    r"\.(?:jpe?g|png|gif|webp|avif|svg|bmp|ico)(?:[?#]|$)", re.IGNORECASE
).search
_DIGITS = re.compile(r"[\t\n\f\r ]*\+?(\d{1,9})").match

_STYLE_MARKS = ("url(", "data-bg", "data-background", "data-src", "data-image")
_MAX_MARKS = 2000
_MAX_TAG = 4096
"""Characters of a tag; together with _MAX_MARKS a bound on the time."""


class ImageCollector:
    """The images found on one page, by their URLs as written; the first find counts.

    It takes `max_images` at most; a caller that adds many at once checks `full`.
    """

    def __init__(self, max_images: int) -> None:
        self._max_images = max_images
        self.found: dict[str, tuple[LinkKind, str | None, int | None, int | None]] = {}

    @property
    def full(self) -> bool:
        return len(self.found) >= self._max_images

    def add(
        self,
        src: str | None,
        kind: LinkKind,
        alt: str | None = None,
        width: int | None = None,
        height: int | None = None,
    ) -> None:
        if src and src[:5].lower() != "data:" and src[0] != "#" and not self.full:
            self.found.setdefault(src, (kind, alt, width, height))

    # The images in the attributes of an element

    def img(self, values: Mapping[str, str]) -> None:
        alt, width, height = _described(values)
        self.add(values.get("src"), "img", alt, width, height)
        if not _RARE_ATTRIBUTES.isdisjoint(values):
            self._add_lazy(values, alt, width, height)
            self._add_srcsets(values, "srcset", alt)

    def input(self, values: Mapping[str, str]) -> None:
        if values.get("type", "").lower() == "image":
            self.img(values)

    def svg_image(self, values: Mapping[str, str]) -> None:
        self.img(values)
        self.add(
            values.get("href") or values.get("xlink:href"), "img", *_described(values)
        )

    def source(self, values: Mapping[str, str]) -> None:
        self._add_srcsets(values, "source", values.get("alt"))  # `src` is a video's

    def video(self, values: Mapping[str, str]) -> None:
        self.add(values.get("poster"), "img")

    def _add_lazy(
        self,
        values: Mapping[str, str],
        alt: str | None,
        width: int | None,
        height: int | None,
    ) -> None:
        for attribute in _LAZY_ATTRIBUTES:
            if attribute in values:
                self.add(values[attribute].strip(), "img", alt, width, height)

    def _add_srcsets(
        self, values: Mapping[str, str], kind: LinkKind, alt: str | None
    ) -> None:
        for attribute in _SRCSET_ATTRIBUTES:
            for candidate in parse_srcset(values.get(attribute, "")):
                self.add(candidate.url, kind, alt, candidate.width)

    def add_style(self, css: str) -> None:
        """Add the images of a style sheet or a `style` attribute, but no fonts.

        Imports are skipped as well.
        """
        if "url(" in css or "URL(" in css:
            for found in _CSS_URL(css):
                url = found[1] or found[2] or found[3] or ""
                if not _OTHER_SUFFIX(url):
                    self.add(url.strip(), "css")
                if self.full:
                    return

    def add_style_and_lazy(self, values: Mapping[str, str]) -> None:
        """Add what an element of any name shows by its style or by lazy attributes.

        The latter count only if the URL ends as an image does: elements other than
        `<img>` use them for other things too.
        """
        self.add_style(values.get("style", ""))
        for attribute in _LAZY_BACKGROUNDS + _LAZY_ATTRIBUTES:
            url = values.get(attribute, "").strip()
            if url and _IMAGE_SUFFIX(url):
                self.add(url, "css")

    def absolute(self, base: Base, max_characters: int) -> dict[str, ImageLink]:
        """The images by their absolute URLs, in document order.

        It stops where the URLs together would exceed `max_characters`.
        """
        images: dict[str, ImageLink] = {}
        for src, (kind, alt, width, height) in self.found.items():
            url = base.join(src)
            if url is not None and url not in images:
                max_characters -= len(url)
                if max_characters < 0:
                    break
                images[url] = ImageLink(
                    url, kind, alt and " ".join(alt[:1000].split()), width, height
                )
        return images


ELEMENTS: dict[str, Callable[[ImageCollector, Mapping[str, str]], None]] = {
    "img": ImageCollector.img,
    "image": ImageCollector.svg_image,
    "input": ImageCollector.input,
    "source": ImageCollector.source,
    "video": ImageCollector.video,
}


def inline_style_images(
    markup: Markup, scripts: list[tuple[int, int]], images: ImageCollector
) -> None:
    """Add the images of elements that `start_tags` does not yield.

    Examples are `<div style="background: url(...)">` and `<p data-bg="...">`.

    Most pages have none, so that such tags are not parsed one by one: a mark is
    searched for, and from there the start of its tag, backwards. `scripts` are the
    ranges of scripts in rising order; a mark in one is ignored.
    """
    examined, text = 0, markup.text
    for mark in _STYLE_MARKS if "data-" in text else _STYLE_MARKS[:1]:
        position = text.find(mark)
        while position >= 0 and examined < _MAX_MARKS:
            examined += 1
            start = text.rfind("<", max(0, position - _MAX_TAG), position)
            found = any_tag(text, start, start + _MAX_TAG) if start >= 0 else None
            if (
                found
                and found.end() > position
                and not _is_hidden(text, start, scripts)
            ):
                images.add_style_and_lazy(attributes(markup.decode(found[1])))
            position = text.find(mark, position + len(mark))


def _is_hidden(text: str, position: int, scripts: list[tuple[int, int]]) -> bool:
    """Whether `position` is in a script or a comment.

    A comment counts if it began at most _MAX_TAG characters before.
    """
    before = bisect(scripts, (position, position)) - 1
    if before >= 0 and position < scripts[before][1]:
        return True
    furthest = max(0, position - _MAX_TAG)
    return text.rfind("<!--", furthest, position) > text.rfind(
        "-->", furthest, position
    )


def dimension(text: str) -> int | None:
    """Pixels of a `width` or `height` attribute; None for a percentage."""
    found = None if "%" in text else _DIGITS(text)
    return int(found[1]) if found else None


def _described(values: Mapping[str, str]) -> tuple[str | None, int | None, int | None]:
    """alt, width and height."""
    width, height = values.get("width"), values.get("height")
    return (
        values.get("alt"),
        dimension(width) if width else None,
        dimension(height) if height else None,
    )
