"""One rule: `SOURCE:EXPRESSION | pipe | pipe(argument)`, its type, and its default."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import msgspec

from crawler.extract.fields import pipes, sources
from crawler.extract.fields.errors import FieldFailure, RuleError, near
from crawler.extract.fields.pipes import Pipe, compile_pipe
from crawler.extract.fields.sources import Find
from crawler.extract.fields.subject import Subject
from crawler.extract.fields.types import TYPES, ZEROS
from crawler.model.content_config import FieldConfig
from crawler.model.url import join

_BAR = re.compile(r"""\s\|\s(?=(?:[^"']|"[^"]*"|'[^']*')*\Z)""")
_CALL = re.compile(r"\s*([a-z_]+)\s*(\(.*\))?\s*", re.DOTALL)

# Their expressions may themselves contain " | ".
_HAVE_BARS = frozenset(("xpath", "json", "jsonld", "re"))

BOTH = frozenset(("re", "url"))
"""The sources that look into HTML and JSON alike; `json` is for the one only."""

MAX_VALUES = 10_000
"""Values of one field that are kept."""

MAX_VALUE = 2**20
"""Bytes of one value, in UTF-8; of an object, as JSON."""


class Rule:
    """A compiled rule. Raises RuleError for one that cannot be understood."""

    def __init__(self, name: str, config: FieldConfig) -> None:
        self.name = name
        self.config = config
        self.source = config.select.strip().partition(":")[0]
        self._find, self._pipes = compile_selector(config.select)
        self._convert = TYPES[config.type]()
        self._is_url = config.type == "url"
        self._many = config.many or config.type == "list"
        if config.default is not None and not self._fits(config.default):
            raise RuleError(f"default: {config.default!r} is no {config.type}")

    def applies(self, *, json: bool) -> bool:
        """Whether bodies of this kind, JSON or HTML, can have the field."""
        return self.source in BOTH or (self.source == "json") is json

    def value(self, subject: Subject) -> Any:
        """The field's value in `subject`.

        Raises FieldFailure if it is required and missing.
        """
        found = self.values(subject)
        self._check_sizes(found)
        if found:
            return found if self._many else found[0]
        if self.config.required:
            raise FieldFailure(
                f"field {self.name!r} is required, and {self.config.select} finds "
                "nothing that fits"
            )
        return self.config.default

    def _check_sizes(self, values: Sequence[Any]) -> None:
        """Raises FieldFailure for a value that is too large to be one."""
        for value in values if self._many else values[:1]:
            size = _size(value)
            if size > MAX_VALUE:
                raise FieldFailure(
                    f"field {self.name!r}: {self.config.select} finds a value of "
                    f"{size:,} bytes; more than {MAX_VALUE:,} are not kept"
                )

    def values(self, subject: Subject) -> list[Any]:
        """All values that match and fit the type."""
        found = _first(self._find(subject), subject)
        for pipe in self._pipes:
            found = _first(pipe(found), subject)  # split() makes several of one
        fitting = [one for value in found if (one := self._convert(value)) is not None]
        if self._is_url:
            joined = (join(subject.base, one) for one in fitting)
            return [one for one in joined if one is not None]
        return fitting

    @property
    def zero(self) -> Any:
        """A value of this field's type, for the schema line."""
        one = ZEROS[self.config.type]
        return [one] if self.config.many and self.config.type != "list" else one

    @property
    def kind(self) -> str:
        """The type, for messages: `int`, `int (many)`."""
        return f"{self.config.type} (many)" if self.config.many else self.config.type

    def _fits(self, default: Any) -> bool:
        values = default if self._many else [default]
        return isinstance(values, (list, tuple)) and all(
            self._convert(value) == value for value in values
        )


def _first(found: list[Any], subject: Subject) -> list[Any]:
    """At most MAX_VALUES of the values; `subject` notes whether there were more."""
    if len(found) > MAX_VALUES:
        subject.left_out.add("values")
    return found[:MAX_VALUES]


def _size(value: Any) -> int:
    if isinstance(value, str):
        short = len(value) * 4 <= MAX_VALUE
        return len(value) if short else len(value.encode("utf-8", "replace"))
    is_object = isinstance(value, (dict, list))
    return len(msgspec.json.encode(value)) if is_object else 0


def compile_selector(text: str) -> tuple[Find, Sequence[Pipe]]:
    """The source and the pipes of `SOURCE:EXPRESSION | pipe`. Raises RuleError."""
    source, colon, rest = text.strip().partition(":")
    if not colon or source not in sources.SOURCES:
        known = near(source, sources.SOURCES)
        raise RuleError(f"{text!r}: write SOURCE:EXPRESSION, as in css:h1::text{known}")
    expression, calls = _split(source, rest)
    if not expression.strip() and source != "url":
        raise RuleError(f"{text!r}: there is nothing behind {source}:")
    find = sources.SOURCES[source](expression.strip())
    return find, [compile_pipe(call) for call in calls]


def _split(source: str, text: str) -> tuple[str, list[str]]:
    """The expression and its pipes.

    The pipes stand at the end. Where the language of the expression has bars of its
    own, what is not the name of a pipe belongs to the expression.
    """
    parts = _BAR.split(text)
    if source not in _HAVE_BARS:
        return parts[0], parts[1:]
    calls: list[str] = []
    while len(parts) > 1 and _is_pipe(parts[-1], source):
        calls.insert(0, parts.pop())
    return " | ".join(parts), calls


def _is_pipe(text: str, source: str) -> bool:
    match = _CALL.fullmatch(text)
    if match is None:
        return False
    name = match[1]
    if name in pipes.names():
        return True
    similar = get_close_matches(name, pipes.names(), 1, 0.8)
    if similar and source != "xpath":
        raise RuleError(f"there is no pipe {name!r}{near(name, pipes.names())}")
    return False
