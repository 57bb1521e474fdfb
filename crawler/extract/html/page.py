"""The content of an HTML document: links, images, and the declarations in its head.

URLs are collected as written, each once, and made absolute at the end, when the one
`<base href>` that counts is known. A URL that is both a link and an image is in both
lists: what it is, only its bytes can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from html import unescape

from crawler.extract.body import MAX_URL_CHARACTERS
from crawler.extract.charset import Markup, markup
from crawler.extract.html.declarations import NAMES, Declarations, short
from crawler.extract.html.images import ELEMENTS, ImageCollector
from crawler.extract.html.tags import attributes, start_tags
from crawler.model.documents import ImageLink, Link, LinkKind, Page
from crawler.model.url import Base, host_key

_MAX_TEXT = 1000
"""Characters of a title, a link's text and the like; the rest is cut off."""

_REFRESH = re.compile(
    r"[\t\n\f\r ]*+(?:\d++|(?=\.))[\d.]*+"
    r"(?:[\t\n\f\r ]*+[;,][\t\n\f\r ]*+|[\t\n\f\r ]++)"
    r"(?:url[\t\n\f\r ]*+=[\t\n\f\r ]*+)?+"
    r"""(?:"([^"]*+)|'([^']*+)|(.*+))""",
    re.IGNORECASE | re.DOTALL,
).match
_LINK_END = re.compile(r"</?[aA][\t\n\f\r />]").search
_MARKUP = re.compile(r"<[^>]*>")
_FEEDS = frozenset(
    {"application/rss+xml", "application/atom+xml", "application/feed+json"}
)
_PAGES = frozenset({"", "text/html", "application/xhtml+xml"})
_META_IMAGES_NAMES = """
    og:image og:image:url og:image:secure_url og:logo twitter:image twitter:image:src
    twitter:image0 twitter:image1 twitter:image2 twitter:image3 image thumbnail
    thumbnailurl thumbnail_url logo msapplication-tileimage
    msapplication-square70x70logo msapplication-square150x150logo
    msapplication-wide310x150logo msapplication-square310x310logo sailthru.image.full
    sailthru.image.thumb sailthru.image parsely-image-url vk:image swiftype:image
    pinterest:media contentimage article:image product:image primaryimageofpage
"""
_META_IMAGES = frozenset(_META_IMAGES_NAMES.split())
"""Names, properties and item properties of `<meta>` whose content is an image."""
_ICONS_NAMES = """
    icon apple-touch-icon apple-touch-icon-precomposed apple-touch-startup-image
    mask-icon fluid-icon image_src thumbnail logo
"""
_ICONS = frozenset(_ICONS_NAMES.split())
_PRELOADS = frozenset({"preload", "prefetch"})
_ITEM_IMAGES = frozenset(
    {"image", "thumbnailurl", "thumbnail", "logo", "photo", "primaryimageofpage"}
)
_PICTURE_FILES = tuple(
    ending
    for name in ("jpg", "jpeg", "png", "gif", "webp", "avif", "bmp", "svg")
    for ending in (f".{name}", f".{name.upper()}")
)
_JSON_TYPE = re.compile(
    r"""[\t\n\f\r ]type[\t\n\f\r ]*=[\t\n\f\r ]*["']?(?:application|text)/"""
    r"(ld\+|[\w.-]+\+)?json",
    re.IGNORECASE,
).search
_STATE = re.compile(
    r"\s*+(?:(?:<!--|//|/\*)[^\n]*+\s*+)?+"
    r"(?:(?:window|self|globalThis)[.\[]|(?:var|let|const)\s|\(?self\.__next_f)"
).match
"""Scripts that begin with an assignment, as those do that hold a page's state."""
_MIN_SCRIPT = 12
_MAX_SCRIPT = 2**20
"""Characters of a script that are read."""


def read_page(
    markup: Markup,
    url: str,
    content_type: str,
    max_links: int,
    *,
    with_text: bool = False,
    xml: bool = False,
) -> Page:
    """The Page in `markup`, whose URL is `url`.

    Links and images together are at most `max_links`; the rest of the document is not
    read. `with_text` requests the links' texts. `xml`: the document is XHTML.
    """
    document = _Document(markup, with_text, max_links)
    document.read(xml=xml)
    return document.page(url, content_type)


def read_elements(
    elements: Iterable[tuple[str, Mapping[str, str]]], url: str, max_links: int
) -> Page:
    """The Page of `<link>` and `<meta>` elements that come in a header, not in markup.

    Each is given by its name and its attributes.
    """
    document = _Document(markup(b"", "utf-8", 0), with_text=False, max_links=max_links)
    for name, values in elements:
        _TAGS[name](document, values, 0)
    return document.page(url, "")


