"""Beginning a crawl in a folder, resuming it, and beginning it anew.

A crawl of mode "newer" goes into a state that holds one: it fetches every URL again,
and only what has changed where the server allows that (`engine/revalidation.py`). Its
records come behind the old ones under a run_id of their own, numbered on, so that of
two records of a URL the later counts in any case.

A new crawl commits its run and its seeds in one transaction, so that a folder holds
either a crawl that can be resumed or nothing that counts.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from crawler.frontier.sqlite.damage import explain_damage
from crawler.frontier.sqlite.database import has_fleet, holds_crawl, no_crawl
from crawler.frontier.sqlite.lockfile import LockFile
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Run, Store
from crawler.model.config import Config, from_json, to_json
from crawler.model.errors import UsageError
from crawler.model.fingerprint import request_fingerprint
from crawler.model.metadata import (
    BOOT,
    EXTRACT_OF,
    REQUESTS,
    SEED_REDIRECTS,
)
from crawler.output.files import Journal
from crawler.output.images import ImageFiles
from crawler.output.sink import refused
from crawler.workspace.crash_guard import CrashGuard
from crawler.workspace.outputs import (
    files_of,
    jsonl_files,
    output_files,
    place_outputs,
)
from crawler.workspace.paths import (
    GUARD,
    JOURNAL,
    content_folder,
    crash_guard,
    image_journal,
    part_of,
    partial_bodies,
    state_folder,
)
from crawler.workspace.recovery import boot_id, recover

if TYPE_CHECKING:
    from crawler.frontier.sqlite.shard_store import ShardStore
    from crawler.model.config_changes import Change
    from crawler.model.shards import Shard
    from crawler.output.partials import PartialFiles

Mode = Literal["new", "resume", "fresh", "newer"]


def open_store(state: Path) -> SqliteStore:
    """The store in the folder `state`. Raises StateError or OutputError."""
    return SqliteStore(state, (JOURNAL, GUARD))


def open_shard(state: Path, shard: Shard, now: float) -> ShardStore:
    """The store of a shard in the folder `state`. Raises StateError or OutputError."""
    from crawler.frontier.sqlite.shard_store import ShardStore  # most have no shards
    from crawler.frontier.sqlite.shared_contents import SharedContents
    from crawler.model.shards import Owners

    contents = SharedContents(state_folder(content_folder(state.parent)), shard.number)
    owners, files = Owners(shard.layout), (JOURNAL, GUARD)
    return ShardStore(state, shard.number, owners, now, files, contents)


@contextmanager
def opened_store(folder: Path | str) -> Iterator[SqliteStore]:
    """The store of the crawl in `folder`, for a block.

    Raises StateError, also if the block fails for a value in a damaged state.
    """
    state = state_folder(folder)
    with explain_damage(state), closing(open_store(state)) as store:
        yield store


def stored_config(folder: Path) -> Config:
    """The configuration that the crawl in `folder` was begun with.

    Raises UsageError if there is none.
    """
    if not holds_crawl(folder):
        raise no_crawl(folder)
    if has_fleet(folder):
        from crawler.frontier.sqlite.fleet_file import read_fleet  # few have shards

        config = from_json(read_fleet(folder).config.encode())
        return replace(config, dir=str(folder))
    with opened_store(folder) as store:
        run = store.run()
        if run is None:
            raise UsageError(
                f"the crawl in {folder} never began; begin it with `orbweb crawl URL`"
            )
        _refuse_extraction(str(folder), store)
        return replace(from_json(run.config.encode()), dir=str(folder))


class OpenedState(Struct, frozen=True):
    """A store that is open for a run."""

    store: Store
    run: Run
    lost: int = 0
    """URLs that a power cut sent back to the queue: their records were lost."""
    changes: tuple[Change, ...] = ()
    """Settings that are other than in the runs before."""


def open_state(
    config: Config,
    mode: Mode,
    now: float,
    random: Random,
    shard: Shard | None = None,
) -> OpenedState:
    """The state of a crawl in its folder, or of one shard in its own.

    Nothing of that is committed yet. Raises UsageError if `mode` does not fit what the
    folder holds, or for a setting that a resume cannot change; OutputError, StateError.
    """
    state = state_folder(config.dir)
    files = files_of([config])
    run: Run | None
    lost = 0
    changes: tuple[Change, ...] = ()
    if shard is None:
        _refuse_shards(config.dir, mode)
    if mode == "fresh":
        from crawler.workspace.shard_parts import parts_there

        remove_crawl(state, [*files, *files_of(parts_there(config.dir))])
    store = open_store(state) if shard is None else open_shard(state, shard, now)
    try:
        run = store.run()
        if mode == "resume" and run is None:
            raise no_crawl(config.dir)
        if run is not None and mode != "fresh":
            _refuse_extraction(config.dir, store)
        if run is None or mode in ("new", "fresh"):
            refuse_to_overwrite(config.dir, run, files)
            run_id = ulid(now, random) if shard is None else shard.run_id
            run = _begin(store, Run(run_id, to_json(config).decode()), config)
        else:
            old = replace(from_json(run.config.encode()), dir=config.dir)
            lost = recover(store, content_folder(old.dir), jsonl_files(old), now)
            if mode == "newer":
                _requeue_all(store, old, config, now)
                run_id = ulid(now, random) if shard is None else shard.run_id
                anew = Run(run_id, to_json(config).decode(), run.seq, run.run_id)
                run = _begin(store, anew, config)
            else:
                run, changes = _resumed(store, run, old, config, now)
    except BaseException:
        store.close()
        raise
    return OpenedState(store, run, lost, changes)


def open_state_of_extraction(
    config: Config, name: str, now: float, random: Random
) -> OpenedState:
    """The state of an extraction of `name`, which replaces one that is there.

    Raises UsageError if the folder holds a crawl, or an output a file of another.
    """
    if (old := _config_of_extraction(Path(config.dir))) is not None:
        ours = output_files(replace(old, dir=config.dir))
        refuse_files(config.dir, set(output_files(config)).difference(ours))
        remove_crawl(state_folder(config.dir), ours)
    opened = open_state(config, "new", now, random)
    opened.store.set(EXTRACT_OF, "", name.encode())
    opened.store.commit()  # before its first output is there
    return opened


def _config_of_extraction(folder: Path) -> Config | None:
    """The configuration of the extraction that is in `folder`; None if none is."""
    if not holds_crawl(folder):
        return None
    with opened_store(folder) as store:
        run = store.run()
        if run is None or store.get(EXTRACT_OF, "") is None:
            return None
        return from_json(run.config.encode())


def _refuse_extraction(folder: str, store: Store) -> None:
    name = store.get(EXTRACT_OF, "")
    if name is not None:
        raise UsageError(
            f"{folder} holds what `orbweb extract` has made of {name.decode()}, and no "
            "crawl: name another folder with --dir"
        )


def _resumed(
    store: SqliteStore, run: Run, old: Config, config: Config, now: float
) -> tuple[Run, tuple[Change, ...]]:
    """The run as it goes on under `config`, and what that changes."""
    if replace(old, name=config.name) == config:
        return run, ()
    from crawler.model.config_changes import changes_between
    from crawler.workspace.new_settings import take_new_settings

    changes = changes_between(old, config)
    take_new_settings(store, old, config, changes, now)
    run = replace(run, config=to_json(config).decode())
    store.set_run(run)
    return run, changes


def _begin(store: SqliteStore, run: Run, config: Config) -> Run:
    store.set_run(run)
    store.set(REQUESTS, "", request_fingerprint(config))
    store.set(BOOT, "", boot_id())
    return run


def _requeue_all(store: SqliteStore, old: Config, config: Config, now: float) -> None:
    """Queue every URL of the crawl under `old`, for a recrawl."""
    place_outputs(store, old, config)
    from crawler.workspace.scope_check import scope_check  # only recrawls need it

    check = None
    if (old.scope, old.seeds) != (config.scope, config.seeds):
        check = scope_check(config, store.items(SEED_REDIRECTS))
    store.requeue_all(
        now,
        check,
        keep_cached_fields=store.get(REQUESTS, "") == request_fingerprint(config),
    )


def check_writable(folder: Path) -> None:
    """Create, lock and commit a state in `folder`, and remove it again.

    Raises OSError, OutputError or StateError if no crawl could be kept there.
    """
    from tempfile import TemporaryDirectory  # with what only this command needs

    with (
        TemporaryDirectory(prefix=".orbweb-", dir=folder) as place,
        opened_store(place) as store,
    ):
        store.set(BOOT, "", boot_id())
        store.commit()


@contextmanager
def rollback_on_error(config: Config) -> Iterator[None]:
    """If the block fails, remove the state and the records that it created."""
    state = state_folder(config.dir)
    new_state = not state.exists()
    files = output_files(config)
    try:
        yield
    except BaseException:
        for path in set(output_files(config)).difference(files):
            with suppress(OSError):
                path.unlink()
        if new_state:
            _remove(state, ignore_errors=True)
            with suppress(OSError):  # it holds other files
                state.parent.rmdir()
        raise


def keep_position(folder: Path, sink: str, position: int) -> None:
    """Keep how far a sink has come after the crawl in `folder` has ended.

    Raises StateError if the state is in use, OutputError if it can't be written.
    """
    with opened_store(folder) as store:
        store.set_position(sink, position)
        store.commit()


def open_images(config: Config) -> ImageFiles:
    """Where the images go. Raises UsageError if `images.name` can't be used."""
    journal = Journal(image_journal(config.dir))
    folder, part = content_folder(config.dir), part_of(config.dir)
    return ImageFiles(folder, config.images.name, journal, part)


