"""Dates as web pages write them, as ISO 8601 text.

A date is read only if it can mean nothing else: ISO 8601 and its near relations, and
dates with the English name of a month (RFC 9110, RFC 5322). `03/04/2026` is none, since
it is a day in March or in April. What is not told (seconds, the offset from UTC, the
time of day) is not added.
"""

from __future__ import annotations

import re
from datetime import date, time

_MAX = 100
"""Characters of a text that may be a date."""
_TIME = (
    r"(?:(?:T|t|,? ++(?:at )?)(\d\d?):?(\d\d)(?::?(\d\d)(?:[.,]\d++)?)?"
    r" ?(Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?: ?\([A-Za-z ]++\))?)?"
)
_ISO = re.compile(
    r"([1-9]\d{3})(?:([-/.])(\d\d?)(?:\2(\d\d?)" + _TIME + ")?)?", re.ASCII
).fullmatch
_COMPACT = re.compile(r"([1-9]\d{3})()(\d\d)(\d\d)" + _TIME, re.ASCII).fullmatch
_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = _MONTH_NAMES.split()
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*+\.?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*+\.?,? ++)?"
_DAY_FIRST = re.compile(
    rf"{_WEEKDAY}(\d\d?)(?:st|nd|rd|th)?[ -]{_MONTH},?[ -]([1-9]\d{{3}}){_TIME}",
    re.IGNORECASE | re.ASCII,
).fullmatch
_MONTH_FIRST = re.compile(
    rf"{_WEEKDAY}{_MONTH} (\d\d?)(?:st|nd|rd|th)?,? ([1-9]\d{{3}}){_TIME}",
    re.IGNORECASE | re.ASCII,
).fullmatch


def iso_date(text: str) -> str | None:
    """`text` as ISO 8601, as precise as it is; None: it is no date."""
    text = " ".join(text[: 2 * _MAX].split())
    if len(text) > _MAX:
        return None
    if found := _ISO(text) or _COMPACT(text):
        year, _, month, day, *clock = found.groups()
    elif found := _DAY_FIRST(text):
        day, month, year, *clock = found.groups()
    elif found := _MONTH_FIRST(text):
        month, day, year, *clock = found.groups()
    else:
        return None
    if month and not month.isdigit():
        month = str(_MONTHS.index(month.lower()) + 1)
    try:
        return _written(year, month, day) + (_clock(*clock) if clock[0] else "")
    except ValueError:  # there is no such day, or no such time
        return None


def _written(year: str, month: str | None, day: str | None) -> str:
    whole = date(int(year), int(month or 1), int(day or 1)).isoformat()
    return whole if day else whole[:7] if month else whole[:4]


def _clock(hour: str, minute: str, second: str | None, zone: str | None) -> str:
    second = second and f"{min(int(second), 59):02d}"  # 60 is a leap second
    written = time(int(hour), int(minute), int(second or 0)).isoformat(
        "seconds" if second else "minutes"
    )
    return "T" + written + _offset(zone)


def _offset(zone: str | None) -> str:
    if zone is None:
        return ""
    digits = zone[1:].replace(":", "").ljust(4, "0")
    if zone[0] not in "+-" or digits == "0000":
        return "Z"
    offset = time(int(digits[:2]), int(digits[2:])).isoformat("minutes")
    return zone[0] + offset
