"""The images of a page: in elements, in styles, and in attributes for scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from crawler.extract.html.srcset import parse_srcset
from crawler.model.documents import (
    ImageLink,
    LeftOut,
    LinkKind,
    Picture,
    left_out_of,
)
from crawler.model.regex import compiled
from crawler.model.url import Base, is_too_long

if TYPE_CHECKING:
    from crawler.extract.html.versions import Offer

# What reads attributes and styles is imported when one is met: it takes 10 ms.

_PLAIN_NAMES = """
    src alt width height class id title loading decoding border align usemap ismap
    role style sizes fetchpriority crossorigin referrerpolicy type name value href rel
    target hspace vspace longdesc tabindex lang dir itemprop media poster controls
    preload autoplay loop muted playsinline placeholder hidden xlink:href xmlns
    viewbox checked disabled required autocomplete size maxlength x y
    ping action formaction cite pattern nonce integrity d points transform
"""
PLAIN = frozenset(_PLAIN_NAMES.split())
"""Attributes that hold no picture, or whose pictures are read by their name."""
_META_IMAGES_NAMES = """
    og:image og:image:url og:image:secure_url og:logo twitter:image twitter:image:src
    twitter:image0 twitter:image1 twitter:image2 twitter:image3 image thumbnail
    thumbnailurl thumbnail_url logo msapplication-tileimage
    msapplication-square70x70logo msapplication-square150x150logo
    msapplication-wide310x150logo msapplication-square310x310logo sailthru.image.full
    sailthru.image.thumb sailthru.image parsely-image-url vk:image swiftype:image
    pinterest:media contentimage article:image product:image primaryimageofpage
"""
META_IMAGES = frozenset(_META_IMAGES_NAMES.split())
"""Names, properties and item properties of `<meta>` whose content is an image."""
_ICONS_NAMES = """
    icon apple-touch-icon apple-touch-icon-precomposed apple-touch-startup-image
    mask-icon fluid-icon image_src thumbnail logo
"""
ICONS = frozenset(_ICONS_NAMES.split())
REPRESENTING = frozenset({"image_src", "thumbnail", "logo"})
"""Those that name a picture of the content, as og:image does."""
ITEM_IMAGES = frozenset(
    {"image", "thumbnailurl", "thumbnail", "logo", "photo", "primaryimageofpage"}
)
_DIGITS = compiled(r"[\t\n\f\r ]*\+?(\d{1,9})").match

_SRCSETS = ("srcset", "imagesrcset")
_MAX_CHARACTERS = 2 * 2**20
"""Characters of styles, of JSON and of attributes for scripts that are read of a page.