def open_partials(config: Config, store: Store) -> PartialFiles:
    """The partial files of an earlier run whose URLs are still to be fetched."""
    from crawler.output.partials import PartialFiles  # for large bodies

    partials = PartialFiles(partial_bodies(config.dir), boot_id().decode())
    # An archive has not what a killed run had received, so it begins again.
    partials.recover((lambda _: False) if config.warc.write else store.waits)
    return partials


def open_crash_guard(config: Config, store: Store) -> CrashGuard:
    """The crash guard, which counts the death of the run before, if it died."""
    return CrashGuard(crash_guard(config.dir), store)


def refuse_to_overwrite(folder: str, run: object, files: list[Path]) -> None:
    """Raise UsageError if the folder holds a crawl, or one of the files anything."""
    if run is not None:
        quoted = shlex.quote(folder)
        raise UsageError(
            f"{folder} holds a crawl already: `orbweb resume {quoted}` continues it, "
            f"also with other settings; `orbweb recrawl {quoted}` fetches again what "
            f"has changed; `orbweb crawl --fresh --dir {quoted} URL` deletes its "
            "records and begins anew; or name another folder with --dir"
        )
    refuse_files(folder, files)


def refuse_files(folder: str, files: Iterable[Path]) -> None:
    """Raise UsageError if one of the files holds anything."""
    for path in files:
        if path.is_file() and path.stat().st_size > 0:
            raise UsageError(
                f"{path} is there already and belongs to no crawl in {folder}: move "
                "it away, name another with --output, or overwrite it with --fresh"
            )


