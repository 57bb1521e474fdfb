"""Possessive quantifiers match rightly, on Python 3.11.0 to 3.11.4, too."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from crawler.model.regex import compile_atomic, compiled
from tests.helpers.paths import ROOT

_ON_A_GROUP = re.compile(r"(?<!\()\)(?:[*+?]|\{\d*,?\d*\})\+")

_ENDS = [
    (r"(?:ab?c)*+", "a", 0, 0),  # python/cpython#106052
    (r"(?:(?!C).)++", "ABC", 0, 2),  # python/cpython#100061
    (r"(?:ab)*+", "ababa", 0, 4),
    (r"(?:ab){1,2}+", "abababa", 0, 4),
    (r"(?:ab)?+", "a", 0, 0),
    (r"(?:<(?:x[^>]*+>)?+|-)*+", "<-<x><xy", 0, 6),
    (r"(?=((?:ab)*+))a", "ababa", 1, 4),
    (r"(?:z|(?:ab)*+)(?(1)c|)(x)?", "aba", 0, 2),
    (r"((?:AB)++)", "ababa", 1, 4),
    (r"[^b]*+", "aab", 0, 2),
]


@pytest.mark.parametrize("compile_", [compiled, compile_atomic])
@pytest.mark.parametrize(("pattern", "text", "group", "end"), _ENDS)
def test_a_failed_repetition_matches_nothing(
    compile_: Callable[[str, int], re.Pattern[str]],
    pattern: str,
    text: str,
    group: int,
    end: int,
) -> None:
    found = compile_(pattern, re.IGNORECASE if "AB" in pattern else 0).match(text)
    assert found is not None
    assert found.end(group) == end


@pytest.mark.parametrize("compile_", [compiled, compile_atomic])
def test_nothing_is_given_back(
    compile_: Callable[[bytes, int], re.Pattern[bytes]],
) -> None:
    assert compile_(rb"(?:ab)*+ab", 0).match(b"abab") is None
    assert compile_(rb"(?:a.)*+b", re.DOTALL).match(b"a\nab") is None
    assert compile_(rb"(?P<x>a)*+(b)", 0).findall(b"aab") == [(b"a", b"b")]


def test_modules_with_possessive_groups_compile_by_our_function() -> None:
    """`re.compile` would match them wrongly on Python 3.11.0 to 3.11.4.

    An expression may be put together from pieces, so it is asked of whole modules.
    """
    sources = [
        path for room in ("crawler", "hub") for path in ROOT.glob(f"{room}/**/*.py")
    ]
    with_them = [
        path
        for path in sources
        if path.name != "regex.py" and _ON_A_GROUP.search(path.read_text("utf-8"))
    ]
    assert len(with_them) > 10
    for path in with_them:
        text = path.read_text("utf-8")
        assert "re.compile(" not in text, path
        calls = re.findall(r"\bre\.\w+\(.*", text)
        assert not list(filter(_ON_A_GROUP.search, calls)), path
