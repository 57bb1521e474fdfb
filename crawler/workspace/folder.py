"""A crawl's folder: `state/`, `records.jsonl`, `images/`. Beginning, resuming,
beginning anew.

A crawl of mode "newer" goes into a state that holds one: it asks again for everything,
and only for what has changed where the server lets it (`revisit.py`). Its records come
behind the old ones under a run_id of their own, numbered on, so that of two records of
a URL the later counts in any case.

A new crawl commits its run and its seeds in one transaction (`app.py`), so that a
folder holds either a crawl that can be resumed or nothing that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Literal

from msgspec.structs import replace

from crawler.frontier.sqlite.lockfile import LockFile
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Run, Store
from crawler.model.config import Config, from_json, to_json
from crawler.model.crawl import Destination, Skip
from crawler.model.documents import LinkKind
from crawler.model.errors import UsageError
from crawler.model.fingerprint import extraction_fingerprint
from crawler.model.metadata import (
    ADDED_SEEDS,
    BOOT,
    EXTRACTION,
    POISON_URLS,
    TRAPS,
    TRAPS_OUT_OF_MEMORY,
)
from crawler.output.images import ImageFiles
from crawler.output.journal import Journal
from crawler.output.sink import refused
from crawler.policy.chain import scope_checks
from crawler.policy.check import Candidate, Chain
from crawler.policy.scope import Scope
from crawler.workspace.crash_guard import CrashGuard
from crawler.workspace.outputs import jsonl_files, output_files, place_outputs
from crawler.workspace.recovery import boot_id, mend

Mode = Literal["new", "resume", "fresh", "newer"]

DECIDED_FOR_GOOD = frozenset({"scope", "depth", "scheme", "nofollow"})
"""Reasons of skips that are not judged again when a URL is leased."""

STATE = "state"
JOURNAL = "pictures"
READING_FILE = "reading"


def stored_config(folder: Path) -> Config:
    """The configuration that the crawl in `folder` was begun with; UsageError if there
    is none."""
    if not (folder / STATE).is_dir():
        raise UsageError(f"{folder} holds no crawl; start one with `orbweb crawl URL`")
    with closing(SqliteStore(folder / STATE)) as store:
        run = store.run()
    if run is None:
        raise UsageError(
            f"the crawl in {folder} never began; begin it with `orbweb crawl URL`"
        )
    return replace(from_json(run.config.encode()), dir=str(folder))


def open_state(
    config: Config, mode: Mode, now: float, random: Random
) -> tuple[SqliteStore, Run, int]:
    """The store and the run of a crawl, and how many URLs a power cut has made it ask
    for again.

    Nothing of that is committed yet. Raises UsageError if `mode` does not fit what the
    folder holds, OutputError, StateError.
    """
    state = Path(config.dir) / STATE
    files = output_files(config)
    run: Run | None
    lost = 0
    if mode == "fresh":
        _throw_away(state, files)
    store = SqliteStore(state)
    try:
        run = store.run()
        if mode == "resume" and run is None:
            raise UsageError(
                f"{config.dir} holds no crawl; start one with `orbweb crawl URL`"
            )
        if run is None or mode in ("new", "fresh"):
            _refuse_to_overwrite(config.dir, run, files)
            run = _begin(
                store, Run(ulid(now, random), to_json(config).decode()), config
            )
        else:
            old = replace(from_json(run.config.encode()), dir=config.dir)
            lost = mend(store, Path(config.dir), jsonl_files(old), now)
            if mode == "newer":
                _ask_again(store, old, config, now)
                anew = Run(
                    ulid(now, random), to_json(config).decode(), run.seq, run.run_id
                )
                run = _begin(store, anew, config)
    except BaseException:
        store.close()
        raise
    return store, run, lost


def _begin(store: SqliteStore, run: Run, config: Config) -> Run:
    store.set_run(run)
    store.set(EXTRACTION, "", extraction_fingerprint(config))
    store.set(BOOT, "", boot_id())
    return run


def _ask_again(store: SqliteStore, old: Config, config: Config, now: float) -> None:
    """Queue what the crawl under `old` has met, for one that compares itself with
    it."""
    place_outputs(store, old, config)
    check = None
    if (old.scope, old.seeds) != (config.scope, config.seeds):
        widened = [url for url, _ in store.items(ADDED_SEEDS)]
        check = _scope_check(config, widened)
    store.requeue_all(
        now,
        check,
        keep_cached_fields=store.get(EXTRACTION, "") == extraction_fingerprint(config),
    )


def _scope_check(
    config: Config, widened: list[str]
) -> Callable[[str, LinkKind, Destination, int], Skip | None]:
    """Decides again, under today's scope, about a URL that an earlier crawl found."""
    scope = Scope(config.scope, (*config.seeds, *widened))
    check_found = Chain(scope_checks(config.scope, scope)).check_found

    def check(
        url: str, kind: LinkKind, destination: Destination, depth: int
    ) -> Skip | None:
        return check_found(Candidate(url, kind, destination, depth))

    return check


