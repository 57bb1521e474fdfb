"""units: parsing sizes and durations, exact forms, and forms to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.model.units import (
    counted,
    exact_bytes,
    exact_seconds,
    is_or_are,
    parse_bytes,
    parse_seconds,
    show_bytes,
    show_seconds,
)


def test_parsing() -> None:
    sizes = ("0", "10", "1k", "50M", "1.5G", "2 MiB", "1T", "7b")
    assert [parse_bytes(text) for text in sizes] == [
        0, 10, 1024, 50 * 2**20, 3 * 2**29, 2 * 2**20, 2**40, 7
    ]  # fmt: skip
    durations = ("0", "90", ".5", "500ms", "2h30m", "1 d", "1m 1.5s")
    assert [parse_seconds(text) for text in durations] == [
        0, 90, 0.5, 0.5, 9000, 86400, 61.5
    ]  # fmt: skip
    for wrong in ("", "-1", "x", "1e9", "5 apples", "9" * 100, "1h-1m"):
        for parse in (parse_bytes, parse_seconds):
            with pytest.raises(ValueError, match="write"):
                parse(wrong)


@given(st.integers(0, 2**45))
def test_the_exact_form_is_parsed_to_the_same_number(number: int) -> None:
    assert parse_bytes(str(exact_bytes(number))) == number
    assert parse_seconds(str(exact_seconds(float(number)))) == number


def test_forms_to_show() -> None:
    assert [show_bytes(n) for n in (0, 999, 1000, 123_456, 999_600, 5e13)] == [
        "0 B", "999 B", "1 kB", "123 kB", "1 MB", "50 TB"
    ]  # fmt: skip
    assert [show_seconds(n) for n in (0.04, 9.94, 9.96, 59.4, 60, 3661, 90061)] == [
        "0.0 s", "9.9 s", "10 s", "59 s", "1:00", "1:01:01", "1 d 01:01"
    ]  # fmt: skip


def test_one_thing_has_no_plural() -> None:
    assert [counted(number, "page") for number in (0, 1, 2, 1001)] == [
        "0 pages",
        "1 page",
        "2 pages",
        "1,001 pages",
    ]
    assert [is_or_are(number) for number in (0, 1, 2)] == ["are", "is", "are"]
