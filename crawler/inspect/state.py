"""Opening the state of a crawl's folder for readers only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crawler.frontier.sqlite import reader
from crawler.frontier.sqlite.database import STATE_FOLDER
from crawler.frontier.state_reader import StateReader
from crawler.model.config import Config, from_json
from crawler.model.errors import UsageError
from crawler.model.metadata import EXTRACT_OF


@contextmanager
def open_state(
    folder: Path, *, of_extraction: bool = False
) -> Iterator[tuple[StateReader, Config]]:
    """The state of the crawl in `folder`, and the crawl's configuration.

    `of_extraction`: it may be that of an extraction as well, which has records and no
    URLs. Raises UsageError if there is none, StateError if it cannot be read.
    """
    if (folder / STATE_FOLDER).is_dir():
        with reader.open_state(folder / STATE_FOLDER) as state:
            run = state.run()
            if run is not None:
                if not of_extraction:
                    _refuse_extraction(folder, state)
                yield state, from_json(run.config.encode())
                return
    raise UsageError(f"{folder} holds no crawl; start one with `orbweb crawl URL`")


def _refuse_extraction(folder: Path, state: StateReader) -> None:
    name = state.get(EXTRACT_OF, "")
    if name is not None:
        raise UsageError(
            f"{folder} holds what `orbweb extract` has made of {name.decode()}, and no "
            "crawl; its records can be read, and exported by `orbweb export`"
        )
