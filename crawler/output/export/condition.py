"""`--where`: a condition over the columns of a record, in the SQL of SQLite.

The condition is compiled once, against an empty table, which tells the columns that it
reads; only these are handed over for each row (3 microseconds). Lists and objects are
JSON text, for `json_extract`, `->>` and `json_each`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import msgspec
import re2

from crawler.model.errors import UsageError
from crawler.output.export.rows import Row


class Condition:
    """Whether a row is wanted. Raises UsageError for a text that is no condition.

    `X REGEXP Y` searches X for the regular expression Y, in the syntax of RE2.
    """

    def __init__(self, text: str, columns: Sequence[str]) -> None:
        self._text = text
        self._invalid = ""  # SQLite does not pass the message of an exception on
        self._database = sqlite3.connect(":memory:", cached_statements=8)
        self._database.create_function("regexp", 2, self._search, deterministic=True)
        self._used = self._columns_of(text, columns)
        fields = ", ".join(f"? AS {quoted(name)}" for name in self._used)
        self._query = (
            f"SELECT 1 FROM (SELECT {fields or '1'}) AS record WHERE ({text}\n)"
        )

    def __call__(self, row: Row) -> bool:
        """Whether `row` is wanted; a column that it does not have is NULL."""
        values = [sql_value(row.get(name)) for name in self._used]
        try:
            found = self._database.execute(self._query, values).fetchone()
        except sqlite3.Error as error:
            raise UsageError(
                f"--where {self._text!r}: {self._invalid or error}, at "
                f"{row.get('url', 'a record')}"
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

    def _columns_of(self, text: str, columns: Sequence[str]) -> list[str]:
        used: dict[str, None] = {}

        def authorize(
            action: int, table: str | None, column: str | None, *_context: str | None
        ) -> int:
            if action == sqlite3.SQLITE_READ and table == "record":
                used[column or ""] = None
            return sqlite3.SQLITE_OK

        names = ", ".join(map(quoted, columns))
        self._database.execute(f"CREATE TABLE record ({names})")
        self._database.set_authorizer(authorize)
        try:
            self._database.execute(f"SELECT 1 FROM record WHERE ({text}\n)")
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise UsageError(
                f"--where {text!r}: {error}{_hint(str(error), columns)}"
            ) from error
        finally:
            self._database.set_authorizer(None)
        return [name for name in used if name]


def sql_value(value: Any) -> Any:
    """`value` as SQLite takes it; lists and objects are JSON text."""
    if isinstance(value, (list, dict)):
        return msgspec.json.encode(value).decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def quoted(name: str) -> str:
    """`name` as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def _hint(message: str, columns: Sequence[str]) -> str:
    _, found, name = message.partition("no such column: ")
    if not found:
        return ""
    close = get_close_matches(name, columns, 1)
    return f"; did you mean {close[0]}?" if close else "; `orbweb schema` lists them"


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False  # the UsageError says it
    return re2.compile(pattern, options)
