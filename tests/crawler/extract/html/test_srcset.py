"""crawler/extract/html/srcset.py: the standard's algorithm, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.extract.html.srcset import parse_srcset
from tests.helpers.cpu import cpu_within


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ("a", ["a"]),
        ("  a  ", ["a"]),
        ("a 1x, b 2x", ["a", "b"]),
        ("a,b", ["a,b"]),
        ("a, b", ["a", "b"]),
        ("a,, b ,c", ["a", "b", "c"]),
        (",a", ["a"]),
        (", ,a,", ["a"]),
        (",", []),
        ("", []),
        ("\t\n\f\r a\t1x\n,\fb", ["a", "b"]),
        ("data:image/png;base64,AA== 1x, b 2x", ["data:image/png;base64,AA==", "b"]),
        ("a 100w, b 200w 50h", ["a", "b"]),
        ("a 50h", []),
        ("a 0w, b 100w", ["b"]),
        ("a -1x, b 1x", ["b"]),
        ("a 1.5x, b .5x, c 1e2x, d 1.x, e +1x", ["a", "b", "c"]),
        ("a 1x 2x, b", ["b"]),
        ("a 1w 1x, b", ["b"]),
        ("a 1w 1w, b", ["b"]),
        ("a 1.5w, b", ["b"]),
        ("a 1W, b 1X", []),
        ("a foo, b", ["b"]),
        ("a (x, y) 1x, b", ["b"]),
        ("a (x, b 1x", []),
        ("a ٣x, b", ["b"]),
        ("a 1x,b 2x", ["a", "b"]),
        ("a b c d", []),
    ],
)
def test_candidates(value: str, urls: list[str]) -> None:
    assert [candidate.url for candidate in parse_srcset(value)] == urls


def test_widths() -> None:
    assert parse_srcset("a 320w, b 640w 480h, c 2x, d") == [
        ("a", 320, None), ("b", 640, None), ("c", None, 2.0), ("d", None, None),
    ]  # fmt: skip


@given(st.text(alphabet="a1wxh.,()- \t\u3000", max_size=40))
def test_any_text(value: str) -> None:
    for url, width, _ in parse_srcset(value):
        assert url in value
        assert url[0] not in ", \t"
        assert not url.endswith(",")
        assert width is None or width > 0


@pytest.mark.parametrize(
    "piece", [",", "a ", "a (", "(", "a,", "a 1x", " 1", "a 1x 1x"]
)
def test_time_is_linear(piece: str) -> None:
    with cpu_within(1):
        parse_srcset(piece * 100_000)
