"""The sinks, by the ending of an output's name; JSON Lines where the table has none."""

from __future__ import annotations

from pathlib import Path

from crawler.model.config import OutputConfig
from crawler.output.jsonl import open_jsonl
from crawler.output.sink import Position, RecordSink, SinkOpener

SINKS: dict[str, SinkOpener] = {
    ".jsonl": open_jsonl,
}
"""The opener of a sink by the ending of its name. A new sink is a line here."""


def opener_of(output: str) -> SinkOpener:
    """The opener for an output, going by the ending of its name."""
    return SINKS.get(Path(output).suffix, open_jsonl)


def open_sink(
    output: str, position: Position | None, config: OutputConfig
) -> RecordSink:
    """The sink for `output`, a path or "-", rewound to its committed `position`.

    Raises OutputError, or StateError where less is there than was committed.
    """
    return opener_of(output)(output, position, config)
