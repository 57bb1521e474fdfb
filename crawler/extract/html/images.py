"""The pictures that a page shows or names: in elements, in styles, and waiting for a
script."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Mapping

from crawler.extract.charset import Markup
from crawler.extract.html.srcset import parse_srcset
from crawler.extract.html.tags import any_tag, attributes
from crawler.model.documents import ImageLink, LinkKind
from crawler.model.url import Base

# Where scripts that load pictures late find the address. The names are those of
# lazysizes, lozad, WordPress's and Drupal's plug-ins, and the older jQuery ones.
_LATE = (
    "data-src",
    "data-original",
    "data-lazy-src",
    "data-lazy",
    "data-url",
    "data-hi-res-src",
)
_SETS = (
    "srcset",
    "imagesrcset",
    "data-srcset",
    "data-lazy-srcset",
    "data-original-set",
)
_RARE = frozenset({*_LATE, *_SETS})
_LATE_BACKGROUNDS = (
    "data-bg", "data-background", "data-background-image", "data-bg-src", "data-image",
)  # fmt: skip

_CSS_URL = re.compile(
    r"""url\([\t\n\f\r ]*(?:"([^"\n]*)"|'([^'\n]*)'|([^)"'(\t\n\f\r ]+))[\t\n\f\r ]*\)""",
    re.IGNORECASE,
).finditer
_NO_PICTURE = re.compile(
    r"\.(?:woff2?|ttf|otf|eot|css|js)(?:[?#]|$)", re.IGNORECASE
).search
_PICTURE = re.compile(
    r"\.(?:jpe?g|png|gif|webp|avif|svg|bmp|ico)(?:[?#]|$)", re.IGNORECASE
).search
_DIGITS = re.compile(r"[\t\n\f\r ]*\+?(\d{1,9})").match

_SIGNS = ("url(", "data-bg", "data-background", "data-src", "data-image")
_SIGNS_EXAMINED = 2000
_LONGEST_TAG = 4096
"""Characters; together the two bound the time."""


class Pictures:
    """The pictures found on one page, by their address as written; the first find
    counts.

    At most `limit` of them; whoever adds many at once looks whether it is `full`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.found: dict[str, tuple[LinkKind, str | None, int | None, int | None]] = {}

    @property
    def full(self) -> bool:
        return len(self.found) >= self._limit

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

    # What elements show by their attributes

    def img(self, values: Mapping[str, str]) -> None:
        alt, width, height = _described(values)
        self.add(values.get("src"), "img", alt, width, height)
        if not _RARE.isdisjoint(values):
            self._add_late(values, alt, width, height)
            self._add_sets(values, "srcset", alt)

    def input(self, values: Mapping[str, str]) -> None:
        if values.get("type", "").lower() == "image":
            self.img(values)

    def svg_image(self, values: Mapping[str, str]) -> None:
        self.img(values)
        self.add(
            values.get("href") or values.get("xlink:href"), "img", *_described(values)
        )

    def source(self, values: Mapping[str, str]) -> None:
        self._add_sets(values, "source", values.get("alt"))  # `src` is a film's

    def video(self, values: Mapping[str, str]) -> None:
        self.add(values.get("poster"), "img")

    def _add_late(
        self,
        values: Mapping[str, str],
        alt: str | None,
        width: int | None,
        height: int | None,
    ) -> None:
        for late in _LATE:
            if late in values:
                self.add(values[late].strip(), "img", alt, width, height)

    def _add_sets(
        self, values: Mapping[str, str], kind: LinkKind, alt: str | None
    ) -> None:
        for attribute in _SETS:
            for candidate in parse_srcset(values.get(attribute, "")):
                self.add(candidate.url, kind, alt, candidate.width)

    def add_style(self, css: str) -> None:
        """The pictures of a style sheet or a `style` attribute; fonts and imports are
        none."""
        if "url(" in css or "URL(" in css:
            for found in _CSS_URL(css):
                address = found[1] or found[2] or found[3] or ""
                if not _NO_PICTURE(address):
                    self.add(address.strip(), "css")
                if self.full:
                    return

    def add_late(self, values: Mapping[str, str]) -> None:
        """What an element of any name shows by its style, or once a script has run."""
        self.add_style(values.get("style", ""))
        for attribute in _LATE_BACKGROUNDS + _LATE:
            address = values.get(attribute, "").strip()
            if address and _PICTURE(address):
                self.add(address, "css")

    def absolute(self, base: Base, room: int) -> dict[str, ImageLink]:
        """By URL, in order of appearance, with at most `room` characters in all
        addresses."""
        images: dict[str, ImageLink] = {}
        for src, (kind, alt, width, height) in self.found.items():
            url = base.join(src)
            if url is not None and url not in images:
                room -= len(url)
                if room < 0:
                    break
                images[url] = ImageLink(
                    url, kind, alt and " ".join(alt[:1000].split()), width, height
                )
        return images


ELEMENTS: dict[str, Callable[[Pictures, Mapping[str, str]], None]] = {
    "img": Pictures.img,
    "image": Pictures.svg_image,
    "input": Pictures.input,
    "source": Pictures.source,
    "video": Pictures.video,
}


def shown_in_passing(
    markup: Markup, scripts: list[tuple[int, int]], pictures: Pictures
) -> None:
    """Adds what elements of other names show: `<div style="background: url(...)">`,
    `data-bg`.

    Looked for backwards from the sign, since most pages have none. `scripts` are the
    places of scripts in rising order, in which nothing is an element.
    """
    examined, text = 0, markup.text
    for sign in _SIGNS if "data-" in text else _SIGNS[:1]:
        position = text.find(sign)
        while position >= 0 and examined < _SIGNS_EXAMINED:
            examined += 1
            start = text.rfind("<", max(0, position - _LONGEST_TAG), position)
            found = any_tag(text, start, start + _LONGEST_TAG) if start >= 0 else None
            if (
                found
                and found.end() > position
                and not _is_hidden(text, start, scripts)
            ):
                pictures.add_late(attributes(markup.said(found[1])))
            position = text.find(sign, position + len(sign))


def _is_hidden(text: str, position: int, scripts: list[tuple[int, int]]) -> bool:
    """In a script, or in a comment (of which only the last few thousand characters are
    known)."""
    before = bisect(scripts, (position, position)) - 1
    if before >= 0 and position < scripts[before][1]:
        return True
    furthest = max(0, position - _LONGEST_TAG)
    return text.rfind("<!--", furthest, position) > text.rfind(
        "-->", furthest, position
    )


def dimension(text: str) -> int | None:
    """Pixels of a `width` or `height` attribute; a percentage is none."""
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
