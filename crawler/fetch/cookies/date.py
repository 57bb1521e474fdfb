"""Parses the dates in cookies, as leniently as RFC 6265bis section 5.1.1 demands.

No I/O.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DELIMITER = re.compile(r"[\t -/;-@\[-`{-~]+")
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\D.*)?", re.ASCII | re.DOTALL)
_DAY = re.compile(r"(\d{1,2})(?:\D.*)?", re.ASCII | re.DOTALL)
_YEAR = re.compile(r"(\d{2,4})(?:\D.*)?", re.ASCII | re.DOTALL)
_MONTHS = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)


def parse_date(text: str) -> int | None:
    """Seconds since the epoch (negative before it); None if `text` is not a date.

    The first token that can be a time is the time, the first of the remaining tokens
    that can be a day is the day, and so on. Their order does not matter, and unknown
    words between them are ignored.

    >>> parse_date("Sun, 06 Nov 1994 08:49:37 GMT")
    784111777
    """
    time: tuple[int, ...] | None = None
    day = month = year = None
    for token in _DELIMITER.split(text):
        if time is None and (match := _TIME.fullmatch(token)):
            time = tuple(map(int, match.groups()))
        elif day is None and (match := _DAY.fullmatch(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := _YEAR.fullmatch(token)):
            year = _full_year(int(match[1]))
    if time is None or day is None or month is None or year is None:
        return None
    return _moment(year, month, day, time)


def _full_year(year: int) -> int:
    if 70 <= year <= 99:
        return year + 1900
    return year + 2000 if year <= 69 else year


def _moment(year: int, month: int, day: int, time: tuple[int, ...]) -> int | None:
    hour, minute, second = time
    if year < 1601 or hour > 23 or minute > 59 or second > 59:
        return None
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp())
