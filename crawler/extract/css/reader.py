"""The reader of style sheets: the images that they show, and what they import."""

from __future__ import annotations

import re

from webencodings import Encoding, lookup

from crawler.extract.body import Body
from crawler.extract.css.urls import css_urls, is_shown
from crawler.extract.html.links import LinkCollector
from crawler.model.documents import File, Link
from crawler.model.url import Base

MAX_STYLE = 4 * 2**20
"""Bytes of a style sheet that are read."""
MAX_IMPORTS = 50
"""Style sheets that one may import."""

_CHARSET = re.compile(rb'@charset "([^"]{1,100})";').match
_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xfe\xff": "utf-16be",
    b"\xff\xfe": "utf-16le",
}


def read_style_sheet(body: Body) -> File:
    base = Base(body.url)
    links = LinkCollector(base, body.max_links)
    styles: dict[str, Link] = {}
    for found in css_urls(_decode(body.content[:MAX_STYLE], body.charset)):
        if found.property == "@import":
            url = base.join(found.url)
            if url is not None and url not in styles:
                if len(styles) < MAX_IMPORTS:
                    styles[url] = Link(url, "css_import")
                else:
                    links.leave_out("links")
        elif is_shown(found):
            links.add_image(found.url, "css")
    if len(body.content) > MAX_STYLE:
        links.leave_out("markup")
    return File(
        body.media_type,
        body.charset,
        images=links.images,
        styles=tuple(styles.values()),
        left_out=links.left_out,
    )


def _decode(content: bytes, header: str | None) -> str:
    """The text of a style sheet."""
    encoding = style_encoding(content, header)
    return encoding.codec_info.decode(content, "replace")[0].removeprefix("\ufeff")


def style_encoding(content: bytes, header: str | None) -> Encoding:
    """The encoding of a style sheet (CSS Syntax Level 3, section 3.2).

    `header` is the charset of the Content-Type.
    """
    for mark, name in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return _encoding(name)
    declared = _CHARSET(content)
    encoding = lookup(header or "") or lookup(
        declared[1].decode("latin-1") if declared else ""
    )
    if encoding is None or encoding.name.startswith("utf-16"):
        return _encoding("utf-8")
    return encoding


def _encoding(name: str) -> Encoding:
    encoding = lookup(name)
    assert encoding is not None
    return encoding
