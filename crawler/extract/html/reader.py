"""The readers of HTML, XHTML and CSS: which character set, and whether as XML."""

from __future__ import annotations

from crawler.extract.body import MAX_MARKUP, Body
from crawler.extract.charset import marked_up, markup, sniff_xml_encoding
from crawler.extract.html.page import read_page
from crawler.model.documents import File, Page


def read_html(body: Body) -> Page:
    document = markup(body.content, body.charset, MAX_MARKUP, body.url)
    return read_page(
        document, body.url, body.media_type, body.max_links, with_text=body.with_text
    )


def read_css(body: Body) -> File:
    # Imported late: its expressions take 10 ms to compile, and many sites need none.
    from crawler.extract.css.reader import read_style_sheet

    return read_style_sheet(body)


def read_xhtml(body: Body) -> Page:
    """As HTML, but that XML's rules decide on the charset and on `<script/>`."""
    sniffed = sniff_xml_encoding(body.content, body.charset, body.url)
    return read_page(
        marked_up(sniffed, body.content, MAX_MARKUP),
        body.url,
        body.media_type,
        body.max_links,
        with_text=body.with_text,
        xml=True,
    )
