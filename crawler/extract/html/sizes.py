"""The `sizes` attribute (HTML Standard, "parse a sizes attribute"), for one window.

Of media conditions the widths are understood, and of lengths px, em, rem, vw and sums
of them in `calc()`; anything else does not match, or counts as the whole window.
"""

from __future__ import annotations

import re

WINDOW = 1280
"""CSS pixels."""
_EM = 16
_MAX_SIZES = 2**12
_OUTER_COMMA = re.compile(r",(?![^(]*\))").split
_LENGTH = re.compile(r"([+-]?)\s*(\d+(?:\.\d+)?|\.\d+)(px|r?em|vw)", re.IGNORECASE)
_CONDITION = re.compile(
    r"\(\s*(min|max)-width\s*:\s*(\d+(?:\.\d+)?)(px|r?em)\s*\)", re.IGNORECASE
)
_UNITS = {"px": 1.0, "em": _EM, "rem": _EM, "vw": WINDOW / 100}


def width_by_sizes(sizes: str) -> float:
    """The width (CSS pixels) at which an image is shown in a window of 1280."""
    for one in _OUTER_COMMA(sizes[:_MAX_SIZES]):
        text = one.strip()
        conditions = _CONDITION.findall(text)
        condition, length = _split(text)
        if condition and not (conditions and all(map(_holds, conditions))):
            continue
        width = _width(length)
        if width is not None:
            return width
    return WINDOW


def _split(text: str) -> tuple[str, str]:
    """The media condition, and the length behind it."""
    if text.lower().startswith(("calc(", "min(", "max(", "clamp(")):
        return "", text
    condition, _, length = text.rpartition(")")
    if condition and length.strip():
        return f"{condition})", length
    start = text.lower().rfind("calc(")
    return (text[:start].strip(), text[start:]) if start >= 0 else ("", text)


def _holds(condition: tuple[str, str, str]) -> bool:
    side, number, unit = condition
    limit = float(number) * _UNITS[unit.lower()]
    return limit <= WINDOW if side.lower() == "min" else limit >= WINDOW


def _width(length: str) -> float | None:
    if "*" in length or "/" in length:
        return None
    parts = _LENGTH.findall(length)
    total = sum(
        (-1 if sign == "-" else 1) * float(number) * _UNITS[unit.lower()]
        for sign, number, unit in parts
    )
    return total if parts and total > 0 else None
