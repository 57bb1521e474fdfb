"""Exchanges into WARC files, in the commit of what they led to.

A listener is told an exchange when it has ended, which is before the outcome of its URL
is known, while other URLs' exchanges are under way. So the exchanges of a worker are
gathered until its lease has an answer (`finish`, `retry`, or the record of robots.txt),
and appended to the archive in the same step. Nothing can switch between the two, so
each commit stores a position of the archive that holds the exchanges of what has been
answered, and no others. After a kill the archive is cut back to that position, and a
URL whose outcome was lost is fetched, and archived, again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial

from greenlet import getcurrent

from crawler import __version__
from crawler.engine.events import Events
from crawler.fetch.http1.request import user_agent
from crawler.frontier.store import Run, Store
from crawler.model.config import Config
from crawler.model.errors import StateError
from crawler.model.http import Exchange
from crawler.output.sink import Position
from crawler.output.warc.archive import WarcArchive
from crawler.output.warc.files import WarcFiles
from crawler.output.warc.framing import Fields
from crawler.output.warc.spool import SpoolFile
from crawler.workspace.paths import state_folder, warc_folder
from crawler.workspace.recovery import boot_id

POSITION = "warc"
"""The name under which the store keeps the archive's position."""


class Archiving:
    """Gathers the exchanges of each worker for `archive`.

    `clock`: seconds since the epoch.
    """

    def __init__(self, archive: WarcArchive, clock: Callable[[], float]) -> None:
        self._archive = archive
        self._clock = clock
        self._boot = boot_id()
        self._gathered: dict[object, list[tuple[Exchange, float]]] = {}
        """By greenlet, or by the lease with which they were set aside."""

    def gather(self, exchange: Exchange) -> None:
        """An exchange of the current worker has ended."""
        told = exchange, self._clock()
        self._gathered.setdefault(getcurrent(), []).append(told)

    def write(self) -> None:
        """Append the exchanges of the current worker. Raises OutputError."""
        for exchange, ended in self._gathered.pop(getcurrent(), ()):
            self._archive.write(exchange, ended)

    def set_aside(self, lease: object) -> None:
        """The current worker leaves its exchanges to the one that takes up `lease`."""
        self._gathered[lease] = self._gathered.pop(getcurrent(), [])

    def take_up(self, lease: object) -> None:
        """What was set aside with `lease` is the current worker's."""
        self._gathered[getcurrent()] = self._gathered.pop(lease)

    def close(self) -> None:
        """Close the archive. Raises OutputError."""
        self._archive.close()

    def flush(self, store: Store) -> None:
        """Put the position into the open transaction. Raises OutputError."""
        store.set_position(POSITION, [self._boot, self._archive.flush()])


def open_archiving(
    config: Config,
    run: Run,
    store: Store,
    events: Events,
    clock: Callable[[], float],
    held: ExitStack,
) -> Archiving:
    """The archive of a crawl, cut back to its committed position; `held` closes it.

    Raises OutputError, or StateError where less is there than was committed.
    """
    archive = open_archive(config, run, store, store.position(POSITION))
    archiving = held.enter_context(closing(Archiving(archive, clock)))
    open_spool = partial(SpoolFile, state_folder(config.dir))
    events.on_exchange(archiving.gather, transferred=open_spool)
    return archiving


def open_archive(
    config: Config, run: Run, store: Store, position: Position | None
) -> WarcArchive:
    """The archive at `position`; another run begins another file."""
    folder, warc = warc_folder(config.dir), config.warc
    number, offset, records, info_id, same_run, same_boot = 0, 0, 0, "", True, True
    if position is not None:
        boot, name, run_id, number, offset, records, info_id = _checked(position)
        same_run, same_boot = run_id == run.run_id, boot == boot_id()
        if name != warc.prefix:
            number = offset = 0
    files = WarcFiles(folder, warc.prefix, number, offset, not same_run, not same_boot)
    return WarcArchive(
        files,
        run.run_id,
        records,
        store,
        _info(config, run),
        warc.max_size,
        warc.secrets,
        info_id,
    )


def _checked(position: Position) -> tuple[bytes, str, str, int, int, int, str]:
    match position:
        case [bytes(z), [str(a), str(b), int(c), int(d), int(e), str(f)]]:
            return z, a, b, c, d, e, f
    raise StateError("the position of the WARC files in the state is damaged")


def _info(config: Config, run: Run) -> Fields:
    """The block of `warcinfo`."""
    software = f"orbweb/{__version__}"
    fields = [
        ("software", software),
        ("format", "WARC File Format 1.1"),
        (
            "conformsTo",
            "https://iipc.github.io/warc-specifications/specifications/warc-format/"
            "warc-1.1/",
        ),
        ("isPartOf", run.run_id),
        ("http-header-user-agent", user_agent(config.http)),
        ("robots", "obey" if config.robots.obey else "ignore"),
    ]
    if not config.warc.secrets:
        fields.append(("description", "secret request headers are redacted"))
    return fields
