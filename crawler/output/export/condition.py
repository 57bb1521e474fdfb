"""`--where`: a condition over the columns of a record, in the SQL of SQLite.

The condition is compiled once, against empty tables, which tells the columns that it
reads; only these are decoded and handed over for each record. Lists and objects are
JSON text, for `json_extract`, `->>` and `json_each`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec
import re2
from msgspec import Raw

from crawler.model.errors import UsageError
from crawler.output.export.lines import Line, UnreadableLine
from crawler.output.export.selection import DATA, Field, column_of, near_column
from crawler.output.export.table import Table
from crawler.output.schema_export import all_columns

Data = Mapping[str, Any]


class Condition:
    """Whether a record is wanted. Raises UsageError for a text that is no condition.

    `X REGEXP Y` searches X for the regular expression Y, in the syntax of RE2. A field
    of `data` is a column too: `data.price`, or `price` where no column is called so.
    """

    def __init__(self, text: str, data: Data = MappingProxyType({})) -> None:
        """`data` has a typed zero for each field of `data` that is known."""
        self._text = text
        self._invalid = ""  # SQLite does not pass the message of an exception on
        self._database = sqlite3.connect(":memory:", cached_statements=8)
        self._database.create_function("regexp", 2, self._search, deterministic=True)
        record, fields = self._columns_of(text, data)
        self._table = Table([*fields, *record], sql_value)
        self._query = _nested(
            text,
            f"(SELECT {_slots(one.column.name for one in record)}) AS record",
            f"(SELECT {_slots(one.data_key or '' for one in fields)}) AS data",
        )

    def __call__(self, line: Line) -> bool:
        """Whether it is wanted; a column that it does not have is NULL.

        Raises UnreadableLine.
        """
        (values,) = self._table.rows([line])
        try:
            found = self._database.execute(self._query, values).fetchone()
        except sqlite3.Error as error:
            raise UnreadableLine(
                line, f"--where {self._text!r}: {self._invalid or error}"
            ) from error
        return found is not None

    def _search(self, pattern: str, value: Any) -> bool | None:
        try:
            return (
                None if value is None else bool(_compiled(pattern).search(str(value)))
            )
        except re2.error as error:
            self._invalid = f"REGEXP {pattern!r}: {error}"
            raise

    def _columns_of(self, text: str, data: Data) -> tuple[list[Field], list[Field]]:
        """The columns of the record that the condition reads, and those of `data`."""
        columns = {column.name: column for column in all_columns()}
        used: dict[tuple[str | None, str | None], None] = {}

        def authorize(
            action: int, table: str | None, column: str | None, *_context: str | None
        ) -> int:
            if action == sqlite3.SQLITE_READ:
                used[table, column] = None
            return sqlite3.SQLITE_OK

        for table, names in (("record", columns), ("data", data)):
            listed = ", ".join(map(quoted, names)) or "_nothing"
            self._database.execute(f"CREATE TABLE {table} ({listed})")
        self._database.set_authorizer(authorize)
        try:
            self._check_alone(text)
            self._database.execute(_nested(text, "record", "data"))
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise UsageError(
                f"--where {text!r}: {error}{_hint(str(error), columns, data)}"
            ) from error
        finally:
            self._database.set_authorizer(None)
        return (
            [
                Field(name, columns[name])
                for name in columns
                if ("record", name) in used
            ],
            [
                Field(DATA + name, column_of(DATA + name, data[name]))
                for name in data
                if ("data", name) in used
            ],
        )

    def _check_alone(self, text: str) -> None:
        """Find what is no single expression, as `1); DELETE FROM record`."""
        try:
            self._database.execute(f"SELECT 1 FROM record WHERE ({text}\n)")
        except sqlite3.OperationalError as error:
            if not str(error).startswith("no such column"):
                raise


def _nested(text: str, record: str, data: str) -> str:
    """The query: names of the record come before those of `data`."""
    return (
        f"SELECT 1 FROM {data} WHERE EXISTS (SELECT 1 FROM {record} WHERE ({text}\n))"
    )


def _slots(names: Iterable[str]) -> str:
    return ", ".join(f"? AS {quoted(name)}" for name in names) or "1"


def sql_value(value: Any) -> Any:
    """`value` as SQLite takes it; lists and objects are JSON text."""
    if isinstance(value, Raw):
        return bytes(value).decode()
    if isinstance(value, (list, dict)):
        return msgspec.json.encode(value).decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def quoted(name: str) -> str:
    """`name` as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def _hint(message: str, columns: Iterable[str], data: Data) -> str:
    _, found, name = message.partition("no such column: ")
    return near_column(name, columns, data) if found else ""


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False  # the UsageError says it
    return re2.compile(pattern, options)
