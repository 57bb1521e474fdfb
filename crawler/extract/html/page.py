"""The content of an HTML document: links, images, and the declarations in its head.

URLs are collected as written, each once, and made absolute at the end, when the one
`<base href>` that counts is known. A URL that is both a link and an image is in both
lists: what it is, only its bytes can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from html import unescape
from itertools import repeat
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from crawler.extract.body import MAX_URL_CHARACTERS
from crawler.extract.charset import Markup, markup
from crawler.extract.html.declarations import (
    FACTS,
    MAX_SCRIPT,
    NAMES,
    Declarations,
    is_image_preload,
    is_style,
    kind_of_link,
    kind_of_script,
    short,
)
from crawler.extract.html.images import (
    ELEMENTS,
    ICONS,
    ITEM_IMAGES,
    META_IMAGES,
    REPRESENTING,
    ImageCollector,
)
from crawler.extract.html.link_texts import BLANK, FoundLink, LinkTexts
from crawler.extract.html.tags import attributes, start_tags
from crawler.model.documents import NOTHING, ImageLink, Link, LinkKind, Page
from crawler.model.regex import compiled
from crawler.model.url import Base, host_key

if TYPE_CHECKING:
    from crawler.extract.html.facts import Facts

REFRESH = compiled(
    r"[\t\n\f\r ]*+(?:\d++|(?=\.))[\d.]*+"
    r"(?:[\t\n\f\r ]*+[;,][\t\n\f\r ]*+|[\t\n\f\r ]++)"
    r"(?:url[\t\n\f\r ]*+=[\t\n\f\r ]*+)?+"
    r"""(?:"([^"]*+)|'([^']*+)|(.*+))""",
    re.IGNORECASE | re.DOTALL,
).match
_PRELOADS = frozenset({"preload", "prefetch"})
_PICTURE_FILES = tuple(
    ending
    for name in ("jpg", "jpeg", "png", "gif", "webp", "avif", "bmp", "svg")
    for ending in (f".{name}", f".{name.upper()}")
)


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

    Links and images together are at most `max_links`; behind them nothing is read.
    `with_text` requests the links' texts. `xml`: the document is XHTML.
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
        self.links: dict[str, FoundLink] = {}
        self.images = ImageCollector(max_links)
        self.base: str | None = None
        self.lang: str | None = None
        self.declared = Declarations()
        self._facts: Facts | None = None
        self._texts = LinkTexts(self.text, self.decode)
        self._nested = False
        self._behind_thumbnails: dict[str, None] = {}

    def read(self, *, xml: bool) -> None:
        """Read the start tags of the text, as far as the limit on links allows."""
        text, links, images, decode = self.text, self.links, self.images, self.decode
        found_again = self._texts.found_again
        found, leave_out = images.found, images.leave_out
        for name, written, href, end, content_end in start_tags(text, xml=xml):
            if href is not None:
                if not href:
                    continue
                if href in links:
                    if not (first := links[href][2]) or text[first] in BLANK:
                        found_again(links, href, end, content_end)
                    continue
                links.setdefault(
                    href if href.isascii() else decode(href),
                    ("a", None, end, content_end),
                )
            elif name in _TEXTS:
                _TEXTS[name](self, written, end, content_end)
            else:
                plain = written if written.isascii() else decode(written)
                values = attributes(plain, leave_out)
                if name in ELEMENTS:
                    ELEMENTS[name](images, values)
                    self.note_thumbnail(name, end)
                elif name in _TAGS:
                    _TAGS[name](self, values, end)
                else:
                    if "itemprop" in values or "property" in values:
                        self.property(values, end)
                    images.any_element(name, values)
            if len(links) + len(found) > self.max_links:
                images.leave_out("links")
                last: dict[str, Any] = found if name in ELEMENTS else links
                while len(links) + len(found) > self.max_links:
                    last.popitem()
                return

    # Elements by their attributes; `end` is the index after the start tag.

    @property
    def facts(self) -> Facts:
        if self._facts is None:
            from crawler.extract.html.facts import Facts

            self._facts = Facts(self.images.leave_out)
        return self._facts

    def anchor(self, values: Mapping[str, str], end: int) -> None:
        href = values.get("href") or values.get("xlink:href")
        rel = values.get("rel")
        if rel and "author" in rel.lower().split():
            self.facts.add_author(self._texts.at(end))
        if href and "hreflang" in values:
            self._texts.add_language(href, values["hreflang"])
        if values.get("itemprop", "").lower() in ITEM_IMAGES:
            self.images.add(href, "img")
        else:
            self._add(href, "a", rel, end)
        self.images.any_element("a", values)

    def note_thumbnail(self, name: str, end: int) -> None:
        """An image was found whose tag ends at `end`: is it in a link to a picture?"""
        href = next(reversed(self.links), "")
        if href.endswith(_PICTURE_FILES) and href not in self._behind_thumbnails:
            start = self.links[href][2]
            if start and self.text.find("</a", start, end) < 0:
                self._behind_thumbnails[href] = None
                if name == "img":
                    self.images.link_to(href, self._texts.at(start))

    def _add(
        self, href: str | None, kind: LinkKind, rel: str | None = None, end: int = 0
    ) -> None:
        if href and (url := href.partition("#")[0]):
            if end and url in self.links:
                self._texts.found_again(self.links, url, end, 0)
            self.links.setdefault(url, (kind, rel, end, 0))

    def base_element(self, values: Mapping[str, str], _end: int) -> None:
        if self.base is None:
            self.base = values.get("href")

    def frame(self, values: Mapping[str, str], _end: int) -> None:
        self._add(values.get("src"), "iframe")
        if "srcdoc" in values and self._nested:
            self.images.leave_out("markup")
        elif "srcdoc" in values:
            inner = self._markup._replace(text=values["srcdoc"], decode=str)
            nested = _Document(inner, with_text=False, max_links=self.max_links)
            nested.images, nested._nested = self.images, True
            nested.read(xml=False)

    def html(self, values: Mapping[str, str], _end: int) -> None:
        if self.lang is None:
            self.lang = short(values.get("lang") or values.get("xml:lang", "")) or None

    def link(self, values: Mapping[str, str], _end: int) -> None:
        href = values.get("href")
        rels = values.get("rel", "").lower().split()
        kind = kind_of_link(rels, values)
        if href and kind:
            self._add(href, kind, values.get("rel"))
            if kind == "link_canonical":
                self.declared.add_canonical(href, "link")
            if kind == "feed":
                self.facts.add_feed(href)
            elif "hreflang" in values:
                self._texts.add_language(href, values["hreflang"])
                if "alternate" in rels:
                    self.facts.add_alternate(href, values["hreflang"])
        elif href and "amphtml" in rels:
            self.facts.add_amp(href)
        elif href and is_style(rels, values):
            self.images.add_style_sheet(href, "stylesheet")
        elif not ICONS.isdisjoint(rels):
            self.images.add(href, "icon" if REPRESENTING.isdisjoint(rels) else "og")
        elif values.get("itemprop", "").lower() in ITEM_IMAGES:
            self.images.add(href, "img")
        elif not _PRELOADS.isdisjoint(rels) and is_image_preload(values):
            self.images.preload(href or "", values)

    def meta(self, values: Mapping[str, str], _end: int) -> None:
        content = values.get("content", "")
        written = values.get("name") or values.get("property")
        name = (written or values.get("itemprop", "")).strip().lower()
        if name in META_IMAGES:
            self.images.add(content.strip(), "og")
        elif name in NAMES:
            self.declared.add_meta(name, content)
        elif name in FACTS:
            if written:
                self.facts.add_meta(name, content)
            else:
                self.facts.add_property(values)
        elif name == "robots":
            self.declared.add_robots(content, self.images.leave_out)
        elif values.get("http-equiv", "").lower() == "refresh" and (
            found := REFRESH(content)
        ):
            self._add(found[1] or found[2] or found[3], "meta_refresh")
        if "property" in values and "name" in values:  # one element for two readers
            second = values["property"].strip().lower()
            self.declared.add_meta(second, content)
            if second in FACTS and second != name:
                self.facts.add_meta(second, content)

    def time(self, values: Mapping[str, str], _end: int) -> None:
        self.facts.add_time(values)
        self.images.any_element("time", values)

    def property(self, values: Mapping[str, str], end: int) -> None:
        """An element of any other name that is a property of something."""
        names = (values.get("itemprop") or values.get("property", "")).split()
        if "itemListElement" in names:
            self.facts.add_breadcrumbs(self.text, end, self.decode)
        elif "content" in values:
            self.facts.add_property(values)

    # Elements by the text in them, from `start` to `end`.

    def title_element(self, _written: str, start: int, end: int) -> None:
        if not self.declared.titled:
            title = self.decode(self.text[start:end][:10_000])
            self.declared.add_title(unescape(title))

    def style(self, _written: str, start: int, end: int) -> None:
        self.images.add_style(self.decode(self.text[start:end]))

    def script(self, written: str, start: int, end: int) -> None:
        kind = kind_of_script(written, self.text, start, end)
        if kind is not None:
            if end - start > MAX_SCRIPT:
                self.images.leave_out("markup")
            text = self.decode(self.text[start : min(end, start + MAX_SCRIPT)])
            if kind == "json_ld":
                self.images.add_json_ld(text, self.facts.add_json_ld(text))
            else:
                self.images.add_json(text)

    def page(self, url: str, content_type: str) -> Page:
        """The Page, its URLs made absolute."""
        base = Base(url, self.charset)
        if self.base is not None and (joined := base.join(self.base)):
            base = Base(joined, self.charset)
        images = self.images.absolute(base, MAX_URL_CHARACTERS)
        if self.images.is_described(self.text):
            from crawler.extract.html.captions import describe

            describe(images, self.images, base, self.text, self.decode)
        self._add_behind_thumbnails(base, images)
        pictures = self.images.pictures(base, images)
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
            pictures=pictures,
            title=title,
            title_source=title_source,
            description=description,
            description_source=description_source,
            canonical_url=canonical_url,
            canonical_source=canonical_source,
            lang=self.lang or None,
            robots_meta=self.declared.robots_meta(),
            declared=NOTHING if self._facts is None else self._facts.declared(base),
            left_out=self.images.left_out,
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
        join, known = base.join, base.known
        texts: Iterable[str] = repeat("")
        if self.with_text:
            texts = self._texts.of_all(self.links.values())
        languages = self._texts.languages
        found = zip(self.links.items(), texts, strict=False)
        for (href, (kind, rel, _, _)), text in found:
            url = known.get(href) or join(href)
            if url is None:
                self.images.note_no_url(base, href)
                continue
            if not text and self.with_text:
                text = self._texts.of_others(href) or ""
            if url in links:
                if text and links[url].text is None:
                    links[url] = replace(links[url], text=text)
                continue
            characters_left -= len(url)
            if characters_left < 0:
                self.images.leave_out("links")
                break
            if rel is None:
                links[url] = Link(url, kind, text or None)
            else:
                nofollow = "nofollow" in rel.lower().split()
                links[url] = Link(url, kind, text or None, short(rel), nofollow)
            if languages and (language := short(languages.get(href, ""))):
                links[url] = replace(links[url], hreflang=language)
        return tuple(links.values())

    def _absolute_styles(self, base: Base) -> tuple[Link, ...]:
        links: dict[str, Link] = {}
        for href, kind in self.images.styles.items():
            if (url := base.join(href)) is not None:
                links.setdefault(url, Link(url, kind))
            else:
                self.images.note_no_url(base, href)
        return tuple(links.values())


_TAGS: dict[str, Callable[[_Document, Mapping[str, str], int], None]] = {
    "a": _Document.anchor,
    "area": _Document.anchor,
    "base": _Document.base_element,
    "frame": _Document.frame,
    "html": _Document.html,
    "iframe": _Document.frame,
    "link": _Document.link,
    "meta": _Document.meta,
    "time": _Document.time,
}
_TEXTS: dict[str, Callable[[_Document, str, int, int], None]] = {
    "script": _Document.script,
    "style": _Document.style,
    "title": _Document.title_element,
}
