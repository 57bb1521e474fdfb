"""Plots as SVG: columns with axes, and bars in a list.

Colours and fonts are classes of the style sheet, so that they follow the theme. What a
column says is in `data-tip`, which the script shows; the whole plot is described by its
`aria-label`.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from crawler.inspect.report.axes import Show, show_tick, ticks
from crawler.inspect.report.markup import Html, el, join

LEFT, RIGHT, TOP, BOTTOM = 40, 8, 14, 24
"""Room around the plot itself for the labels of its axes (pixels)."""


class Stack(Struct, frozen=True):
    """One column: its parts from the bottom up, and what is said of it."""

    parts: tuple[float, ...]
    tip: str


class Tick(Struct, frozen=True):
    """A mark on the axis below; `at` is in columns, from 0."""

    at: float
    text: str


class Mark(Struct, frozen=True):
    """A line across the plot, with a word at its top."""

    at: float
    text: str
    tip: str = ""


class Plot(Struct, frozen=True):
    """Columns beside one another, over a common axis."""

    label: str
    """What is shown, in a sentence, for who does not see it."""
    stacks: Sequence[Stack]
    classes: Sequence[str]
    """The class of each part, from the bottom up."""
    ticks: Sequence[Tick]
    marks: Sequence[Mark] = ()
    show: Show = show_tick
    """How a number of the axis at the left is written."""


def draw(plot: Plot, width: int, height: int) -> Html:
    """The plot in so many pixels."""
    number = max(len(plot.stacks), 1)
    top = max((sum(stack.parts) for stack in plot.stacks), default=0)
    rows = ticks(top, 4)
    inner_w, inner_h = width - LEFT - RIGHT, height - TOP - BOTTOM
    step = inner_w / number
    scale = inner_h / rows[-1]
    return el(
        "svg",
        _grid(plot, rows, width, height),
        *(
            _column(stack, plot.classes, LEFT + at * step, step, height, scale)
            for at, stack in enumerate(plot.stacks)
        ),
        _axis(plot.ticks, step, width, height),
        *(_mark(mark, LEFT + mark.at * step, width, height) for mark in plot.marks),
        viewBox=f"0 0 {width} {height}", class_="plot", role="img",
        aria_label=plot.label,
    )  # fmt: skip


def _grid(plot: Plot, rows: Sequence[float], width: int, height: int) -> Html:
    base, inner = height - BOTTOM, height - TOP - BOTTOM
    lines = []
    for value in rows:
        y = round(base - inner * value / rows[-1], 1)
        kind = "grid" if value else "base"
        lines.append(el("line", x1=LEFT, x2=width - RIGHT, y1=y, y2=y, class_=kind))
        label = plot.show(value)
        lines.append(el("text", label, x=LEFT - 6, y=y + 3.5, text_anchor="end"))
    return el("g", *lines, class_="axis")


def _column(
    stack: Stack,
    classes: Sequence[str],
    x: float,
    step: float,
    height: int,
    scale: float,
) -> Html | None:
    if not any(stack.parts):
        return None
    gap = 0.0 if step < 3 else min(2.0, step * 0.2)
    y = float(height - BOTTOM)
    parts = []
    for value, name in zip(stack.parts, classes, strict=True):
        if value:
            tall = max(value * scale, 1.0)  # what is there is seen
            y -= tall
            parts.append(
                el("rect", x=round(x + gap / 2, 2), y=round(y, 1),
                   width=round(step - gap, 2), height=round(tall, 1), class_=name)
            )  # fmt: skip
    hit = el("rect", x=round(x, 2), y=TOP, width=round(step, 2),
             height=height - TOP - BOTTOM, class_="hit")  # fmt: skip
    return el("g", *parts, hit, data_tip=stack.tip)


def _axis(marks: Sequence[Tick], step: float, width: int, height: int) -> Html:
    labels = []
    for mark in marks:
        x = round(LEFT + mark.at * step, 1)
        y = height - BOTTOM
        labels.append(el("line", x1=x, x2=x, y1=y, y2=y + 4, class_="base"))
        anchor = "end" if x > width - RIGHT - 14 else "middle"
        labels.append(el("text", mark.text, x=x, y=y + 17, text_anchor=anchor))
    return el("g", *labels, class_="axis")


def _mark(mark: Mark, x: float, width: int, height: int) -> Html:
    anchor = "end" if x > width * 0.75 else "start"
    shift = -4 if anchor == "end" else 4
    x = round(x, 1)
    line = el("line", x1=x, x2=x, y1=TOP - 6, y2=height - BOTTOM, class_="mark")
    text = el("text", mark.text, x=x + shift, y=TOP, text_anchor=anchor)
    return el("g", line, text, class_="marked", data_tip=mark.tip or False)


def bar(parts: Sequence[tuple[float, str]], whole: float) -> Html:
    """A bar of parts, each of which has a class; `whole` is the full width."""
    x = 0.0
    rects = []
    for value, name in parts:
        if value and whole:
            wide = max(100 * value / whole, 0.4)
            rects.append(
                el("rect", x=f"{x:.4g}%", y=0, width=f"{wide:.4g}%", height="100%",
                   class_=name)
            )  # fmt: skip
            x += wide
    return el("svg", *rects, class_="bar", aria_hidden="true")


def legend(entries: Sequence[tuple[str, str]]) -> Html:
    """Names of series with their colours: pairs of class and name."""
    items = (
        el("li", el("svg", el("rect", width=10, height=10, rx=2, class_=name),
                    width=10, height=10, aria_hidden="true"), text)
        for name, text in entries
    )  # fmt: skip
    return el("ul", join(items), class_="legend")
