"""date: the cookie dates of RFC 6265bis section 5.1.1."""

from __future__ import annotations

import pytest

from crawler.fetch.cookies.date import parse_date

NOVEMBER = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
DATES: list[tuple[str, int | None]] = [
    ("Sun, 06 Nov 1994 08:49:37 GMT", NOVEMBER),
    ("Sunday, 06-Nov-94 08:49:37 GMT", NOVEMBER),
    ("Sun Nov  6 08:49:37 1994", NOVEMBER),
    ("06 Nov 1994 08:49:37", NOVEMBER),
    ("1994 Nov 6 08:49:37", NOVEMBER),
    ("94 6 Nov 08:49:37", None),
    ("08:49:37 6 Nov 94", NOVEMBER),
    ("Nov 6 94 08:49:37", NOVEMBER),
    ("6 nov 94 8:49:37", NOVEMBER),
    ("6 NOVEMBER 94 08:49:37", NOVEMBER),
    ("6 Novgorod 94 08:49:37", NOVEMBER),
    ("6th Nov 1994 08:49:37", NOVEMBER),
    ("6 Nov 1994AD 08:49:37UTC", NOVEMBER),
    ("6-Nov-1994/08:49:37", NOVEMBER),
    ("6 Nov 1994 08:49:37 +0200", NOVEMBER),
    ("6 Nov 1994 08:49:37 99 Dec 7 9:9:9", NOVEMBER),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
    ("1 Jan 00 00:00:00", 946684800),
    ("1 Jan 69 00:00:00", 3124224000),
    ("1 Jan 70 00:00:00", 0),
    ("1 Jan 99 00:00:00", 915148800),
    ("1 Jan 100 00:00:00", None),
    ("1 Jan 1600 00:00:00", None),
    ("1 Jan 1601 00:00:00", -11644473600),
    ("1 Jan 9999 00:00:00", 253370764800),
    ("1 Jan 10000 00:00:00", None),
    ("29 Feb 2023 00:00:00", None),
    ("29 Feb 2024 00:00:00", 1709164800),
    ("31 Apr 2024 00:00:00", None),
    ("0 Jan 2024 00:00:00", None),
    ("32 Jan 2024 00:00:00", None),
    ("1 Jan 2024 24:00:00", None),
    ("1 Jan 2024 00:60:00", None),
    ("1 Jan 2024 00:00:60", None),
    ("1 Jan 2024 0:0:0", 1704067200),
    ("1 Jan 2024 000:00:00", None),
    ("1 Jan 2024 00:00", None),
    ("1 Foo 2024 00:00:00", None),
    ("Jan 2024 00:00:00", None),
    ("1 2024 00:00:00", None),
    ("1 Jan 00:00:00", None),
    ("٦ Nov 1994 08:49:37", None),
    ("", None),
    ("tomorrow", None),
]


@pytest.mark.parametrize(("text", "moment"), DATES)
def test_dates(text: str, moment: int | None) -> None:
    assert parse_date(text) == moment
