"""What a page says about its images beside `alt`: title, figcaption, text of the link.

It is looked for on pages that have it, so it costs others nothing. A figcaption is that
of all images of its `<figure>`, of the innermost where one contains another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

from msgspec.structs import replace

from crawler.extract.html.declarations import short
from crawler.extract.html.images import ELEMENTS, ImageCollector
from crawler.extract.html.tags import attributes, start_tags
from crawler.model.documents import ImageLink
from crawler.model.url import Base

_TAG = re.compile(r"<(/?fig(?:ure|caption))(?=[\t\n\f\r />])[^>]*+>", re.I).finditer
_MARKUP = re.compile(r"<[^>]*+>")
_MAX_IMAGES = 1000
"""Images of one figure that have its caption."""
_MAX_MARKUP = 20_000
"""Characters of a caption with its markup; the rest is cut off."""


def describe(
    images: dict[str, ImageLink],
    collector: ImageCollector,
    base: Base,
    text: str,
    decode: Callable[[str], str],
) -> None:
    """Put into `images`, which are by URL, what the document says of them.

    `collector` has collected them; `text` is the document, to be decoded by `decode`.
    """
    for src, title in collector.titles.items():
        _put(images, base, src, title=short(title) or None)
    for src, words in collector.link_texts.items():
        _put(images, base, src, link_text=words)
    for figure, caption in _figures(text):
        words = short(unescape(_MARKUP.sub(" ", decode(caption[:_MAX_MARKUP]))))
        for src in _sources(decode(figure)) if words else ():
            _put(images, base, src, caption=words)


def _put(
    images: dict[str, ImageLink], base: Base, src: str, **words: str | None
) -> None:
    url = base.join(src)
    image = images.get(url) if url is not None else None
    if image is not None:
        images[image.url] = replace(image, **words)


def _figures(text: str) -> Iterator[tuple[str, str]]:
    """The inner markup of each figure that has a caption, and that of the caption."""
    figure = caption = -1
    words = ""
    for tag in _TAG(text):
        name = tag[1].lower()
        if name == "figure":
            figure, caption, words = tag.end(), -1, ""
        elif name == "figcaption":
            caption = tag.end()
        elif caption >= 0 and not words:  # an end tag, of which one may be left out
            words = text[caption : tag.start()]
        if name == "/figure":
            if figure >= 0 and words:
                yield text[figure : tag.start()], words
            figure = caption = -1


def _sources(markup: str) -> Iterator[str]:
    """The URLs of images in `markup`, as written."""
    collector = ImageCollector(_MAX_IMAGES)
    for name, written, *_ in start_tags(markup):
        if name in ELEMENTS:
            ELEMENTS[name](collector, attributes(written))
        elif name not in ("script", "style", "a"):
            collector.any_element(name, attributes(written))
    return iter(collector.found)
