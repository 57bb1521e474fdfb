"""Which records and which columns an export takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from msgspec import Struct

from crawler.model.errors import UsageError
from crawler.model.records import RECORD_TYPES
from crawler.output.export.lines import Line, kind_of
from crawler.output.schema_export import Column, all_columns, columns

DATA = "data."


class Field(Struct, frozen=True):
    """A column of the export."""

    name: str
    column: Column

    @property
    def data_key(self) -> str | None:
        """The key in `data`, for a column of its fields."""
        if self.name.startswith(DATA):
            return self.name[len(DATA) :]
        return None


class Selection(Struct, frozen=True):
    """The records and columns that were asked for; empty means all of them."""

    types: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    where: Callable[[Line], bool] | None = None
    data: Mapping[str, Any] = {}
    """A typed zero for each field of `data` that is known."""
    undeclared: frozenset[str] = frozenset()
    """Further fields of `data` that some records have."""
    latest: Callable[[Line], bool] | None = None
    """Whether a record is the last about its URL, if only those are wanted."""

    def lines(self, batches: Iterable[Sequence[Line]]) -> Iterator[list[Line]]:
        """The records that are wanted. Raises UnreadableLine."""
        types = frozenset(self.types or RECORD_TYPES)
        for batch in batches:
            if self.latest is not None:
                batch = list(filter(self.latest, batch))
            lines = [line for line in batch if kind_of(line) in types]
            if self.where is not None:
                lines = list(filter(self.where, lines))
            if lines:
                yield lines

    def fields(self, types: Sequence[str] = ()) -> tuple[Field, ...]:
        """The columns for records of `types`, in the order of the schema.

        Raises UsageError for a name that is no column.
        """
        known = {column.name: column for column in _columns(types or self.types)}
        if not self.columns:
            return tuple(Field(name, column) for name, column in known.items())
        everywhere = {column.name: column for column in all_columns()}
        return tuple(
            Field(name, self._column(name, everywhere)) for name in self.columns
        )

    def _column(self, name: str, known: Mapping[str, Column]) -> Column:
        if name in known:
            return known[name]
        key = name.removeprefix(DATA)
        if name.startswith(DATA) and key in {*self.data, *self.undeclared}:
            return column_of(name, self.data.get(key, {}))
        hint = near_column(name, known, self.data)
        raise UsageError(f"--columns: there is no column {name!r}{hint}")


def near_column(name: str, known: Iterable[str], data: Iterable[str]) -> str:
    """What to write instead of a name that is no column, for the end of a message."""
    of_data = {key: DATA + key for key in data}
    names = of_data if name.startswith(DATA) else {one: one for one in known} | of_data
    if close := get_close_matches(name.removeprefix(DATA), names, 1):
        return f"; did you mean {names[close[0]]}?"
    if of_data and name.startswith(DATA):
        return f"; there are {', '.join(of_data.values())}"
    return "" if name.startswith(DATA) else "; `orbweb schema` lists them"


def _columns(types: Sequence[str]) -> Iterator[Column]:
    found: dict[str, Column] = {}
    for name in types or RECORD_TYPES:
        for column in columns(RECORD_TYPES[name]):
            found.setdefault(column.name, column)
    return iter(found.values())


def column_of(name: str, zero: Any) -> Column:
    """The column of a value that is typed as `zero` is; a dict where it is unknown."""
    repeated = isinstance(zero, list)
    one = (zero[0] if zero else {}) if repeated else zero
    kind = type(one) if isinstance(one, (bool, int, float, str)) else dict
    return Column(name, kind, repeated and kind is not dict, True)
