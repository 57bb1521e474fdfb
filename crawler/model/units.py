"""Converts sizes and durations between the forms that people write and numbers.

No I/O. Sizes are those of wget and curl: K, M, G and T are powers of 1024, and B or iB
may follow. Durations are a number of seconds, or a sequence of numbers with the units
ms, s, m, h and d: `90`, `1.5s`, `2h30m`.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

# The unit lets the loader accept "2h" and "50M" where the number is meant.
# 31 years, which is about what a socket's time-out can be, are the most.
Seconds = Annotated[float, Meta(ge=0, le=1e9, extra={"unit": "seconds"})]
Bytes = Annotated[int, Meta(gt=0, extra={"unit": "bytes"})]
Count = Annotated[int, Meta(gt=0)]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE)
_SIZE_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", re.IGNORECASE)
_DURATION = re.compile(rf"(?:{_PART.pattern}\s*)+", re.IGNORECASE)
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

# No sensible value is longer, and int() of a huge string is slow.
_MAX_LENGTH = 40


def parse_bytes(text: str) -> int:
    """Parse a size (bytes): `"50M"` is 52428800.

    Raises ValueError with a message for the user.
    """
    match = _SIZE.fullmatch(text.strip()) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise ValueError(
            f"{text[:_MAX_LENGTH]!r} is not a valid size; "
            "write bytes, or 64K, 50M, 1.5G"
        )
    number, unit = match.groups()
    return (
        int(float(number) * _SIZE_UNITS[unit.lower()]) if unit else int(float(number))
    )


def parse_seconds(text: str) -> float:
    """Parse a duration (seconds): `"2h30m"` is 9000.0.

    Raises ValueError with a message for the user.
    """
    text = text.strip()
    if len(text) <= _MAX_LENGTH:
        if re.fullmatch(r"\d+(\.\d+)?|\.\d+", text):
            return float(text)
        if _DURATION.fullmatch(text):
            return sum(
                float(n) * _DURATION_UNITS[u.lower()] for n, u in _PART.findall(text)
            )
    raise ValueError(
        f"{text[:_MAX_LENGTH]!r} is not a valid duration; "
        "write seconds, or 500ms, 30s, 10m, 2h30m"
    )


def exact_bytes(number: int) -> int | str:
    """The shortest form that `parse_bytes` converts back to exactly `number`."""
    for unit in "GMK":
        size = _SIZE_UNITS[unit.lower()]
        if number and number % size == 0:
            return f"{number // size}{unit}"
    return number


def exact_seconds(number: float) -> float | int | str:
    """The shortest form that `parse_seconds` converts back to exactly `number`."""
    for unit in ("h", "m"):
        size = _DURATION_UNITS[unit]
        if number and number % size == 0 and number > 60:
            return f"{int(number // size)}{unit}"
    return int(number) if number == int(number) else number


RECEIVED = "with robots.txt and errors"
"""What the bytes count that a crawl has received (`HostUsage.wire_bytes`)."""


def counted(number: int, name: str) -> str:
    """`1 page`, `2 pages`: a number of things, whose plural has an s."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def is_or_are(number: int) -> str:
    """The verb of so many things: `1 URL is`, `2 URLs are`."""
    return "is" if number == 1 else "are"


def show_bytes(number: float) -> str:
    """Format a size to show: `1.23 MB`, `456 kB` (decimal, as in file managers)."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def show_seconds(number: float) -> str:
    """Format a duration to show: `0.4 s`, `12 s`, `3:07`, `1:02:03`, `2 d 03:00`."""
    if number < 9.95:
        return f"{number:.1f} s"
    whole = round(number)
    if whole < 60:
        return f"{whole} s"
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02}:{minutes:02}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def show_moment(at: float, now: float) -> str:
    """A time of day, with the date if that is not the one of `now`.

    Both are seconds since the epoch.
    """
    from datetime import datetime  # for few commands

    moment = datetime.fromtimestamp(at)
    same_day = moment.date() == datetime.fromtimestamp(now).date()
    return moment.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")
