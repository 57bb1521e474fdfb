"""Moments as people write them, in UTC: the reader may be anywhere."""

from __future__ import annotations

from datetime import UTC, datetime


def day_and_time(at: float) -> str:
    """`30 November 2026, 17:36 UTC`."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{_day(moment)}, {moment:%H:%M} UTC"


def time_span(began: float, ended: float) -> str:
    """`30 November 2026, 17:36 to 18:02 UTC`, with both days where they differ."""
    first, last = (datetime.fromtimestamp(at, UTC) for at in (began, ended))
    if first.date() != last.date():
        return f"{_day(first)}, {first:%H:%M} to {_day(last)}, {last:%H:%M} UTC"
    if f"{first:%H:%M}" == f"{last:%H:%M}":
        return f"{_day(first)}, {first:%H:%M} UTC"
    return f"{_day(first)}, {first:%H:%M} to {last:%H:%M} UTC"


def clock(at: float) -> str:
    """`17:36:06`."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
