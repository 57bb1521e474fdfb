"""Dates as pages write them, as ISO 8601."""

from __future__ import annotations

import pytest

from crawler.extract.dates import iso_date


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-11-30T08:15:00+01:00", "2026-11-30T08:15:00+01:00"),
        (" 2026-11-30T08:15:00.123Z ", "2026-11-30T08:15:00Z"),
        ("2026-11-30T08:15:00+0000", "2026-11-30T08:15:00Z"),
        ("2026-11-30T08:15:00-05", "2026-11-30T08:15:00-05:00"),
        ("2026-11-30 8:15", "2026-11-30T08:15"),
        ("2026-11-30, 08:15:07 UTC", "2026-11-30T08:15:07Z"),
        ("2026-11-30", "2026-11-30"),
        ("2026/1/3", "2026-01-03"),
        ("20261130T081500Z", "2026-11-30T08:15:00Z"),
        ("20261130", "2026-11-30"),
        ("2026-11", "2026-11"),
        ("2026", "2026"),
        ("Mon, 30 Nov 2026 08:15:00 GMT", "2026-11-30T08:15:00Z"),
        ("Mon Nov 30, 2026", "2026-11-30"),
        ("30 November 2026", "2026-11-30"),
        ("November 3rd, 2026 at 08:15", "2026-11-03T08:15"),
        ("Sept. 3, 2026", "2026-09-03"),
        ("2024-02-29T23:59:60Z", "2024-02-29T23:59:59Z"),
    ],
)
def test_a_date_is_normalised(text: str, date: str) -> None:
    assert iso_date(text) == date
    assert iso_date(date) == date


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "03/04/2026", "2026-02-30", "2026-13-01", "0000-00-00",
        "0001-01-01T00:00:00Z", "2026-11-30T25:00:00Z", "2026-11-30T08:15:00+99:00",
        "{{ date }}", "1764490500", "2026-11-30 " + "x" * 100_000, "30 Foo 2026",
        "2026-11-30T08:15:00+01:00 and more", "٢٠٢٦-١١-٣٠",
    ],
)  # fmt: skip
def test_what_is_no_date_or_may_be_two_is_none(text: str) -> None:
    assert iso_date(text) is None
