"""The record stream as JSON Lines: one record is one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from crawler.model.content_config import OutputConfig
from crawler.model.record_base import Record
from crawler.output.lines import STDOUT, LineWriter, open_lines
from crawler.output.schema_export import schema_line
from crawler.output.sink import Position, RecordSink

_encode = msgspec.json.Encoder().encode


class JsonlSink:
    """Encodes records into `lines`; its position is the offset in bytes."""

    def __init__(self, lines: LineWriter) -> None:
        self._lines = lines

    def write(self, records: Sequence[Record]) -> None:
        self._lines.write([_encode(record) for record in records])

    def flush(self) -> Position | None:
        return self._lines.flush()

    def close(self) -> None:
        self._lines.close()

    def was_moved(self) -> bool:
        return self._lines.was_moved()

    def sync(self) -> None:
        self._lines.sync()

    def begin_anew(self) -> None:
        self._lines.begin_anew()


def open_jsonl(
    output: str,
    position: Position | None,
    config: OutputConfig,
    data: Mapping[str, Any] = MappingProxyType({}),
    before_part: Callable[[], None] = lambda: None,
) -> RecordSink:
    """The sink for a path, or for "-", which is stdout; `data` is for the schema line.

    Unless `config.schema_line` decides, a file begins with the schema line and stdout
    does not.
    """
    wanted = config.schema_line
    if wanted is None:
        wanted = output != STDOUT
    assert position is None or isinstance(position, int)
    first_line = schema_line(data) if wanted else None
    rotation = None
    if config.rotate:
        from crawler.output.parts import parse_rotation  # with what few crawls need

        rotation = parse_rotation(config.rotate)
    return JsonlSink(open_lines(output, position, first_line, rotation, before_part))
