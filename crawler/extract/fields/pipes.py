"""The pipes: what a selector's values go through, one after another.

A pipe takes one value and gives one, or None for nothing; those in `WHOLE` take the
list of all values and give another list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from crawler.extract.fields import types
from crawler.extract.fields.errors import RuleError, near
from crawler.extract.fields.sources import compile_regex

Values = list[Any]
Pipe = Callable[[Values], Values]

_ARGUMENT = re.compile(
    r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^,'"()\s][^,()]*))\s*(?:,|\Z)"""
)


def compile_pipe(text: str) -> Pipe:
    """`strip`, `replace(",", ".")`. Raises RuleError."""
    name, opened, rest = text.strip().partition("(")
    name = name.strip()
    if opened and not rest.endswith(")"):
        raise RuleError(f"pipe {text.strip()!r}: the bracket is not closed")
    arguments = _arguments(rest[:-1] if opened else "", text)
    if name in EACH:
        make, count = EACH[name]
        _check_count(name, count, arguments)
        return partial(_each, make(*arguments))
    if name in WHOLE:
        make, count = WHOLE[name]
        _check_count(name, count, arguments)
        return make(*arguments)
    raise RuleError(f"there is no pipe {name!r}{near(name, names())}")


def names() -> set[str]:
    """The names of all pipes."""
    return {*EACH, *WHOLE}


def _arguments(text: str, pipe: str) -> list[str]:
    found: list[str] = []
    position = 0
    while position < len(text.rstrip()):
        match = _ARGUMENT.match(text, position)
        if match is None:
            raise RuleError(f"pipe {pipe.strip()!r}: write its arguments in quotes")
        double, single, bare = match.groups()
        quoted = double if double is not None else single
        found.append(
            bare.strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        )
        position = match.end()
    return found


def _check_count(name: str, count: tuple[int, int], arguments: Sequence[str]) -> None:
    least, most = count
    if not least <= len(arguments) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise RuleError(f"pipe {name}: takes {wanted} arguments, not {len(arguments)}")


def _each(change: Callable[[Any], Any], values: Values) -> Values:
    changed = (change(value) for value in values)
    return [value for value in changed if value is not None]


def _text(change: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: change(value if isinstance(value, str) else str(value))


def _re(pattern: str) -> Callable[[Any], Any]:
    find = compile_regex("re", pattern)
    return _text(lambda value: next(iter(find(value)), None))


EACH: Mapping[str, tuple[Callable[..., Callable[[Any], Any]], tuple[int, int]]] = {
    "strip": (lambda *chars: _text(lambda value: value.strip(*chars)), (0, 1)),
    "lower": (lambda: _text(str.lower), (0, 0)),
    "upper": (lambda: _text(str.upper), (0, 0)),
    "replace": (lambda old, new: _text(lambda value: value.replace(old, new)), (2, 2)),
    "prefix": (lambda text: _text(lambda value: text + value), (1, 1)),
    "suffix": (lambda text: _text(lambda value: value + text), (1, 1)),
    "re": (_re, (1, 1)),
    "int": (lambda: types.to_int, (0, 0)),
    "float": (lambda: types.to_float, (0, 0)),
    "bool": (lambda: types.to_bool, (0, 0)),
    "date": (types.date, (0, 0)),
    "price": (types.price, (0, 0)),
    "currency": (types.currency, (0, 0)),
}
"""Pipes over each value: how one is made, and how many arguments it takes."""

WHOLE: Mapping[str, tuple[Callable[..., Pipe], tuple[int, int]]] = {
    "first": (lambda: lambda values: values[:1], (0, 0)),
    "last": (lambda: lambda values: values[-1:], (0, 0)),
    "unique": (lambda: lambda values: _unique(values), (0, 0)),
    "join": (
        lambda between=" ": (
            lambda values: [between.join(map(str, values))] if values else []
        ),
        (0, 1),
    ),
    "split": (lambda *mark: _split(*mark), (0, 1)),
    "count": (lambda: lambda values: [len(values)], (0, 0)),
}
"""Pipes over the list of all values."""


def _split(mark: str | None = None) -> Pipe:
    if mark == "":
        raise RuleError("pipe split: its text is empty")
    return lambda values: [
        part.strip() for value in values for part in str(value).split(mark)
    ]


def _unique(values: Values) -> Values:
    found: Values = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
