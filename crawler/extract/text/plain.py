"""The text of an element as a browser would copy it (HTML Standard, `innerText`).

Blocks begin on a line of their own, paragraphs and headings are set off by an empty
line, cells of a row are separated by tabs. White space is collapsed but in `<pre>`.
What no browser shows is left out: scripts, styles, templates, elements with `hidden`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

HIDDEN = frozenset((
    "script", "style", "noscript", "template", "head", "iframe", "object", "svg",
    "textarea", "select", "datalist", "audio", "video", "canvas", "math",
))  # fmt: skip
_PARAGRAPHS = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote"))
_LINES = frozenset((
    "address", "article", "aside", "body", "caption", "center", "dd", "details",
    "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer",
    "form", "header", "hr", "html", "legend", "li", "main", "menu", "nav", "ol",
    "optgroup", "option", "search", "section", "summary", "table", "tbody", "tfoot",
    "thead", "tr", "ul",
))  # fmt: skip
_LINE, _PARAGRAPH, _KEPT = "\x01", "\x02", "\x00"
"""Marks in the text until its end: a new line, an empty line, and a `<pre>`."""
_SPACES = re.compile(r"[ \t\n\r\f\x00-\x02]+")
_MARKS = re.compile("([\x01\x02])")
_CHINESE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(
    rf"[{_CHINESE}]|[^\W_{_CHINESE}]+(?:['’.\-][^\W_{_CHINESE}]+)*", re.UNICODE
)


def count_words(text: str) -> int:
    """The words of a text.

    A word is a run of letters and digits, with the apostrophes, hyphens and points
    inside of it; a Chinese character or a Japanese kana counts as one.
    """
    return sum(1 for _ in _WORD.finditer(text))


def text_of(root: HtmlElement) -> str:
    """The text of an element, without white space at its ends."""
    from lxml import etree  # the crawling process reads this file, and makes no tree

    parts: list[str] = []
    kept: list[str] = []  # lines of `<pre>`, in order
    walker = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walker:
        name = str(element.tag)
        if event == "start" and not _is_hidden(element):
            parts.append(_before(name))
            if name == "pre":
                kept.append("".join(element.itertext()).strip("\n"))
                parts.append(_KEPT)
                walker.skip_subtree()
            else:
                parts.append(_collapsed(element.text))
        elif event == "start":
            walker.skip_subtree()
        elif event == "end" and not _is_hidden(element):
            parts.append(_after(name))
        if event != "start" and element is not root:
            parts.append(_collapsed(element.tail))
    lines = iter(kept)
    text = "".join(_joined("".join(parts)))
    return re.sub(_KEPT, lambda _: next(lines), text).replace(_KEPT, "")


def _is_hidden(element: HtmlElement) -> bool:
    return element.tag in HIDDEN or element.get("hidden") is not None


def _collapsed(text: str | None) -> str:
    return _SPACES.sub(" ", text) if text else ""


def _before(name: str) -> str:
    return _PARAGRAPH if name in _PARAGRAPHS else _LINE if name in _LINES else ""


def _after(name: str) -> str:
    if name in ("td", "th"):
        return "\t"
    return "\n" if name == "br" else _before(name)


def _joined(text: str) -> Iterator[str]:
    """The lines; of several marks in a row the strongest counts."""
    text = re.sub(r" {2,}", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    breaks = -1  # nothing stands before the first line
    for piece in _MARKS.split(text):
        if piece in (_LINE, _PARAGRAPH):
            breaks = max(breaks, ord(piece)) if breaks >= 0 else breaks
        elif line := piece.strip(" ").rstrip("\t \n"):
            yield "\n" * max(breaks, 0) + line
            breaks = 0
