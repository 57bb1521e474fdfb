"""What only some crawls have: WARC files, uploads, a WACZ file, a mirror.

Their code is loaded where a configuration asks for one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import hub
from crawler.engine.committer import Archive
from crawler.engine.crawl import AfterRun, MakeMirror
from crawler.engine.events import Events
from crawler.engine.machinery import Environment
from crawler.engine.uploading import Uploading
from crawler.frontier.store import Run, Store
from crawler.model.config import Config
from crawler.model.metadata import KeyValue
from crawler.policy.check import Candidate
from crawler.policy.traps import Traps
from crawler.workspace.open import Mode
from crawler.workspace.outputs import OpenSink, object_outputs, sink_openers

MAKING = "making the mirror of what is saved"


class FurtherParts:
    """The further parts of one crawl.

    `writes`: its sinks are those that the configuration names. Raises UsageError or
    OutputError if an output in object storage may not be written.
    """

    def __init__(
        self, config: Config, mode: Mode, store: Store, *, writes: bool
    ) -> None:
        self._config = config
        self._store = store
        self._uploading: Uploading | None = None
        if writes and object_outputs(config):
            self._uploading = Uploading(config)
            self._uploading.prepare(mode, store)

    def openers(self) -> dict[str, OpenSink]:
        """The openers of the sinks; finished parts are uploaded."""
        if self._uploading is None:
            return sink_openers(self._config)
        return sink_openers(self._config, self._uploading.part_finished)

    def archive(
        self, run: Run, events: Events, clock: Callable[[], float], held: ExitStack
    ) -> Archive | None:
        """The WARC files, if there are any; `held` closes them."""
        if not self._config.warc.write:
            return None
        from crawler.engine.archive.archiving import open_archiving

        return open_archiving(self._config, run, self._store, events, clock, held)

    def after_run(self, environment: Environment) -> AfterRun:
        """What follows a run: uploads, then a WACZ file."""
        steps: list[AfterRun] = []
        archive, uploading = environment.archive, self._uploading
        if uploading is not None:
            uploading.on_warning = environment.events.warning
            steps.append(partial(uploading.finish, environment.sinks))
        if archive is not None and self._config.warc.wacz:
            from crawler.engine.archive.packing import packer

            clock = environment.clock.wall
            steps.append(packer(self._config, archive.close, clock))

        def run(is_wanted: Callable[[], bool]) -> None:
            for step in steps:
                step(is_wanted)

        return run

    def mirror(self, traps: Traps, events: Events) -> MakeMirror | None:
        """What makes the mirror, if there is one, and tells the URL of its start."""
        if not self._config.bodies.mirror:
            return None

        def make(is_wanted: Callable[[], bool]) -> str | None:
            events.notice(MAKING)
            return make_mirror(
                self._config, self._store, traps, is_wanted, events.warning
            )

        return make


def make_mirror(
    config: Config,
    metadata: KeyValue,
    traps: Traps,
    is_wanted: Callable[[], bool],
    warn: Callable[[str], None],
) -> str | None:
    """Make the mirror of a crawl, or that of all its shards together. Switches.

    Returns the URL of its first page; None if it has none, or is not complete. Raises
    OutputError.
    """
    from crawler.engine.archive.mirroring import MirrorMaker

    def go_on() -> bool:
        hub.sleep(0)  # for signals and the view
        return is_wanted()

    def substitute(url: str, parent_url: str) -> str | None:
        return traps.substitute(Candidate(url, "a", "page", 1, parent_url))

    maker = MirrorMaker(config, metadata, substitute, go_on, warn)
    if not maker.make():
        warn("the mirror is not complete; `orbweb resume` completes it")
        return None
    first = maker.first_page()
    return None if first is None else first.as_uri()
