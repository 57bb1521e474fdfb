"""Which records and which columns an export takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from msgspec import Struct

from crawler.model.errors import UsageError
from crawler.model.records import RECORD_TYPES
from crawler.output.export.rows import Row
from crawler.output.schema_export import Column, all_columns, columns

DATA = "data."


class Field(Struct, frozen=True):
    """A column of the export."""

    name: str
    column: Column

    def values(self, rows: Sequence[Row]) -> list[Any]:
        """The values in `rows`; None where a row has none."""
        if not self.name.startswith(DATA):
            return [row.get(self.name) for row in rows]
        key = self.name[len(DATA) :]
        return [(row.get("data") or {}).get(key) for row in rows]


class Selection(Struct, frozen=True):
    """The records and columns that were asked for; empty means all of them."""

    types: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    where: Callable[[Row], bool] | None = None
    data: Mapping[str, Any] = {}
    """A typed zero for each field of `data` that is known."""

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Those of `rows` that are wanted."""
        for row in rows:
            if self.types and row.get("type") not in self.types:
                continue
            if self.where is None or self.where(row):
                yield row

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
        if name.startswith(DATA):
            return column_of(name, self.data.get(name[len(DATA) :], {}))
        if name in known:
            return known[name]
        close = get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]}?" if close else "`orbweb schema` lists them"
        raise UsageError(f"--columns: there is no column {name!r}; {hint}")


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
