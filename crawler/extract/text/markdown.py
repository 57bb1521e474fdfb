"""An element as Markdown (html-to-markdown, in Rust; pinned in the extra `text`).

The copy that is converted has no navigation, no scripts, no forms and no pictures that
are data. Mark-up inside of `<pre>` is undone first: a link in a code block, as the
highlighters of cppreference.com write them, would else stand there as `[text](url)`.

Tables are written without padding: padded ones have the size of rows times the longest
cell, so 100 kB of HTML could become gigabytes.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from lxml import etree, html

from crawler.extract.text.cells import breaks_of_marks, mark_cells
from crawler.extract.text.main_element import is_landmark, is_named_navigation
from crawler.extract.text.plain import HIDDEN
from crawler.extract.text.section_rows import divide_tables

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_PILCROWS = frozenset(("¶", "#", "§", "🔗"))
"""The text of links from a heading to itself."""
_FORM = frozenset(("input", "label", "link", "meta"))


def markdown_of(element: HtmlElement, base: str, *, whole: bool) -> str:
    """`element` as Markdown, URLs joined to `base`; `whole`: with its navigation."""
    from html_to_markdown import ConversionOptions, PreprocessingOptions, convert

    options = ConversionOptions(
        extract_metadata=False,
        compact_tables=True,
        base_url=base,
        # It would drop each <header>, that of an article with its heading too.
        preprocessing=PreprocessingOptions(enabled=False),
    )
    copied = _cleaned(element, whole=whole)
    source = html.tostring(copied, encoding="unicode", with_tail=False)
    return breaks_of_marks((convert(source, options).content or "").strip())


def _cleaned(element: HtmlElement, *, whole: bool) -> HtmlElement:
    copied = deepcopy(element)
    for one in [*copied.iterdescendants()]:
        if not isinstance(one.tag, str) or _is_left_out(one, whole=whole):
            _drop(one)
    for pre in copied.iter("pre"):
        for line_break in [*pre.iter("br")]:
            line_break.tail = "\n" + (line_break.tail or "")
        etree.strip_tags(pre, "*")
    divide_tables(copied)
    mark_cells(copied)
    return copied


def _is_left_out(element: HtmlElement, *, whole: bool) -> bool:
    name = element.tag
    if name in HIDDEN or name in _FORM or element.get("hidden") is not None:
        return True
    if name == "img":
        return element.get("src", "").startswith("data:")
    if whole:
        return False
    if name == "a" and not len(element):
        return (element.text or "").strip() in _PILCROWS
    return is_landmark(element) or is_named_navigation(element)


def _drop(element: HtmlElement) -> None:
    if element.getparent() is not None:
        element.drop_tree()
