"""Rows of tables that are headings: cppreference groups the rows of long tables so.

A row of one cell with a heading and nothing else divides its table: Markdown has no
headings in cells. What becomes of it is a table, the heading, and a further table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import html

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))


def divide_tables(root: HtmlElement) -> None:
    """Divide all tables below `root` that are in no other table."""
    for table in [*root.iter("table")]:
        if table is root or any(one.tag == "table" for one in table.iterancestors()):
            continue
        rows = [row for row in table.iter("tr") if _is_of(row, table)]
        headings = {row: found for row in rows if (found := _heading(row)) is not None}
        if headings:
            _divide(table, rows, headings)


def _is_of(row: HtmlElement, table: HtmlElement) -> bool:
    return next(row.iterancestors("table")) is table


def _heading(row: HtmlElement) -> HtmlElement | None:
    """The heading that a row is, or None."""
    inner = row
    while len(inner) == 1 and not (inner.text or "").strip():
        inner = inner[0]
        if (inner.tail or "").strip():
            return None
        if inner.tag in _HEADINGS:
            return inner
    return None


def _divide(
    table: HtmlElement,
    rows: list[HtmlElement],
    headings: dict[HtmlElement, HtmlElement],
) -> None:
    """Leave the rows before the first heading in `table`, and put all others behind."""
    tail, table.tail = table.tail, None
    last: HtmlElement = table
    begun = False
    for row in rows:
        if row in headings:
            row.drop_tree()
            heading = headings[row]
            heading.tail = None
            last.addnext(heading)
            last, begun = heading, True
        elif begun:
            if last.tag != "table":
                further = html.Element("table")
                last.addnext(further)
                last = further
            row.tail = None
            last.append(row)
    last.tail = tail
    if not any(_is_of(row, table) for row in table.iter("tr")):
        table.drop_tree()