def try_out(folder: Path) -> None:
    """Make, lock and commit a state in `folder`, and take it away again.

    Raises OSError, OutputError or StateError if no crawl could be kept there.
    """
    from tempfile import TemporaryDirectory  # with what only this command needs

    with (
        TemporaryDirectory(prefix=".orbweb-", dir=folder) as place,
        closing(SqliteStore(Path(place) / STATE)) as store,
    ):
        store.set(BOOT, "", boot_id())
        store.commit()


@contextmanager
def rollback_on_error(config: Config) -> Iterator[None]:
    """If what is done inside fails, there is no state and no record that was not there
    before."""
    state = Path(config.dir) / STATE
    new_state = not state.exists()
    new_files = [path for path in output_files(config) if not path.exists()]
    try:
        yield
    except BaseException:
        for path in new_files:
            with suppress(OSError):
                path.unlink()
        if new_state:
            _remove(state, ignore_errors=True)
            with suppress(OSError):  # somebody's files are in it
                state.parent.rmdir()
        raise


def keep_position(folder: Path, sink: str, position: int) -> None:
    """Keep how far a sink has come after the crawl in `folder` has ended.

    Raises StateError if the state is in use, OutputError if it can't be written.
    """
    with closing(SqliteStore(folder / STATE)) as store:
        store.set_position(sink, position)
        store.commit()


def requeue(
    folder: Path,
    codes: tuple[str, ...],
    hosts: tuple[str, ...],
    *,
    now: float,
    dry_run: bool,
) -> int:
    """Put failed URLs of the crawl in `folder` back, by code and host; how many there
    are.

    UsageError for the reason of a skip that nobody would look at again.
    """
    if fixed := DECIDED_FOR_GOOD.intersection(codes):
        raise UsageError(
            f"--code {', '.join(sorted(fixed))}: decided where the URL was found, by the "
            "configuration; change that and begin anew with --fresh"
        )
    with closing(SqliteStore(folder / STATE)) as store:
        count = store.requeue_failed(codes, hosts, now)
        if "trap" in codes:
            _forget(store, TRAPS)  # else they would be cut again at once
            _forget(store, TRAPS_OUT_OF_MEMORY)
        if not codes or "parse" in codes:
            _forget(store, POISON_URLS)
        if not dry_run:
            store.commit()
    return count


def _forget(store: SqliteStore, kind: str) -> None:
    for key, _ in store.items(kind):
        store.set(kind, key, None)


def open_images(config: Config) -> ImageFiles:
    """Where the pictures go. Raises UsageError if `images.name` can't be used."""
    folder = Path(config.dir)
    return ImageFiles(folder, config.images.name, Journal(folder / STATE / JOURNAL))


def open_crash_guard(config: Config, store: Store) -> CrashGuard:
    """What was being read when the run before died, if it did."""
    return CrashGuard(Path(config.dir) / STATE / READING_FILE, store)


def _refuse_to_overwrite(folder: str, run: Run | None, files: list[Path]) -> None:
    if run is not None:
        raise UsageError(
            f"{folder} holds a crawl already: go on with `orbweb resume {folder}`, ask for what "
            f"has changed with `orbweb recrawl {folder}`, begin anew with --fresh, or name another "
            "folder with --dir"
        )
    for path in files:
        if path.is_file() and path.stat().st_size > 0:
            raise UsageError(
                f"{path} is there already and belongs to no crawl in {folder}: move "
                "it away, name another with --output, or overwrite it with --fresh"
            )


def _remove(folder: Path, ignore_errors: bool = False) -> None:
    import shutil  # with all its archive formats, at every start, for what is rare

    shutil.rmtree(folder, ignore_errors=ignore_errors)


def _throw_away(state: Path, files: list[Path]) -> None:
    """State and records go; images stay, and are met again by their names."""
    try:
        if state.exists():
            with closing(LockFile(state)):  # not under the feet of a running crawl
                _remove(state)
        for path in files:
            if path.is_file():
                path.unlink()
    except OSError as error:
        raise refused(error, state.parent) from error


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(now: float, random: Random) -> str:
    """A ULID: 48 bits of milliseconds and 80 random bits, which sorts by time
    (ulid/spec)."""
    value = int(now * 1000) << 80 | random.getrandbits(80)
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -5, -5))
