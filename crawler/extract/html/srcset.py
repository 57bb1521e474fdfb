"""The `srcset` attribute (HTML Standard, 4.8.4.3.11 "parsing a srcset attribute")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from crawler.model.documents import LeaveOut, say_nothing
from crawler.model.regex import compiled

_SPACE = r"\t\n\f\r "
_URL = compiled(rf"[{_SPACE},]*+([^{_SPACE}]++)").match
# Descriptors end at a comma outside parentheses; one that is never closed takes all.
_DESCRIPTORS = compiled(r"(?:[^,(]++|\([^)]*+(?:\)|\Z))*+,?+").match
_DESCRIPTOR = compiled(
    r"(\d+)([wh])|(-?)(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?x"
).fullmatch


MAX_CANDIDATES = 1000
"""Candidates of one attribute; the rest is ignored."""


class Candidate(NamedTuple):
    """One image of several."""

    url: str
    """As written."""
    width: int | None
    """Pixels; None: no width descriptor."""
    density: float | None = None
    """Image pixels for a pixel of the screen; None: no such descriptor."""


def parse_srcset(value: str, leave_out: LeaveOut = say_nothing) -> list[Candidate]:
    """The candidates of `value`, in order, without those with invalid descriptors."""
    candidates: list[Candidate] = []
    position = 0
    while len(candidates) < MAX_CANDIDATES and (found := _URL(value, position)):
        url, position = found[1], found.end()
        if url.endswith(","):
            candidates.append(Candidate(url.rstrip(","), None))
            continue
        descriptors = _DESCRIPTORS(value, position)
        assert descriptors is not None  # it matches the empty string too
        position = descriptors.end()
        valid, width, density = _read(descriptors[0].rstrip(",").split())
        if valid:
            candidates.append(Candidate(url, width, density))
    if len(candidates) >= MAX_CANDIDATES and _URL(value, position):
        leave_out("links")
    return [candidate for candidate in candidates if candidate.url]


def _read(descriptors: list[str]) -> tuple[bool, int | None, float | None]:
    """Whether the descriptors are a valid combination; the width and density."""
    width: int | None = None
    density: float | None = None
    seen: set[str] = set()
    for text in descriptors:
        found = _DESCRIPTOR(text)
        if not found or found[3] or not text.isascii():
            return False, None, None
        unit = text[-1]
        if unit in seen or (unit != "x" and int(found[1][:12]) == 0):
            return False, None, None
        seen.add(unit)
        if unit == "w":
            width = int(found[1][:12])
        elif unit == "x":
            density = float(text[:-1][:20])
    together = seen <= {"w", "h"} or seen == {"x"}
    return together and not ("h" in seen and "w" not in seen), width, density


def candidate_spans(value: str) -> Iterator[tuple[int, int]]:
    """Where the URLs of the candidates of `value` stand, invalid ones included."""
    position = 0
    while found := _URL(value, position):
        start, end = found.span(1)
        position = end
        if value[end - 1] == ",":
            end = start + len(value[start:end].rstrip(","))
        elif (descriptors := _DESCRIPTORS(value, end)) is not None:
            position = descriptors.end()
        if start < end:
            yield start, end