def _remove(folder: Path, ignore_errors: bool = False) -> None:
    import shutil  # slow to import, with its archive formats, and rarely needed

    shutil.rmtree(folder, ignore_errors=ignore_errors)


def remove_crawl(state: Path, files: list[Path]) -> None:
    """Remove state and records; images stay, and are found again by their names."""
    try:
        if state.exists():
            with closing(LockFile(state)):  # no crawl is running in it
                _remove(state)
        for path in files:
            if path.is_file():
                path.unlink()
    except OSError as error:
        raise refused(error, state.parent) from error


def _refuse_shards(folder: str, mode: Mode) -> None:
    """Raise UsageError for the folder of a crawl that is cut into shards."""
    if part_of(folder):
        whole = content_folder(folder)
        raise UsageError(
            f"{folder} is one shard of the crawl in {whole}; `orbweb resume "
            f"{shlex.quote(str(whole))}` continues that"
        )
    if has_fleet(folder) and mode != "fresh":
        from crawler.frontier.sqlite.fleet_file import read_fleet

        read_fleet(Path(folder)).refuse_part(folder)
        quoted = shlex.quote(folder)
        raise UsageError(
            f"{folder} holds a crawl that is cut into shards: `orbweb resume {quoted}` "
            "continues it, with one process or several"
        )


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(now: float, random: Random) -> str:
    """A ULID: 48 bits of milliseconds and 80 random bits; it sorts by time.

    See ulid/spec.
    """
    value = int(now * 1000) << 80 | random.getrandbits(80)
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -5, -5))