class _Document:
    """What was found in one document so far, as written."""

    def __init__(self, markup: Markup, with_text: bool, max_links: int) -> None:
        self.text, self.charset, self.decode, self.charset_source = markup
        self._markup = markup
        self.with_text = with_text
        self.max_links = max_links
        self.links: dict[str, tuple[LinkKind, str | None, int]] = {}
        self.images = ImageCollector(max_links)
        self.base: str | None = None
        self.lang: str | None = None
        self.declared = Declarations()
        self.robots: list[str] = []
        self._nested = False
        self._behind_thumbnails: dict[str, None] = {}

    def read(self, *, xml: bool) -> None:
        """Read the start tags of the text, as far as the limit on links allows."""
        links, images, decode = self.links, self.images, self.decode
        found = images.found
        for name, written, href, end, content_end in start_tags(self.text, xml=xml):
            if href is not None:
                if not href or href in links:
                    continue
                links.setdefault(
                    href if href.isascii() else decode(href), ("a", None, end)
                )
            elif name in _TEXTS:
                _TEXTS[name](self, written, end, content_end)
            else:
                values = attributes(written if written.isascii() else decode(written))
                if name in ELEMENTS:
                    ELEMENTS[name](images, values)
                    self.note_thumbnail(end)
                elif name in _TAGS:
                    _TAGS[name](self, values, end)
                else:
                    images.any_element(name, values)
            if len(links) + len(found) >= self.max_links:
                return

    # Elements by their attributes; `end` is the index after the start tag.

    def anchor(self, values: Mapping[str, str], end: int) -> None:
        href = values.get("href") or values.get("xlink:href")
        if values.get("itemprop", "").lower() in _ITEM_IMAGES:
            self.images.add(href, "img")
        else:
            self._add(href, "a", values.get("rel"), end)
        self.images.any_element("a", values)

    def note_thumbnail(self, end: int) -> None:
        """An image was found whose tag ends at `end`: is it in a link to a picture?"""
        href = next(reversed(self.links), "")
        if href.endswith(_PICTURE_FILES) and href not in self._behind_thumbnails:
            start = self.links[href][2]
            if start and self.text.find("</a", start, end) < 0:
                self._behind_thumbnails[href] = None

    def _add(
        self, href: str | None, kind: LinkKind, rel: str | None = None, end: int = 0
    ) -> None:
        if href and (url := href.partition("#")[0]):
            self.links.setdefault(url, (kind, rel, end))

    def base_element(self, values: Mapping[str, str], _end: int) -> None:
        if self.base is None:
            self.base = values.get("href")

    def frame(self, values: Mapping[str, str], _end: int) -> None:
        self._add(values.get("src"), "iframe")
        if "srcdoc" in values and not self._nested:
            nested = _Document(
                self._markup._replace(text=values["srcdoc"], decode=str),
                with_text=False,
                max_links=self.max_links,
            )
            nested.images, nested._nested = self.images, True
            nested.read(xml=False)

    def html(self, values: Mapping[str, str], _end: int) -> None:
        if self.lang is None:
            self.lang = short(values.get("lang") or values.get("xml:lang", "")) or None

    def link(self, values: Mapping[str, str], _end: int) -> None:
        href = values.get("href")
        rels = values.get("rel", "").lower().split()
        kind = _kind_of_link(rels, values)
        if href and kind:
            self._add(href, kind, values.get("rel"))
            if kind == "link_canonical":
                self.declared.add_canonical(href, "link")
        elif href and _is_style(rels, values):
            self.images.add_style_sheet(href, "stylesheet")
        elif not _ICONS.isdisjoint(rels):
            self.images.add(href, "icon")
        elif values.get("itemprop", "").lower() in _ITEM_IMAGES:
            self.images.add(href, "img")
        elif not _PRELOADS.isdisjoint(rels) and _is_image(values):
            self.images.preload(href or "", values)

    def meta(self, values: Mapping[str, str], _end: int) -> None:
        content = values.get("content", "")
        name = (
            values.get("name") or values.get("property") or values.get("itemprop", "")
        )
        name = name.strip().lower()
        if name in _META_IMAGES:
            self.images.add(content.strip(), "og")
        elif name in NAMES:
            self.declared.add_meta(name, content)
        elif name == "robots" and len(self.robots) < 10:
            self.robots.append(short(content))
        elif values.get("http-equiv", "").lower() == "refresh" and (
            found := _REFRESH(content)
        ):
            self._add(found[1] or found[2] or found[3], "meta_refresh")
        if "property" in values and "name" in values:  # one element for two readers
            self.declared.add_meta(values["property"].strip().lower(), content)

    # Elements by the text in them, from `start` to `end`.

    def title_element(self, _written: str, start: int, end: int) -> None:
        if not self.declared.titled:
            title = self.decode(self.text[start:end][:10_000])
            self.declared.add_title(unescape(title))

    def style(self, _written: str, start: int, end: int) -> None:
        self.images.add_style(self.decode(self.text[start:end]))

    def script(self, written: str, start: int, end: int) -> None:
        if end - start < _MIN_SCRIPT:
            return
        kind = _JSON_TYPE(written)
        if kind is None and _STATE(self.text, start, end) is None:
            return
        text = self.decode(self.text[start : min(end, start + _MAX_SCRIPT)])
        self.images.add_json(
            text, linked_data=kind is not None and (kind[1] or "").lower() == "ld+"
        )

    def page(self, url: str, content_type: str) -> Page:
        """The Page, its URLs made absolute."""
        base = Base(url, self.charset)
        if self.base is not None and (joined := base.join(self.base)):
            base = Base(joined, self.charset)
        images = self.images.absolute(base, MAX_URL_CHARACTERS)
        self._add_behind_thumbnails(base, images)
        characters_left = MAX_URL_CHARACTERS - sum(map(len, images))
        title, title_source = self.declared.title()
        description, description_source = self.declared.description()
        canonical_url, canonical_source = self.declared.canonical(base)
        return Page(
            content_type=content_type,
            charset=self.charset,
            charset_source=self.charset_source,
            links=self._absolute_links(base, characters_left),
            images=tuple(images.values()),
            styles=self._absolute_styles(base),
            title=title,
            title_source=title_source,
            description=description,
            description_source=description_source,
            canonical_url=canonical_url,
            canonical_source=canonical_source,
            lang=self.lang or None,
            robots_meta=", ".join(filter(None, self.robots)) or None,
        )

    def _add_behind_thumbnails(self, base: Base, images: dict[str, ImageLink]) -> None:
        """Add pictures on other hosts to which thumbnails link.

        On the same host such a link is followed as a link, and the bytes decide.
        """
        if not self._behind_thumbnails:
            return
        from crawler.extract.addresses import is_picture

        for href in self._behind_thumbnails:
            url = base.join(href)
            if url and is_picture(href) and host_key(url) != host_key(base.url):
                images.setdefault(url, ImageLink(url, "a"))

    def _absolute_links(self, base: Base, characters_left: int) -> tuple[Link, ...]:
        links: dict[str, Link] = {}
        join = base.join
        for href, (kind, rel, end) in self.links.items():
            url = join(href)
            if url is None or url in links:
                continue
            characters_left -= len(url)
            if characters_left < 0:
                break
            if rel is None and not self.with_text:
                links[url] = Link(url, kind)
            else:
                nofollow = rel is not None and "nofollow" in rel.lower().split()
                written = rel and short(rel)
                links[url] = Link(url, kind, self._text_at(end), written, nofollow)
        return tuple(links.values())

    def _absolute_styles(self, base: Base) -> tuple[Link, ...]:
        if not self.images.styles:
            return ()
        links = {}
        for href, kind in self.images.styles.items():
            if (url := base.join(href)) is not None and url not in links:
                links[url] = Link(url, kind)
        return tuple(links.values())

    def _text_at(self, end: int) -> str | None:
        """The text of the link whose start tag ends at `end`."""
        if not self.with_text or not end:
            return None
        found = _LINK_END(self.text, end, end + 4 * _MAX_TEXT)
        content = self.decode(
            self.text[end : found.start() if found else end + _MAX_TEXT]
        )
        return short(unescape(_MARKUP.sub(" ", content))) or None


