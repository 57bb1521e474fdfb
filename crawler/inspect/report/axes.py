"""Ticks of axes: round numbers, durations people say, and powers of ten."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
STEPS_S = (
    1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 5, 10, 15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE,
    10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR,
    12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY, 90 * _DAY, 365 * _DAY,
)  # fmt: skip
"""Lengths of time that a column or a tick may stand for (seconds)."""


def ticks(top: float, most: int = 5) -> list[float]:
    """Round numbers from 0 to at least `top`, at most `most` steps: 0, 20, 40, 60."""
    if top <= 0:
        return [0.0, 1.0]
    step = 10 ** math.floor(math.log10(top / most))
    factor = next(one for one in (1, 2, 5, 10) if one * step * most >= top)
    step *= factor
    return [step * n for n in range(math.ceil(round(top / step, 6)) + 1)]


def time_step(length_s: float, most: int) -> float:
    """The shortest of STEPS_S of which at most so many are in `length_s`."""
    fitting = (step for step in STEPS_S if length_s / step <= most)
    return next(fitting, math.ceil(length_s / most / _DAY) * _DAY)


def show_tick(value: float) -> str:
    """A number on an axis: 0, 0.5, 20, 1.5k, 2M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def show_time_tick(seconds: float) -> str:
    """0, 30 s, 5 min, 1 h, 1 h 30, 2 d."""
    if seconds < _MINUTE:
        return f"{seconds:g} s" if seconds else "0"
    minutes = round(seconds / _MINUTE, 1)
    if minutes < 60:
        return f"{minutes:g} min"
    hours, minutes = divmod(round(minutes), 60)
    if hours < 48 or hours % 24:
        return f"{hours} h {minutes:02}" if minutes else f"{hours} h"
    return f"{hours // 24} d"


def show_ms(value: float) -> str:
    """A duration given in milliseconds: 8 ms, 120 ms, 1.2 s, 3:07."""
    if value < 999.5:
        return f"{value:.0f} ms" if value >= 9.5 else f"{value:.2g} ms"
    if value < 59_950:
        return f"{value / 1000:.3g} s"
    minutes, seconds = divmod(round(value / 1000), 60)
    return f"{minutes}:{seconds:02}"


def decades(first: float, last: float) -> Sequence[int]:
    """The powers of ten from `first` to `last`, both logarithms."""
    return range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)


Show = Callable[[float], str]
