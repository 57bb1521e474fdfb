"""Depth, sizes and response times."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crawler.inspect.report.axes import Show, decades, show_ms, show_tick
from crawler.inspect.report.charts import Mark, Plot, Stack, Tick
from crawler.inspect.report.histogram import SHOWN_PER_DECADE, LogHistogram
from crawler.inspect.report.markup import Html, el, number, url_link
from crawler.inspect.report.report import Report, Section
from crawler.inspect.report.sections.parts import card, cards, plot_card, table
from crawler.model.units import counted, show_bytes

MAX_COLUMNS = 25
"""Depths that have a column of their own; the deeper ones share the last."""


def shape(report: Report) -> Section | None:
    found = report.found
    if not found.times.count and not found.depths:
        return None
    plots = [
        _depth_card(report) if found.depths else None,
        _log_card("Response time", found.times, show_ms, "time", "Whole exchanges"),
        _log_card("Size of pages", found.page_sizes, show_bytes, "page", "Decoded"),
        _log_card(
            "Size of pictures", found.picture_sizes, show_bytes, "image", "Files"
        ),
    ]
    lists = [
        _top_card("Slowest pages", found.slowest, show_ms),
        _top_card("Largest pages", found.largest, show_bytes),
    ]
    body = el("div", cards(*plots, kind="plots"), cards(*lists) if any(lists) else None)
    return Section("shape", "Depth, size, time", body)


def _depth_card(report: Report) -> Html:
    depths = report.found.depths
    last = min(max(depths), MAX_COLUMNS)
    counts = [0] * (last + 1)
    for depth, count in depths.items():
        counts[min(depth, last)] += count
    more = max(depths) > last
    names = [f"{n}+" if more and n == last else str(n) for n in range(last + 1)]
    every = 1 if last <= 12 else 5
    plot = Plot(
        f"Pages by depth, up to {max(depths)}",
        [
            Stack((n,), f"Depth {name}\n{counted(n, 'page')}")
            for n, name in zip(counts, names, strict=True)
        ],
        ("page",),
        [Tick(n + 0.5, names[n]) for n in range(0, last + 1, every)],
    )  # fmt: skip
    return plot_card("Depth of pages", plot, "Links from a seed")


def _log_card(
    title: str, found: LogHistogram, show: Show, kind: str, note: str
) -> Html | None:
    if not found.count:
        return None
    first, counts = found.shown()
    if len(counts) < SHOWN_PER_DECADE:  # room around a single column
        first -= 2
        counts = [0, 0, *counts, 0, 0]
        if first < 0:
            counts, first = counts[-first:], 0
    median, high = found.quantile(0.5), found.quantile(0.95)
    plot = Plot(
        f"{title}: half below {show(median)}, 95 % below {show(high)}",
        _log_stacks(first, counts, show),
        (kind,),
        _log_ticks(first, len(counts), show),
        _quantile_marks(found, first),
        show_tick,
    )
    text = f"{note}; half below {show(median)}, 95 % below {show(high)}"
    return plot_card(title, plot, text)


def _log_stacks(first: int, counts: Sequence[int], show: Show) -> list[Stack]:
    edges = [10 ** ((first + at) / SHOWN_PER_DECADE) for at in range(len(counts) + 1)]
    return [
        Stack((n,), f"{show(edges[at])} to {show(edges[at + 1])}\n{number(n)}")
        for at, n in enumerate(counts)
    ]


def _log_ticks(first: int, length: int, show: Show) -> list[Tick]:
    begin, end = first / SHOWN_PER_DECADE, (first + length) / SHOWN_PER_DECADE
    return [
        Tick(power * SHOWN_PER_DECADE - first, show(10.0**power))
        for power in decades(begin, end)
    ]


def _quantile_marks(found: LogHistogram, first: int) -> list[Mark]:
    median = found.quantile(0.5)
    return [Mark(math.log10(max(median, 1)) * SHOWN_PER_DECADE - first, "median")]


def _top_card(title: str, heap: Sequence[tuple[int, str]], show: Show) -> Html | None:
    rows = [
        (url_link(url), show(value))
        for value, url in sorted(heap, reverse=True)
        if value
    ]
    if not rows:
        return None
    return card(title, table([("", "grow"), ("", "num")], rows, title))
