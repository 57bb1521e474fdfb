"""The crawl over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crawler.inspect.report.axes import show_tick, show_time_tick, time_step
from crawler.inspect.report.charts import Mark, Plot, Stack, Tick, draw, legend
from crawler.inspect.report.markup import Html, el, number
from crawler.inspect.report.report import Report, Section
from crawler.inspect.report.sections.parts import card
from crawler.inspect.report.timeline import KINDS, Column, Pause, Timeline
from crawler.inspect.report.times import clock
from crawler.model.units import show_bytes, show_seconds

NAMES = {"page": "Pages", "image": "Pictures", "other": "Other", "error": "Failed"}
WIDE, NARROW = (1240, 240, 124), (340, 200, 36)
"""Width, height (pixels) and most columns of a plot, for two widths of the window."""
MIN_LENGTH_S = 1.0
"""A crawl that took less time has no course to be shown (seconds)."""
MIN_URLS, MIN_COLUMNS = 5, 24
"""Columns are so wide that one has so many URLs, but there are so many columns."""
MAX_PAUSES = 12
"""Pauses that are drawn, the longest ones."""

_MakePlot = Callable[[Timeline, Sequence[Column], float, int], Plot]


def activity(report: Report) -> Section | None:
    timeline = report.found.timeline
    if timeline.length_s < MIN_LENGTH_S:
        return None
    urls = card(
        "URLs", legend([(kind, NAMES[kind]) for kind in _kinds_of(report)]),
        _both(timeline, _urls_plot), note=_unit_note(timeline), wide=True,
    )  # fmt: skip
    received = card(
        "Received", _both(timeline, _bytes_plot), wide=True,
        note="Bytes of bodies as they came, per second",
    )  # fmt: skip
    return Section("time", "Over time", el("div", urls, received, class_="cards"))


def _kinds_of(report: Report) -> list[str]:
    """The kinds of which there are any."""
    counts = report.found.counts
    others = counts["file"] + counts["redirect"]
    return [kind for kind in KINDS if (others if kind == "other" else counts[kind])]


def _unit_note(timeline: Timeline) -> str:
    unit = "minute" if _per_s(timeline) == 60 else "second"
    pauses = "; a dashed line is a pause between two runs" if timeline.pauses else ""
    return f"URLs that ended, per {unit} of crawling{pauses}"


def _per_s(timeline: Timeline) -> int:
    """60 where less than a URL a second ends: numbers per minute are read better."""
    ended = sum(sum(one.counts) for one in timeline.columns(max(timeline.length_s, 1)))
    return 60 if ended < timeline.length_s else 1


def _both(timeline: Timeline, make: _MakePlot) -> Html:
    """The plot twice: the style sheet shows the one that fits the window."""
    drawn = []
    urls = sum(sum(one.counts) for one in timeline.columns(timeline.length_s))
    for name, (width, height, most) in (("large", WIDE), ("small", NARROW)):
        few = max(urls // MIN_URLS, MIN_COLUMNS)
        step = time_step(timeline.length_s, min(most, few))
        plot = make(timeline, timeline.columns(step), step, 10 if most > 50 else 4)
        drawn.append(el("div", draw(plot, width, height), class_=name))
    return el("div", *drawn)


def _urls_plot(
    timeline: Timeline, columns: Sequence[Column], step: float, most_ticks: int
) -> Plot:
    factor = _per_s(timeline)
    stacks = [
        Stack(
            tuple(
                count * factor / _length(timeline, one, step) for count in one.counts
            ),
            _urls_tip(one),
        )
        for one in columns
    ]
    return Plot(
        f"URLs over time: {number(sum(sum(one.counts) for one in columns))} in "
        f"{show_seconds(timeline.length_s)}",
        stacks, KINDS, _time_ticks(columns, step, most_ticks),
        _pause_marks(timeline.pauses, step), show_tick,
    )  # fmt: skip


def _urls_tip(one: Column) -> str:
    counts = zip(KINDS, one.counts, strict=True)
    parts = [f"{NAMES[kind]} {number(count)}" for kind, count in counts if count]
    return "\n".join([f"{clock(one.clock)} UTC", *parts])


def _bytes_plot(
    timeline: Timeline, columns: Sequence[Column], step: float, most_ticks: int
) -> Plot:
    stacks = [
        Stack((rate,), f"{clock(one.clock)} UTC\n{show_bytes(rate)}/s")
        for one in columns
        for rate in (one.received / _length(timeline, one, step),)
    ]
    return Plot(
        f"Bytes over time: {show_bytes(sum(one.received for one in columns))}",
        stacks, ("bytes",), _time_ticks(columns, step, most_ticks),
        _pause_marks(timeline.pauses, step), show_bytes,
    )  # fmt: skip


def _length(timeline: Timeline, one: Column, step: float) -> float:
    """The seconds that a column stands for: the last one ends with the crawl.

    At least a quarter of the others, since of a shorter time no rate can be told.
    """
    return max(min(step, timeline.length_s - one.start_s), step / 4)


def _time_ticks(columns: Sequence[Column], step: float, most: int) -> list[Tick]:
    length = len(columns) * step
    every = max(time_step(length, most), step)
    return [
        Tick(n * every / step, show_time_tick(n * every))
        for n in range(int(length / every) + 1)
    ]


def _pause_marks(pauses: Sequence[Pause], step: float) -> list[Mark]:
    longest = sorted(pauses, key=lambda pause: -pause.length_s)[:MAX_PAUSES]
    return [
        Mark(one.at_s / step, "", f"Pause of {show_seconds(one.length_s)}")
        for one in longest
    ]
