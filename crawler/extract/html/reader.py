"""The readers of HTML, XHTML and CSS: which character set, and whether as XML."""

from __future__ import annotations

from msgspec.structs import replace

from crawler.extract.body import MAX_MARKUP, Body
from crawler.extract.charset import marked_up, markup, sniff_xml_encoding
from crawler.extract.html.page import read_page
from crawler.model.documents import File, Page, lacking

_MAX_LINKS = 6
"""A page with more is none that needs JavaScript; some are in its `<noscript>`."""


def read_html(body: Body) -> Page:
    document = markup(body.content, body.charset, MAX_MARKUP, body.url)
    page = read_page(
        document, body.url, body.media_type, body.max_links, with_text=body.with_text
    )
    return _marked(_whole_or_not(page, body), document.text)


def read_css(body: Body) -> File:
    # Imported late: its expressions take 10 ms to compile, and many sites need none.
    from crawler.extract.css.reader import read_style_sheet

    return read_style_sheet(body)


def read_xhtml(body: Body) -> Page:
    """As HTML, but that XML's rules decide on the charset and on `<script/>`."""
    sniffed = sniff_xml_encoding(body.content, body.charset, body.url)
    document = marked_up(sniffed, body.content, MAX_MARKUP)
    page = read_page(
        document,
        body.url,
        body.media_type,
        body.max_links,
        with_text=body.with_text,
        xml=True,
    )
    return _marked(_whole_or_not(page, body), document.text)


def _whole_or_not(page: Page, body: Body) -> Page:
    """The page, which says so if its end was not read."""
    if len(body.content) <= MAX_MARKUP:
        return page
    return lacking(page, {"markup"})


def _marked(page: Page, text: str) -> Page:
    """The page, marked if it is an empty shell that needs JavaScript.

    It is looked at only where it has few links and a script, so that ordinary pages do
    not pay for it.
    """
    followed = 0
    for link in page.links:
        followed += link.kind == "a"
        if followed > _MAX_LINKS or link.kind == "meta_refresh":
            return page
    if "<script" not in text and "<SCRIPT" not in text:
        return page
    from crawler.extract.html.shells import needs_javascript

    if not needs_javascript(text):
        return page
    return replace(page, needs_javascript=True)
