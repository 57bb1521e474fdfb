"""What several sections have: cards, lists with bars, commands, tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from crawler.inspect.report.charts import Plot, bar, draw
from crawler.inspect.report.markup import Child, Html, el, join, number, percent

CARD = (300, 190)
"""Width and height of a plot in a card (pixels)."""


def card(title: str, *children: Child, note: str = "", wide: bool = False) -> Html:
    """A box with a heading."""
    return el(
        "section",
        el("h3", title),
        el("p", note, class_="note") if note else None,
        *children,
        class_="card wide" if wide else "card",
    )


def cards(*children: Child, kind: str = "") -> Html:
    """Boxes beside one another; `kind` is "plots" for narrow ones."""
    return el("div", *children, class_=f"cards {kind}".strip())


def plot_card(title: str, plot: Plot, note: str = "") -> Html:
    return card(title, draw(plot, *CARD), note=note)


class BarRow(Struct, frozen=True):
    """A name with its number; `parts` are lengths with their classes."""

    name: Child
    count: int
    parts: Sequence[tuple[float, str]]


def bar_list(rows: Sequence[BarRow]) -> Html:
    """Names with bars, the longest of which is as wide as the list."""
    longest = max((sum(length for length, _ in row.parts) for row in rows), default=0)
    whole = sum(row.count for row in rows)
    items = (
        el(
            "li",
            el("span", row.name, class_="name"),
            el("span", number(row.count), class_="num"),
            el("span", percent(row.count, whole), class_="num share"),
            bar(row.parts, longest),
        )
        for row in rows
    )
    return el("ol", join(items), class_="bars")


def command(text: str) -> Html:
    """A command with a button that copies it."""
    return el(
        "span",
        el("code", text),
        el("button", "Copy", type="button", class_="copy", data_copy=text),
        class_="command",
    )


def table(
    heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[Child]], name: str
) -> Html:
    """A table; `heads` are titles with the class of their column."""
    head = el("tr", *(el("th", text, class_=kind, scope="col") for text, kind in heads))
    has_heads = any(text for text, _ in heads)
    body = (
        el(
            "tr",
            *(
                el("td", cell, class_=kind)
                for cell, (_, kind) in zip(row, heads, strict=True)
            ),
        )
        for row in rows
    )
    return el(
        "div",
        el(
            "table",
            el("thead", head) if has_heads else None,
            el("tbody", join(body)),
            aria_label=name,
        ),
        class_="scroll",
    )


def empty(text: str) -> Html:
    return el("p", text, class_="empty")
