"""The types of fields: how a value becomes one of them, or None if it does not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import Any

from crawler.extract.fields.errors import RuleError

Convert = Callable[[Any], Any]

MAX_DATE = 100
"""Characters of a text that is tried as a date."""

MAX_DIGITS = 20
"""Characters of a text that can be an integer of 64 bits."""

_NUMBER = re.compile(r"[-+\u2212]?\d(?:[\d.,'\u2019\s\u00a0\u202f]*\d)?")
_GROUPS = re.compile(r"[\s\u00a0\u202f'\u2019]")
_TRUE = frozenset(("true", "yes", "1", "on", "y"))
_FALSE = frozenset(("false", "no", "0", "off", "n", ""))


def to_str(value: Any) -> str | None:
    """Text; a number as it is written, and no text for an object."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if isinstance(value, (dict, list)) else str(value)


def to_float(value: Any) -> float | None:
    """The first number of a text: `1,234.50`, `1.234,50`, `1 234` and `-3`.

    A single comma or point with three digits behind is a separator of thousands if it
    is a comma, and a decimal point otherwise.
    """
    if not isinstance(value, (bool, int, float)):
        value = _number(value)
    try:
        number = float(value) if value is not None else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and math.isfinite(number) else None


def _number(value: Any) -> str | None:
    """The first number of a text, as Python writes it."""
    found = _NUMBER.search(value) if isinstance(value, str) else None
    if found is None:
        return None
    text = _GROUPS.sub("", found[0]).replace("\u2212", "-")
    comma, point = text.rfind(","), text.rfind(".")
    if comma >= 0 and point >= 0:
        decimal = "," if comma > point else "."
        text = text.replace("." if decimal == "," else ",", "").replace(",", ".")
    elif comma >= 0:
        one = text.count(",") == 1 and len(text) - comma != 4
        text = text.replace(",", "." if one else "")
    elif text.count(".") > 1:
        text = text.replace(".", "")
    return text


def to_int(value: Any) -> int | None:
    """The first number of a text, if it is whole and has at most 64 bits."""
    if isinstance(value, int):
        return int(value)
    text = None if isinstance(value, float) else _number(value)
    if text is not None and "." not in text and len(text) <= MAX_DIGITS:
        number = int(text)  # exact, where a float has 53 bits
    else:
        real = to_float(value)
        if real is None or not real.is_integer():
            return None
        number = int(real)
    return number if -(2**63) <= number < 2**63 else None


def to_bool(value: Any) -> bool | None:
    """`true`, `yes`, `1`, `on`, and their opposites."""
    if isinstance(value, (bool, int, float)):
        return bool(value)
    word = str(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _object(value: Any) -> Any:
    return value if isinstance(value, (dict, list)) else None


def date() -> Convert:
    """Dates as ISO 8601, of any form that dateparser knows (extra `fields`)."""
    _needs("date", "dateparser")

    def convert(value: Any) -> str | None:
        text = str(value).strip()
        if not text or len(text) > MAX_DATE:
            return None
        for read in (datetime.fromisoformat, parsedate_to_datetime, _any_date):
            try:
                found = read(text)
            except (ValueError, TypeError, OverflowError):
                continue
            if found is not None:
                midnight = found.time() == datetime.min.time() and not found.tzinfo
                return found.date().isoformat() if midnight else found.isoformat()
        return None

    return convert


def _any_date(text: str) -> datetime | None:
    import dateparser

    settings = {
        "STRICT_PARSING": True,
        "TIMEZONE": "UTC",  # not that of this machine
        # No "now" and no "2 hours ago": what they mean depends on when they are read.
        "PARSERS": ["timestamp", "custom-formats", "absolute-time"],
    }
    found: datetime | None = dateparser.parse(text, settings=settings)
    return found


def price() -> Convert:
    """The amount of a price, a float (price-parser, extra `fields`)."""
    return _price("price", lambda parsed: parsed.amount_float)


def currency() -> Convert:
    """The currency of a price, as it is written there."""
    return _price("currency", lambda parsed: parsed.currency)


def _price(name: str, part: Callable[[Any], Any]) -> Convert:
    _needs(name, "price_parser")

    def convert(value: Any) -> Any:
        from price_parser import Price

        if isinstance(value, (int, float)):
            return float(value) if name == "price" else None
        return part(Price.fromstring(str(value)[:MAX_DATE]))

    return convert


def _needs(name: str, module: str) -> None:
    if find_spec(module) is None:
        package = module.replace("_", "-")
        raise RuleError(f"{name} needs {package}: pip install 'orbweb[fields]'")


TYPES: Mapping[str, Callable[[], Convert]] = {
    "str": lambda: to_str,
    "int": lambda: to_int,
    "float": lambda: to_float,
    "bool": lambda: to_bool,
    "date": date,
    "url": lambda: to_str,
    "price": price,
    "list": lambda: to_str,
    "object": lambda: _object,
}
"""How a value becomes one of a type. `url` is joined to the page's base afterwards."""

ZEROS: Mapping[str, Any] = {
    "str": "", "int": 0, "float": 0.0, "bool": False, "date": "", "url": "",
    "price": 0.0, "list": [""], "object": {},
}  # fmt: skip
"""A value of each type, for the schema line."""
