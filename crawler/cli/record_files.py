"""The files of records that a command reads."""

from __future__ import annotations

from pathlib import Path

from crawler.inspect.state import open_state
from crawler.model.errors import UsageError
from crawler.workspace.outputs import record_streams


def record_files(source: Path) -> list[Path]:
    """The records of the crawl in `source`, or that file. Raises UsageError."""
    if source.is_file():
        return [source]
    with open_state(source, of_extraction=True) as (_state, config):
        files: list[Path] = next(filter(None, record_streams(config)), [])
    if not files:
        raise UsageError(
            f"{source}: there is no file of records of its crawl; name one instead"
        )
    return files
