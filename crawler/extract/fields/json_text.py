"""JSON of the web, as values that a record can hold."""

from __future__ import annotations

import json
import math
import re
from typing import Any

# Each escape, so that a backslash that is itself escaped begins none. A pair of
# surrogates is one character; the group is a surrogate that stands alone.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def load(text: str) -> Any:
    """`text` as JSON. Raises ValueError and RecursionError.

    A lone surrogate becomes U+FFFD, since UTF-8 has none. An integer beyond 64 bits
    becomes a float, and a number that is no finite float (`NaN`, 1e999) null.
    """
    if "\\u" in text:
        text = _ESCAPE.sub(_whole, text)
    return json.loads(
        text.removeprefix("\ufeff"),
        parse_int=_integer,
        parse_float=_finite,
        parse_constant=_finite,
    )


def _whole(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape[1] else escape[0]


def _integer(text: str) -> int | float | None:
    if len(text) <= 20:
        number = int(text)
        if -(2**63) <= number < 2**63:
            return number
    return _finite(text)


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None