An attribute counts for _ATTRIBUTE more.
"""
_ATTRIBUTE = 64
MAX_STYLES = 50
"""Style sheets of one page."""


class ImageCollector:
    """The images found on one page, by their URLs as written; the first find counts.

    Also the style sheets, in which there may be more.

    It takes `max_images` at most; a caller that adds many at once checks `full`.
    """

    def __init__(self, max_images: int) -> None:
        self._max_images = max_images
        self._left_out: set[LeftOut] = set()
        self.full = False
        """Whether an image was refused because there are too many."""
        self.styles: dict[str, LinkKind] = {}
        self._characters_left = _MAX_CHARACTERS
        self.found: dict[str, tuple[LinkKind, str | None, int | None, int | None]] = {}
        self.titles: dict[str, str] = {}
        """By URL as written, for `captions.py`; so are the texts of links."""
        self.link_texts: dict[str, str] = {}
        self.offers: list[Offer | str] = []
        """Each `<img>` by its versions, or by its `src` if it has no other."""
        self._sources: Offer | None = None
        """What the `<source>` elements before an `<img>` offer."""

    def leave_out(self, kind: LeftOut) -> None:
        """Note that there was more on the page than is here."""
        self._left_out.add(kind)

    def note_no_url(self, base: Base, href: str) -> None:
        """`base` makes no URL of `href`, as it is written: is that for its length?"""
        if is_too_long(base.url, href):
            self.leave_out("links")

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What a limit has left out."""
        return left_out_of(self._left_out)

    def add(
        self,
        src: str | None,
        kind: LinkKind,
        alt: str | None = None,
        width: int | None = None,
        height: int | None = None,
    ) -> None:
        if not src or src[:5].lower() == "data:" or src[0] == "#":
            return
        if len(self.found) >= self._max_images and src not in self.found:
            self.full = True
            self.leave_out("links")
            return
        new = (kind, alt, width, height)
        if self.found.setdefault(src, new)[0] == "icon":  # a page may show it, too
            self.found[src] = new

    # The images in the attributes of an element

    def img(self, values: Mapping[str, str]) -> None:
        alt, width, height = _described(values)
        src = values.get("src")
        self.add(src, "img", alt, width, height)
        if self._sources is None and PLAIN.issuperset(values):  # most often
            self.offers.append(src or "")
            if "title" in values:
                self.titles.setdefault(src or "", values["title"])
        else:
            offer = self._next_offer(src)
            self._add_srcsets(values, "srcset", alt, offer)
            self._add_lazy(values, "img", (alt, width, height), offer)
            if "title" in values:
                for url in offer.versions:
                    self.titles.setdefault(url, values["title"])
        if "style" in values:
            self.add_style(values["style"])

    def _next_offer(self, src: str | None) -> Offer:
        """The versions of an `<img>`: those of the `<source>` elements before it."""
        from crawler.extract.html.versions import SRC, Offer

        offer, self._sources = self._sources or Offer(), None
        if src:
            offer.add(src, SRC)
        self.offers.append(offer)
        return offer

    def input(self, values: Mapping[str, str]) -> None:
        if values.get("type", "").lower() == "image":
            self.img(values)
        elif not PLAIN.issuperset(values) or "style" in values:
            self.any_element("input", values)

    def svg_image(self, values: Mapping[str, str]) -> None:
        self.img(values)
        self.add(
            values.get("href") or values.get("xlink:href"), "img", *_described(values)
        )

    def source(self, values: Mapping[str, str]) -> None:
        if "srcset" in values:  # `src` is a video's
            from crawler.extract.html.versions import Offer

            self._sources = self._sources or Offer()
            self._add_srcsets(values, "source", values.get("alt"), self._sources)
        if not PLAIN.issuperset(values):
            self._add_lazy(values, "source")

    def video(self, values: Mapping[str, str]) -> None:
        self.add(values.get("poster"), "img")
        self.any_element("video", values)

    def preload(self, href: str, values: Mapping[str, str]) -> None:
        """A `<link>` that has an image loaded: its `href` and `imagesrcset`."""
        self.add(href, "img")
        self._add_srcsets(values, "srcset", None)

    def any_element(self, name: str, values: Mapping[str, str]) -> None:
        """Add what an element of any name shows by its style or by other attributes.

        What is named by an attribute counts only if it is the address of a picture by
        its form, or by the attribute's name: other elements use such attributes for
        other things too.
        """
        if "style" in values:
            self.add_style(values["style"])
        if name in _OTHER_ELEMENTS or "-" in name:
            self._add_embedded(name, values)
        if not PLAIN.issuperset(values):
            self._add_lazy(values, "lazy")

    def _add_embedded(self, name: str, values: Mapping[str, str]) -> None:
        """The image that an element embeds which is no `<img>`."""
        from crawler.extract.html.lazy import embedded

        url = embedded(name, values)
        if url is not None:
            self.add(url, "img", *_described(values))
        if "video" in name:
            self.add(values.get("poster"), "img")
        if "img" in name or "image" in name:
            self._add_srcsets(values, "srcset", values.get("alt"))

    def _add_lazy(
        self,
        values: Mapping[str, str],
        kind: LinkKind,
        described: tuple[str | None, int | None, int | None] = (None, None, None),
        offer: Offer | None = None,
    ) -> None:
        from crawler.extract.html.lazy import LISTS, SOURCES, pictures
        from crawler.extract.html.versions import rank_of_attribute

        for name, value in reversed(tuple(values.items())):  # as written
            if name in PLAIN or name in _SRCSETS or not value:
                continue
            if not self._may_read(len(value) + _ATTRIBUTE):
                return
            known = kind if kind != "lazy" or name not in SOURCES else "css"
            for one in pictures(name, value, values, self.leave_out, img=kind == "img"):
                if name in LISTS:
                    named: LinkKind = "srcset" if kind == "img" else known
                    self.add(one.url, named, None, one.width)
                    if offer is not None:
                        offer.add_candidate(one)
                else:
                    self.add(one.url, known, *described)
                    if offer is not None:
                        offer.add(one.url, rank_of_attribute(name))

    def _add_srcsets(
        self,
        values: Mapping[str, str],
        kind: LinkKind,
        alt: str | None,
        offer: Offer | None = None,
    ) -> None:
        for attribute in _SRCSETS:
            for candidate in parse_srcset(values.get(attribute, ""), self.leave_out):
                self.add(candidate.url, kind, alt, candidate.width)
                if offer is not None:
                    offer.add_candidate(candidate)
                    if kind == "source" and "type" in values:
                        offer.formats.setdefault(candidate.url, values["type"].lower())
        if offer is not None and "sizes" in values:
            offer.sizes = offer.sizes or values["sizes"]

    def add_style(self, css: str) -> None:
        """Add the images of a style sheet or a `style` attribute, but no fonts."""
        left = max(0, self._characters_left)
        if not self._may_read(len(css)):
            css = css[:left]
        if "(" not in css and "import" not in css:
            return
        from crawler.extract.css.urls import css_urls_of, is_shown

        for found in css_urls_of(css):
            if is_shown(found):
                self.add(found.url, "css")
            elif found.property == "@import":
                self.add_style_sheet(found.url, "css_import")
            if self.full:
                return

    def _may_read(self, characters: int) -> bool:
        """Whether so many more are within the limit, against which they count."""
        self._characters_left -= characters
        if self._characters_left < 0:
            self.leave_out("markup")
        return self._characters_left >= 0

    def add_style_sheet(self, href: str, kind: LinkKind) -> None:
        """Add a style sheet that the page links or imports."""
        if href[:5].lower() == "data:":
            return
        if len(self.styles) < MAX_STYLES:
            self.styles.setdefault(href.strip(), kind)
        elif href.strip() not in self.styles:
            self.leave_out("links")

    def add_json(self, text: str) -> None:
        """Add the images that the JSON, or the source, of a script names."""
        if not self._may_read(len(text)):
            return
        from crawler.extract.json_pictures import json_pictures

        self._add_all(json_pictures(text, self.leave_out), "json")

    def add_json_ld(self, text: str, document: Any) -> None:
        """Add the images that JSON-LD names; `document` is None where it is no JSON."""
        if not self._may_read(len(text)):
            return
        from crawler.extract.json_pictures import json_ld_pictures

        found = json_ld_pictures(text, document, self.leave_out)
        self._add_all(found, "json_ld")

    def _add_all(self, found: Iterable[str], kind: LinkKind) -> None:
        for url in found:
            self.add(url, kind)
            if self.full:
                return

    def link_to(self, href: str, text: str | None) -> None:
        """The last `<img>` is the thumbnail of the picture at `href`.

        `text`: that of the link.
        """
        from crawler.extract.addresses import is_picture
        from crawler.extract.html.versions import LINKED, SRC, Offer

        if not is_picture(href):
            return
        offer = self.offers[-1]
        if isinstance(offer, str):
            src, offer = offer, Offer()
            if src:
                offer.add(src, SRC)
            self.offers[-1] = offer
        if text:
            for url in offer.versions:
                self.link_texts.setdefault(url, text)
        offer.add(href, LINKED)

    def is_described(self, text: str) -> bool:
        """Whether the document says more of an image than `alt` does."""
        captions = "<figcaption" in text or "<FIGCAPTION" in text
        return captions or bool(self.titles or self.link_texts)

    def pictures(self, base: Base, images: dict[str, ImageLink]) -> tuple[Picture, ...]:
        """Which images are versions of one picture; `images` get the number of it."""
        if all(isinstance(offer, str) for offer in self.offers):
            return ()
        from crawler.extract.html.versions import pictures_of

        found = pictures_of(self.offers, base.join)
        for number, picture in enumerate(found):
            for url in picture.versions:
                image = images.get(url)
                if image and image.group is None and len(picture.versions) > 1:
                    images[url] = replace(image, group=number)
        return found

    def absolute(self, base: Base, max_characters: int) -> dict[str, ImageLink]:
        """The images by their absolute URLs, in document order.

        It stops where the URLs together would exceed `max_characters`.
        """
        images: dict[str, ImageLink] = {}
        for src, (kind, alt, width, height) in self.found.items():
            url = base.join(src)
            if url is None:
                self.note_no_url(base, src)
            elif url not in images:
                max_characters -= len(url)
                if max_characters < 0:
                    self.leave_out("links")
                    break
                images[url] = ImageLink(
                    url, kind, alt and " ".join(alt[:1000].split()), width, height
                )
        return images


_OTHER_ELEMENTS = frozenset({"object", "embed", "use", "feimage"})

ELEMENTS: dict[str, Callable[[ImageCollector, Mapping[str, str]], None]] = {
    "img": ImageCollector.img,
    "image": ImageCollector.svg_image,
    "input": ImageCollector.input,
    "source": ImageCollector.source,
    "video": ImageCollector.video,
}


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
