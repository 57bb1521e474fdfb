"""An SQLite database: a table for each type of record, as `orbweb schema -f sql` says.

Lists and objects are JSON text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from crawler.model.errors import OutputError
from crawler.model.records import RECORD_TYPES
from crawler.output.export.condition import quoted, sql_value
from crawler.output.export.files import draft
from crawler.output.export.lines import Line, by_kind
from crawler.output.export.selection import Field
from crawler.output.export.table import Table
from crawler.output.export.writer import Write
from crawler.output.schema_export import columns, sql_type


@contextmanager
def open_sqlite(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`."""
    try:
        with draft(target) as path, closing(sqlite3.connect(path)) as database:
            # The draft is thrown away if anything fails: it needs no journal.
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            yield _Tables(database, fields).write
            database.commit()
    except sqlite3.Error as error:
        raise OutputError(f"{target}: {error}") from error


class _Tables:
    """The tables of the types that have been met, and how records get into them."""

    def __init__(self, database: sqlite3.Connection, fields: Sequence[Field]) -> None:
        self._database = database
        self._fields = fields
        self._tables: dict[str, tuple[str, Table] | None] = {}

    def write(self, lines: Sequence[Line]) -> int:
        written = 0
        for kind, group in by_kind(lines).items():
            if kind not in self._tables:
                self._tables[kind] = self._table(kind)
            if found := self._tables[kind]:
                insert, table = found
                self._database.executemany(insert, table.rows(group))
                written += len(group)
        return written

    def _table(self, kind: str) -> tuple[str, Table] | None:
        """The INSERT and the columns; None for a type that has none of the columns."""
        own = {column.name for column in columns(RECORD_TYPES[kind])}
        fields = [one for one in self._fields if one.name.partition(".")[0] in own]
        if not fields:
            return None
        table = quoted(f"{kind}_records")
        names = ", ".join(f"{quoted(one.name)} {_type(one)}" for one in fields)
        self._database.execute(f"CREATE TABLE {table} ({names})")
        marks = ", ".join("?" * len(fields))
        return f"INSERT INTO {table} VALUES ({marks})", Table(fields, sql_value)


def _type(field: Field) -> str:
    return sql_type(field.column).removesuffix(" NOT NULL")