_TAGS: dict[str, Callable[[_Document, Mapping[str, str], int], None]] = {
    "a": _Document.anchor,
    "area": _Document.anchor,
    "base": _Document.base_element,
    "frame": _Document.frame,
    "html": _Document.html,
    "iframe": _Document.frame,
    "link": _Document.link,
    "meta": _Document.meta,
}
_TEXTS: dict[str, Callable[[_Document, str, int, int], None]] = {
    "script": _Document.script,
    "style": _Document.style,
    "title": _Document.title_element,
}


def _is_style(rels: list[str], values: Mapping[str, str]) -> bool:
    """Whether a `<link>` is a style sheet that is shown, or is when it has loaded."""
    if "stylesheet" in rels:
        return "alternate" not in rels
    return "preload" in rels and values.get("as", "").lower() == "style"


def _is_image(values: Mapping[str, str]) -> bool:
    """Whether what a `<link>` has loaded ahead is an image."""
    from crawler.extract.addresses import is_picture

    return (
        values.get("as", "").lower() == "image"
        or values.get("type", "").lower().startswith("image/")
        or ("as" not in values and is_picture(values.get("href", "")))
    )


def _kind_of_link(rels: list[str], values: Mapping[str, str]) -> LinkKind | None:
    """The kind of a `<link>`; None: it leads to nothing that is fetched as a page."""
    if "canonical" in rels:
        return "link_canonical"
    if "next" in rels or "prev" in rels:
        return "link_next"
    if "alternate" in rels and "stylesheet" not in rels:
        kind = values.get("type", "").partition(";")[0].strip().lower()
        if kind in _FEEDS:
            return "feed"
        if kind in _PAGES:
            return "link_alternate"
    return None
