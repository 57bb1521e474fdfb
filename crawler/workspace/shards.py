"""Beginning a crawl that is cut into shards, and going on with it.

The crawl is begun when its `fleet.sqlite3` is there. The shards follow, each on its
own: one that has no run yet begins one, and one whose run is that of an earlier crawl
begins a recrawl (`fleet/worker.py`). So a kill between two shards leaves nothing to
repair.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

from msgspec.structs import replace

from crawler.frontier.sqlite.database import FILE_NAME, has_fleet, shard_folder
from crawler.frontier.sqlite.fleet_file import Fleet, FleetFile
from crawler.frontier.sqlite.lockfile import LockFile, lock_holder
from crawler.frontier.sqlite.private_folder import open_private_folder
from crawler.model.config import Config, from_json, to_json
from crawler.model.config_changes import Change, changes_between
from crawler.model.errors import StateError, UsageError
from crawler.model.shards import Layout
from crawler.workspace.new_settings import refuse_fixed
from crawler.workspace.open import (
    Mode,
    opened_store,
    refuse_files,
    refuse_to_overwrite,
    remove_crawl,
    ulid,
)
from crawler.workspace.outputs import files_of, warc_files
from crawler.workspace.paths import state_folder
from crawler.workspace.shard_parts import parts_there

_POLL_S = 0.05


def run_id_of(folder: Path) -> str | None:
    """The run of the state of a shard in `folder`; None if it has none yet."""
    with opened_store(folder) as store:
        run = store.run()
    return None if run is None else run.run_id


@contextmanager
def locked_fleet(folder: str, shards: int, patience: float) -> Iterator[None]:
    """Hold the state of the crawl in `folder` for the block.

    Processes of a parent that was killed may still be stopping: they are waited for, up
    to `patience` seconds. Raises StateError if the crawl is running.
    """
    state = state_folder(folder)
    open_private_folder(state, ("lock",))
    with closing(LockFile(state)):
        deadline = time.monotonic() + patience
        for shard in range(shards):
            of_shard = state_folder(shard_folder(folder, shard))
            while (pid := lock_holder(of_shard)) is not None:
                if time.monotonic() >= deadline:
                    raise StateError(
                        f"{of_shard} is in use by a running crawl, process {pid or '?'}"
                        "; wait for its end, or stop it"
                    )
                time.sleep(_POLL_S)
        yield


def begin_fleet(
    file: FleetFile, config: Config, layout: Layout, processes: int, random: Random
) -> Fleet:
    """Begin a crawl in the file of its folder, which holds none."""
    run_id = ulid(time.time(), random)
    fleet = Fleet(run_id, to_json(config).decode(), layout, processes)
    file.set_fleet(fleet)
    return fleet


def refuse_folder(config: Config, parts: Sequence[Config], mode: Mode) -> None:
    """Raise UsageError if a crawl by shards cannot begin, or go on, in the folder.

    `parts` are the configurations of the shards.
    """
    folder = Path(config.dir)
    state = state_folder(folder)
    if (state / FILE_NAME).exists() and not has_fleet(folder):
        with opened_store(folder) as store:
            run = store.run()
        if run is not None and mode == "new":
            refuse_to_overwrite(config.dir, run, [])
        if run is not None:
            raise UsageError(
                f"{config.dir} holds a crawl of one process, which can't be cut into "
                "shards: leave --processes out, or begin anew with --fresh"
            )
    if has_fleet(folder):
        if mode == "new":
            with closing(FleetFile(folder)) as file:
                refuse_to_overwrite(config.dir, file.fleet(), [])
    else:
        refuse_files(config.dir, [*files_of(parts), *warc_files(config)])


def remove_fleet(config: Config, parts: Sequence[Config]) -> None:
    """Remove what a crawl in the folder has, by shards or not; its images stay."""
    state = state_folder(config.dir)
    parts = [*parts, *parts_there(config.dir)]
    remove_crawl(state, files_of([*parts, config]))


def changed_fleet(fleet: Fleet, config: Config) -> tuple[Fleet, tuple[Change, ...]]:
    """The crawl as it goes on under `config`, and what that changes.

    Raises UsageError for a setting that cannot change.
    """
    old = replace(from_json(fleet.config.encode()), dir=config.dir)
    if replace(old, name=config.name) == config:
        return fleet, ()
    changes = changes_between(old, config)
    refuse_fixed(old, config, changes)
    return replace(fleet, config=to_json(config).decode()), changes
