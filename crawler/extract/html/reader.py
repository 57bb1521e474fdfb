"""The readers of HTML and of XHTML: which character set, and whether as XML."""

from __future__ import annotations

from webencodings import lookup

from crawler.extract.body import MAX_MARKUP, Body
from crawler.extract.charset import declared_by_xml, markup
from crawler.extract.html.page import read_page
from crawler.model.documents import Page


def read_html(body: Body) -> Page:
    document = markup(body.content, body.charset, MAX_MARKUP)
    return read_page(
        document, body.url, body.media_type, body.max_links, with_text=body.with_text
    )


def read_xhtml(body: Body) -> Page:
    """As HTML, but that XML's rules decide on the charset and on `<script/>`."""
    declared = lookup(body.charset) if body.charset else declared_by_xml(body.content)
    charset = declared.name if declared else "utf-8"
    return read_page(
        markup(body.content, charset, MAX_MARKUP),
        body.url,
        body.media_type,
        body.max_links,
        with_text=body.with_text,
        xml=True,
    )
