"""Sizes and durations: what a user may write, and the exact way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.model.units import exact_bytes, exact_seconds, parse_bytes, parse_seconds


def test_quantities() -> None:
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
def test_written_quantities_are_exact(number: int) -> None:
    assert parse_bytes(str(exact_bytes(number))) == number
    assert parse_seconds(str(exact_seconds(float(number)))) == number
