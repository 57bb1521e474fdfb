"""The references of a style sheet, a `style` element or a `style` attribute."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.extract.css.urls import CssUrl, css_spans, is_shown, unescape
from crawler.extract.references.reference import Reference, Role, Text


def css_references(css: Text) -> Iterator[Reference]:
    """Where the URLs of `css` stand. Those in `data:` are left out."""
    inner = Text(css.text, css.at, (*css.syntaxes, "css"))
    for start, end, name in css_spans(css.text):
        url = unescape(css.text[start:end]).strip()
        if url and url[:5].lower() != "data:":
            yield inner.place(start, end, _role(CssUrl(url, name)))


def _role(found: CssUrl) -> Role:
    if found.property == "@import":
        return "import"
    if found.property == "src":
        return "font"
    return "image" if is_shown(found) else "css"
