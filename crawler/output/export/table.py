"""Decodes records to the values of some columns, and no further.

Keys that no column has are skipped; lists and objects stay the JSON that they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import astuple

from crawler.output.export.lines import Line, decode_all
from crawler.output.export.selection import Field
from crawler.output.schema_export import Column

_HINTS: dict[type, Any] = {
    str: str,
    int: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    float: float,
}
_NULL = Raw(b"null")


class Table:
    """The columns `fields` of records, as rows of values.

    A text, an integer and a float are what Python has for them, and null is None.
    `convert` is given any other value: a bool, a value in `data` as Python has it, or
    JSON text (`Raw`) for a list or an object.
    """

    def __init__(self, fields: Sequence[Field], convert: Callable[[Any], Any]) -> None:
        own = [field for field in fields if field.data_key is None]
        data = [field for field in fields if field.data_key is not None]
        slots = [_slot(field.name, field.column) for field in own]
        names = [field.name for field in own]
        if data and "data" not in names:
            slots.append(("data", Raw, _NULL))
            names.append("data")
        self._decode = _decoder(slots)
        self._decode_data = _decoder([(one.data_key, Any, None) for one in data])
        self._data_place = names.index("data") if data else None
        self._no_data = (None,) * len(data)
        self._convert = convert
        # The fields of `data` come behind the others, and are put in order at the end.
        scalar = {field.name for field in own if _is_scalar(field.column)}
        names += [field.name for field in data]
        self._converted = [n for n, name in enumerate(names) if name not in scalar]
        order = [names.index(field.name) for field in fields]
        self._order = None if order == [*range(len(names))] else order

    def rows(self, lines: Sequence[Line]) -> Iterator[Sequence[Any]]:
        """The values of each record. Raises UnreadableLine."""
        if not self._converted:
            return map(astuple, decode_all(lines, self._decode))
        return iter(decode_all(lines, self._values))

    def _values(self, line: Line) -> list[Any]:
        values = [*astuple(self._decode(line))]
        if self._data_place is not None:
            data = values[self._data_place]
            has_data = data != _NULL
            values += astuple(self._decode_data(data)) if has_data else self._no_data
        for place in self._converted:
            value = values[place]
            if value is not None:
                values[place] = None if value == _NULL else self._convert(value)
        if self._order is not None:
            return [values[place] for place in self._order]
        return values


def _is_scalar(column: Column) -> bool:
    return column.kind in _HINTS and not column.repeated


def _slot(name: str, column: Column) -> tuple[str, Any, Any]:
    if _is_scalar(column):
        return name, _HINTS[column.kind] | None, None
    return (name, bool | None, None) if column.kind is bool else (name, Raw, _NULL)


def _decoder(slots: Sequence[tuple[Any, Any, Any]]) -> Callable[[Any], Struct]:
    """Reads JSON objects as a Struct with these keys, types and defaults."""
    # A key need not be a name of Python.
    names = {f"slot{number}": key for number, (key, _, _) in enumerate(slots)}
    fields = [
        (name, hint, default)
        for name, (_, hint, default) in zip(names, slots, strict=True)
    ]
    struct = msgspec.defstruct("Record", fields, rename=names, gc=False)
    return msgspec.json.Decoder(struct).decode
