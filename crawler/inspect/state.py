"""Opening the state of a crawl's folder for readers only."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from msgspec.structs import replace

from crawler.frontier.sqlite import reader
from crawler.frontier.sqlite.database import (
    FILE_NAME,
    FLEET_FILE,
    STATE_FOLDER,
    holds_crawl,
    no_crawl,
    shard_folder,
)
from crawler.frontier.state_reader import StateReader
from crawler.model.config import Config, from_json
from crawler.model.errors import StateError, UsageError
from crawler.model.metadata import EXTRACT_OF


@contextmanager
def open_states(folder: Path) -> Iterator[StateReader]:
    """The state in `folder`, that of all shards if the crawl is cut into shards.

    Raises StateError if it cannot be read.
    """
    if not (folder / FLEET_FILE).is_file():
        with reader.open_state(folder) as state:
            yield state
        return
    from crawler.frontier.sqlite.fleet_file import read_fleet  # few crawls have shards
    from crawler.inspect.sharded_state import ShardedState

    fleet = read_fleet(folder.parent)
    with ExitStack() as held:
        shards: dict[int, StateReader] = {}
        for number in range(fleet.layout.shards):
            state_of = shard_folder(folder.parent, number) / STATE_FOLDER
            if (state_of / FILE_NAME).is_file():
                shards[number] = held.enter_context(reader.open_state(state_of))
        yield ShardedState(fleet, shards)


def usage_of(folder: Path, shard: int) -> tuple[int, int, int]:
    """A shard of the crawl in `folder`, with the pages and bytes that it has."""
    state_of = shard_folder(folder, shard) / STATE_FOLDER
    if not (state_of / FILE_NAME).is_file():
        return shard, 0, 0
    with suppress(StateError), reader.open_state(state_of) as state:
        return shard, state.count("page"), state.received_bytes()
    return shard, 0, 0  # it was killed before it had begun, or its process tells why


@contextmanager
def open_state(
    folder: Path, *, of_extraction: bool = False
) -> Iterator[tuple[StateReader, Config]]:
    """The state of the crawl in `folder`, and the crawl's configuration, with `folder`.

    `of_extraction`: it may be that of an extraction as well, which has records and no
    URLs. Raises UsageError if there is none, StateError if it cannot be read.
    """
    if holds_crawl(folder):
        with open_states(folder / STATE_FOLDER) as state:
            run = state.run()
            if run is not None:
                if not of_extraction:
                    _refuse_extraction(folder, state)
                config = from_json(run.config.encode())
                yield state, replace(config, dir=str(folder))
                return
    raise no_crawl(folder)


def _refuse_extraction(folder: Path, state: StateReader) -> None:
    name = state.get(EXTRACT_OF, "")
    if name is not None:
        raise UsageError(
            f"{folder} holds what `orbweb extract` has made of {name.decode()}, and no "
            "crawl; its records can be read, and exported by `orbweb export "
            f"{shlex.quote(str(folder))} --to csv`"
        )
