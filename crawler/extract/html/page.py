"""The content of an HTML document: links, images, and the declarations in its head.

URLs are collected as written, each once, and made absolute at the end, when the one
`<base href>` that counts is known. A URL that is both a link and an image is in both
lists: what it is, only its bytes can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import unescape

from crawler.extract.charset import Markup
from crawler.extract.html.images import ELEMENTS, ImageCollector, inline_style_images
from crawler.extract.html.links import MAX_URL_CHARACTERS
from crawler.extract.html.tags import attributes, start_tags
from crawler.model.documents import Link, LinkKind, Page
from crawler.model.url import Base

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
_SOCIAL_IMAGES = frozenset(
    {
        "og:image",
        "og:image:url",
        "og:image:secure_url",
        "twitter:image",
        "twitter:image:src",
    }
)
_ICONS = frozenset(
    {"icon", "apple-touch-icon", "apple-touch-icon-precomposed", "image_src"}
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

    Links and images together are at most `max_links`; the rest of the document is not
    read. `with_text` requests the links' texts. `xml`: the document is XHTML.
    """
    document = _Document(markup, with_text, max_links)
    links, images, decode = document.links, document.images, markup.decode
    for name, written, href, end, content_end in start_tags(markup.text, xml=xml):
        if href is not None:
            if not href or href in links:
                continue
            links.setdefault(href if href.isascii() else decode(href), ("a", None, end))
        elif name in _TEXTS:
            _TEXTS[name](document, end, content_end)
        else:
            values = attributes(written if written.isascii() else decode(written))
            if name in ELEMENTS:
                ELEMENTS[name](images, values)
            elif name in _TAGS:
                _TAGS[name](document, values, end)
        if len(links) + len(images.found) >= max_links:
            break
    else:
        inline_style_images(markup, document.scripts, images)
    return document.page(url, content_type)


class _Document:
    """What was found in one document so far, as written."""

    def __init__(self, markup: Markup, with_text: bool, max_links: int) -> None:
        self.text, self.charset, self.decode, self.charset_source = markup
        self.with_text = with_text
        self.links: dict[str, tuple[LinkKind, str | None, int]] = {}
        self.images = ImageCollector(max_links)
        self.base: str | None = None
        self.title: str | None = None
        self.lang: str | None = None
        self.canonical: str | None = None
        self.description: str | None = None
        self.robots: list[str] = []
        self.scripts: list[tuple[int, int]] = []

    # Elements by their attributes; `end` is the index after the start tag.

    def anchor(self, values: Mapping[str, str], end: int) -> None:
        self._add(
            values.get("href") or values.get("xlink:href"), "a", values.get("rel"), end
        )

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

    def html(self, values: Mapping[str, str], _end: int) -> None:
        if self.lang is None:
            self.lang = _short(values.get("lang") or values.get("xml:lang"))

    def link(self, values: Mapping[str, str], _end: int) -> None:
        href = values.get("href")
        rels = values.get("rel", "").lower().split()
        kind = _kind_of_link(rels, values)
        if href and kind:
            self._add(href, kind, values.get("rel"))
            if kind == "link_canonical" and self.canonical is None:
                self.canonical = href
        elif not _ICONS.isdisjoint(rels):
            self.images.add(href, "icon")
        elif "preload" in rels and values.get("as") == "image":
            self.images.img({**values, "src": href or ""})

    def meta(self, values: Mapping[str, str], _end: int) -> None:
        content = values.get("content", "")
        name = (
            values.get("name") or values.get("property") or values.get("itemprop", "")
        ).lower()
        if name in _SOCIAL_IMAGES or name == "image":
            self.images.add(content.strip(), "og")
        elif name == "description" and self.description is None:
            self.description = _short(content)
        elif name == "robots" and len(self.robots) < 10:
            self.robots.append(_short(content) or "")
        elif values.get("http-equiv", "").lower() == "refresh" and (
            found := _REFRESH(content)
        ):
            self._add(found[1] or found[2] or found[3], "meta_refresh")

    # Elements by the text in them, from `start` to `end`.

    def title_element(self, start: int, end: int) -> None:
        if self.title is None:
            title = self.decode(self.text[start:end][:10_000])
            self.title = _short(unescape(title))

    def style(self, start: int, end: int) -> None:
        self.images.add_style(self.decode(self.text[start:end]))

    def script(self, start: int, end: int) -> None:
        self.scripts.append((start, end))

    def page(self, url: str, content_type: str) -> Page:
        """The Page, its URLs made absolute."""
        base = Base(url, self.charset)
        if self.base is not None and (joined := base.join(self.base)):
            base = Base(joined, self.charset)
        images = self.images.absolute(base, MAX_URL_CHARACTERS)
        characters_left = MAX_URL_CHARACTERS - sum(map(len, images))
        return Page(
            content_type=content_type,
            charset=self.charset,
            charset_source=self.charset_source,
            links=self._absolute_links(base, characters_left),
            images=tuple(images.values()),
            title=self.title or None,
            description=self.description or None,
            canonical_url=base.join(self.canonical) if self.canonical else None,
            lang=self.lang or None,
            robots_meta=", ".join(filter(None, self.robots)) or None,
        )

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
                links[url] = Link(url, kind, self._text_at(end), _short(rel), nofollow)
        return tuple(links.values())

    def _text_at(self, end: int) -> str | None:
        """The text of the link whose start tag ends at `end`."""
        if not self.with_text or not end:
            return None
        found = _LINK_END(self.text, end, end + 4 * _MAX_TEXT)
        content = self.decode(
            self.text[end : found.start() if found else end + _MAX_TEXT]
        )
        return _short(unescape(_MARKUP.sub(" ", content))) or None


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
_TEXTS: dict[str, Callable[[_Document, int, int], None]] = {
    "script": _Document.script,
    "style": _Document.style,
    "title": _Document.title_element,
}


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


def _short(text: str | None) -> str | None:
    """`text` with white space collapsed, cut at _MAX_TEXT characters."""
    return (
        None if text is None else " ".join(text[: 10 * _MAX_TEXT].split())[:_MAX_TEXT]
    )
