"""The sinks, by the ending of an output's name.

An ending that the table does not have means JSON Lines, as in `records.txt` or
`/dev/stdout`, unless it is known to promise another format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from crawler.model.content_config import OutputConfig
from crawler.model.errors import UsageError
from crawler.output.jsonl import open_jsonl
from crawler.output.sink import (
    COMPRESSED,
    Position,
    RecordSink,
    SinkOpener,
    compression_of,
)

SINKS: dict[str, SinkOpener] = {
    ".jsonl": open_jsonl,
    **dict.fromkeys(COMPRESSED, open_jsonl),
}
"""The opener of a sink by the ending of its name. A new sink is a line here.

In `records.csv.gz`, the ending before `.gz` counts too.
"""


OTHER_FORMATS = frozenset(
    {".arrow", ".csv", ".db", ".feather", ".html", ".orc", ".parquet", ".sqlite",
     ".tar", ".tsv", ".warc", ".xlsx", ".xml", ".yaml", ".zip"}
)  # fmt: skip
"""Endings of files whose readers would not find JSON Lines in them."""


def opener_of(output: str) -> SinkOpener:
    """The opener for an output, going by the ending of its name.

    Raises UsageError for an ending of another format that no sink writes.
    """
    packed = compression_of(output)
    inner = Path(output[: len(output) - len(packed)])
    ending = inner.suffix.lower()
    if ending in OTHER_FORMATS - SINKS.keys():
        raise UsageError(
            f"--output {output}: no sink writes {ending}; records are JSON Lines: name "
            f"the file {inner.stem}.jsonl{packed}, or use a plug-in that is a sink"
        )
    return SINKS.get(ending, open_jsonl)


def open_sink(
    output: str,
    position: Position | None,
    config: OutputConfig,
    data: Mapping[str, Any] = MappingProxyType({}),
    before_part: Callable[[], None] = lambda: None,
) -> RecordSink:
    """The sink for `output`, a path or "-", rewound to its committed `position`.

    `data` and `before_part`: see `SinkOpener`.

    Raises OutputError, or StateError where less is there than was committed.
    """
    return opener_of(output)(output, position, config, data, before_part)
