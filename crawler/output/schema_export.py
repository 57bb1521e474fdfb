"""The record schema in the languages of its readers, made from `records.py`.

A column's type must not depend on what a reader happens to see first: DuckDB types a
column that is null in its first 20,480 lines as NULL and then fails on, or drops, what
comes later; polars looks at 100. `schema_line` answers that with a first line that has
a typed value in every field of every type; the printed readers answer it with the types
spelt out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from crawler.model.field_docs import field_doc
from crawler.model.record_base import SCHEMA_VERSION
from crawler.model.records import RECORD_TYPES


class Column(Struct, frozen=True):
    """One field as a column.

    `kind` is str, int, float, bool or dict, or the struct of a list.
    """

    name: str
    kind: type
    repeated: bool
    nullable: bool
    choices: tuple[str, ...] = ()
    """The values of a text from a closed list."""


@cache
def columns(record: type[Struct]) -> tuple[Column, ...]:
    """The columns of one record type, in the order of its keys."""
    return tuple(
        _column(field.name, field.type) for field in msgspec.structs.fields(record)
    )


def _column(name: str, hint: Any) -> Column:
    members = [member for member in get_args(hint) if member is not type(None)]
    nullable = type(None) in get_args(hint)
    kind = members[0] if nullable else hint
    repeated = get_origin(kind) is tuple
    if repeated:
        kind = get_args(kind)[0]
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    return Column(
        name, str if choices else get_origin(kind) or kind, repeated, nullable, choices
    )


@cache
def all_columns() -> tuple[Column, ...]:
    """The columns of the whole stream: each name once, with its one type."""
    found: dict[str, Column] = {}
    for record in RECORD_TYPES.values():
        for column in columns(record):
            found.setdefault(column.name, column)
    return tuple(found.values())


# ------------------------------------------------------------------ the schema line

_ZEROS: dict[type, Any] = {str: "", int: 0, float: 0.0, bool: False, dict: {}}


def schema_line(data: Mapping[str, Any] | None = None) -> bytes:
    """The schema line: a typed zero in every field of every type; no newline.

    `data` gives zeros for what the user's selectors put under that key, where they are
    known.
    """
    zeros = {column.name: _zero(column) for column in all_columns()}
    zeros |= {"type": "schema", "v": SCHEMA_VERSION, "data": dict(data or {})}
    return msgspec.json.encode(zeros)


def _zero(column: Column) -> Any:
    if issubclass(column.kind, Struct):
        one: Any = {inner.name: _zero(inner) for inner in columns(column.kind)}
    else:
        one = _ZEROS[column.kind]
    return [one] if column.repeated else one


# ------------------------------------------------------------------ printed forms

_DUCKDB = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    dict: "JSON",
}
_POLARS = {
    str: "String",
    int: "Int64",
    float: "Float64",
    bool: "Boolean",
    dict: "Struct({})",
}
_SQL = {
    str: "TEXT",
    int: "BIGINT",
    float: "DOUBLE PRECISION",
    bool: "BOOLEAN",
    dict: "JSON",
}
_PLAIN = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
}

# In the stream times are text, so that no reader needs a time zone library to look at
# them.
TIMES = ("ts", "expires_at")


def _duckdb_type(column: Column) -> str:
    if issubclass(column.kind, Struct):
        inner = (
            f"{_quoted(part.name)} {_duckdb_type(part)}"
            for part in columns(column.kind)
        )
        one = f"STRUCT({', '.join(inner)})"
    else:
        one = _DUCKDB[column.kind]
    return f"{one}[]" if column.repeated else one


def _quoted(name: str) -> str:
    return f'"{name}"'


def duckdb() -> str:
    """Views over records.jsonl with typed columns: one of all, one per record type."""
    pairs = ",\n".join(f"      {c.name}: '{_duckdb_type(c)}'" for c in all_columns())
    times = ", ".join(f"try_cast({name} AS TIMESTAMP) AS {name}" for name in TIMES)
    views = (
        f"CREATE OR REPLACE VIEW {name}_records AS\n"
        f"  SELECT {', '.join(_quoted(c.name) for c in columns(record))}\n"
        f"  FROM records WHERE type = '{name}';"
        for name, record in RECORD_TYPES.items()
    )
    head = (
        "-- In the crawl's folder: orbweb schema -f duckdb > views.sql; "
        "duckdb -init views.sql\n"
        "CREATE OR REPLACE VIEW records AS\n"
        f"  SELECT * REPLACE ({times})\n"
        "  FROM read_json('records.jsonl', format = 'newline_delimited', columns = {\n"
        f"{pairs}\n    }})\n  WHERE type <> 'schema';"
    )
    return "\n\n".join([head, *views]) + "\n"


def _polars_type(column: Column) -> str:
    if issubclass(column.kind, Struct):
        inner = (
            f'"{part.name}": {_polars_type(part)}' for part in columns(column.kind)
        )
        one = f"pl.Struct({{{', '.join(inner)}}})"
    else:
        one = f"pl.{_POLARS[column.kind]}"
    return f"pl.List({one})" if column.repeated else one


def polars() -> str:
    """A Python snippet that reads records.jsonl with every column typed."""
    pairs = "\n".join(f'    "{c.name}": {_polars_type(c)},' for c in all_columns())
    return (
        f"import polars as pl\n\nSCHEMA = {{\n{pairs}\n}}\n\n"
        'records = pl.read_ndjson("records.jsonl", schema=SCHEMA)\n'
        'records = records.filter(pl.col("type") != "schema")\n'
    )


def sql() -> str:
    """One CREATE TABLE for each record type; lists and objects are kept as JSON."""
    tables = []
    for name, record in RECORD_TYPES.items():
        rows = ",\n".join(f"  {_quoted(c.name)} {sql_type(c)}" for c in columns(record))
        tables.append(f"CREATE TABLE {name}_records (\n{rows}\n);")
    return "\n\n".join(tables) + "\n"


def sql_type(column: Column) -> str:
    if column.name in TIMES:
        kind = "TIMESTAMP"
    else:
        kind = "JSON" if column.repeated else _SQL[column.kind]
    return kind if column.nullable else f"{kind} NOT NULL"


def _items(record: type[Struct]) -> list[type[Struct]]:
    """The structs in the lists of a record."""
    kinds = [column.kind for column in columns(record) if column.repeated]
    return [kind for kind in kinds if issubclass(kind, Struct)]


def jsonschema() -> str:
    """JSON Schema (2020-12) of one line of the stream."""
    references, definitions = msgspec.json.schema_components(
        RECORD_TYPES.values(), ref_template="#/$defs/{name}"
    )
    structs = {
        struct.__name__: struct
        for record in RECORD_TYPES.values()
        for struct in (record, *_items(record))
    }
    for name, shape in definitions.items():
        owner = structs[name]
        shape["required"] = list(shape["properties"])
        for field, property_ in shape["properties"].items():
            property_.pop("default", None)
            property_["description"] = field_doc(owner, field)
    line = {
        "type": "object",
        "properties": {"type": {"const": "schema"}},
        "required": ["type"],
    }
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"orbweb record, version {SCHEMA_VERSION}",
        "oneOf": [*references, line],
        "$defs": definitions,
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def markdown() -> str:
    """A table of fields for each record type."""
    return "\n".join(line for name in RECORD_TYPES for line in _markdown_table(name))


def _markdown_table(name: str) -> Iterator[str]:
    record = RECORD_TYPES[name]
    yield f"## {name}\n\n| field | type | meaning |\n|---|---|---|"
    for column in columns(record):
        text = " ".join(field_doc(record, column.name).split())
        if len(column.choices) > 1:
            text += f" One of {', '.join(column.choices)}."
        text = text.replace("|", "&#124;")
        yield f"| `{column.name}` | {_plain_type(column)} | {text} |"
    yield ""


def _plain_type(column: Column) -> str:
    if issubclass(column.kind, Struct):
        one = f"{{{', '.join(inner.name for inner in columns(column.kind))}}}"
    else:
        one = _PLAIN[column.kind]
    return f"{f'[{one}]' if column.repeated else one}{'?' if column.nullable else ''}"


FORMS: dict[str, Callable[[], str]] = {
    "jsonschema": jsonschema,
    "duckdb": duckdb,
    "polars": polars,
    "sql": sql,
    "md": markdown,
}
