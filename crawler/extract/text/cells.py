"""Lists and code blocks in cells of tables.

A cell is one line in Markdown, so they become parts of it that `<br>` separates, as
GitHub and others show them: `see:<br>- one<br>- two`. The converter would run them
together.

Which tables become tables, and which are layout, is decided by the converter. So marks
are put into the text of cells before, and afterwards a mark becomes a line break where
it stands in the row of a table, and nothing elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# Noncharacters of Unicode, which no text has.
_BEGIN, _END, _CODE = "\ufdd0", "\ufdd1", "\ufdd2"

_LISTS = frozenset(("ul", "ol", "menu"))
_BLOCKS = frozenset(("p", "div", "section"))

_ROW = re.compile(r"[\s>]*(?:[-*+]\s+)?\|")
_MARK = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_END}")
_ITEM_BREAK = re.compile(f"(?<! ) *{_MARK.pattern} ?")
_CODE_BREAK = re.compile(f"(?<! ) *{_CODE} ?")
_FIRST_BREAK = re.compile(r"(?<!\\)\|<br>")


def mark_cells(root: HtmlElement) -> None:
    """Put marks into all cells below `root`; the text of a `<pre>` is all it has."""
    numbers: dict[HtmlElement, int] = {}
    for one in [*root.iter("li", "pre")]:
        if not _is_in_cell(one, root):
            continue
        if one.tag == "pre":
            one.text = (one.text or "").strip("\n").replace("\n", f"{_CODE}\n")
        else:
            _mark_item(one, numbers)


def breaks_of_marks(markdown: str) -> str:
    """The text with line breaks for the marks in rows, and without all other marks."""
    if _BEGIN not in markdown and _CODE not in markdown:
        return markdown
    text = markdown.replace(f"{_CODE}\n", "\n")  # in a code block
    return "\n".join(map(_line, text.split("\n")))


def _line(line: str) -> str:
    if _ROW.match(line) is None:
        return _MARK.sub("", line).replace(_CODE, "")
    broken = _CODE_BREAK.sub("`<br>`", _ITEM_BREAK.sub(r"<br>\1", line))
    return _FIRST_BREAK.sub("| ", broken)


def _is_in_cell(element: HtmlElement, root: HtmlElement) -> bool:
    for above in element.iterancestors():
        if above is root:
            return False
        if above.tag in ("td", "th"):
            return True
    return False


def _mark_item(item: HtmlElement, numbers: dict[HtmlElement, int]) -> None:
    listed = item.getparent()
    if listed is None or listed.tag not in _LISTS:
        return
    bullet = "- "
    if listed.tag == "ol":
        numbers[listed] = numbers.get(listed, _start(listed) - 1) + 1
        bullet = f"{numbers[listed]}. "
    first = item
    while not (first.text or "").strip() and len(first) and first[0].tag in _BLOCKS:
        first = first[0]
    first.text = f"{_BEGIN}{bullet}{_END}{(first.text or '').lstrip()}"
    behind = listed.getnext()
    if item.getnext() is None and (listed.tail or "").strip():
        listed.tail = f"{_BEGIN}{_END}{(listed.tail or '').lstrip()}"
    elif item.getnext() is None and behind is not None and behind.tag not in _LISTS:
        listed.tail = f"{_BEGIN}{_END}"


def _start(numbered: HtmlElement) -> int:
    start = numbered.get("start", "").strip()
    return int(start) if start.isdecimal() and len(start) < 10 else 1
