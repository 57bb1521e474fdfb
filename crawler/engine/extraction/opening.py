"""Opens a source, and the folder to which an extraction writes; runs it."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from crawler.engine.builder import opened_look
from crawler.engine.committer import Committer
from crawler.engine.events import Events
from crawler.engine.extraction.crawl_source import CrawlSource
from crawler.engine.extraction.extraction import (
    Extracted,
    Extraction,
    Item,
    reader_without_requests,
)
from crawler.engine.extraction.warc_index import ArchivedBodies, WarcIndex
from crawler.engine.extraction.warc_source import WarcSource
from crawler.engine.machinery import kept_pictures
from crawler.engine.plugin_adapters import Plugins
from crawler.extract.extractor import InlineExtractor
from crawler.fetch.transport import ExchangeListener
from crawler.frontier.store import Run, Store
from crawler.inspect.state import open_state as open_for_reading
from crawler.model.config import Config
from crawler.model.content_config import WarcConfig
from crawler.model.errors import UsageError
from crawler.model.http import OpenSpool
from crawler.model.metadata import BOOT
from crawler.output.bodies import Saves, saves
from crawler.output.images import ImageStore, UnsavedImages
from crawler.workspace.open import (
    open_images,
    open_state_of_extraction,
    open_store,
    rollback_on_error,
)
from crawler.workspace.outputs import (
    object_outputs,
    open_sinks,
    sink_openers,
    with_absolute_outputs,
)
from crawler.workspace.paths import state_folder, warc_folder

Tell = Callable[[str], None]
"""Gets sentences for the user."""


class Choice(Struct, frozen=True):
    """Which URLs of a source are extracted."""

    matches: str = ""
    """RE2 expression that is searched for in the URL; empty: all."""
    limit: int | None = None
    """How many at most, in the order of the source."""


ALL = Choice()
MAX_NAMED = 5
"""WARC files that the run record names."""


def config_of_crawl(folder: Path) -> Config:
    """The configuration of the crawl in `folder`. Raises UsageError, StateError."""
    with open_for_reading(folder) as (_state, config):
        return replace(config, dir=str(folder))


def extract_crawl(
    folder: Path,
    config: Config,
    tell: Tell,
    choice: Choice = ALL,
    *,
    plugins: Sequence[object] = (),
    clock: Callable[[], float] = time.time,
    random: Random | None = None,
) -> Extracted:
    """Extract what the crawl in `folder` has saved, into `config.dir`.

    `plugins` are objects, beside those that `config.plugin` names. Raises UsageError,
    OutputError or StateError.
    """
    crawl = config_of_crawl(folder)
    with _opened(config, str(folder), plugins, clock, random) as opened:
        archived = _archived(folder, crawl, opened)
        source = CrawlSource(folder, crawl, opened.config, archived)
        extracted = opened.run(source, tell, choice, UnsavedImages(""), None)
    if config.images.thumbnails not in (None, crawl.images.thumbnails):
        tell(
            "no thumbnails were made: the pictures stay in the folder of the crawl; "
            f"`orbweb crawl -N --dir {shlex.quote(str(folder))} --thumbnails "
            f"{config.images.thumbnails} URL` makes them there"
        )
    if source.unsaved:
        tell(
            "1 page or file has no saved body: it keeps its record"
            if source.unsaved == 1
            else f"{source.unsaved:,} pages and files have no saved body: they keep "
            "their records"
        )
    return extracted


def extract_warcs(
    files: Sequence[Path],
    config: Config,
    tell: Tell,
    choice: Choice = ALL,
    *,
    plugins: Sequence[object] = (),
    clock: Callable[[], float] = time.time,
    random: Random | None = None,
) -> Extracted:
    """Extract the responses in WARC files, into `config.dir`; as `extract_crawl`."""
    name = ", ".join(map(str, files[:MAX_NAMED]))
    if (more := len(files) - MAX_NAMED) > 0:
        name += f" and {more} more"
    with _opened(config, name, plugins, clock, random) as opened:
        source = WarcSource(WarcIndex(files, opened.open_index()), opened.config)
        images = opened.held.enter_context(closing(open_images(opened.config)))
        types = opened.config.bodies.save
        chosen = saves(types) if types else None
        extracted = opened.run(source, tell, choice, images, chosen)
    if source.left_out:
        counts = ", ".join(f"{n:,} {kind}" for kind, n in source.left_out.most_common())
        tell(f"records that are no answers were left out: {counts}")
    return extracted


class _Opened(Struct, frozen=True):
    """The folder that is written to."""

    config: Config
    name: str
    run_of: Run
    store: Store
    held: ExitStack
    plugins: Plugins
    clock: Callable[[], float]

    def open_index(self) -> Store:
        """A store beside the state, which is deleted in the end."""
        folder = state_folder(self.config.dir) / "index"
        self.held.callback(shutil.rmtree, folder, ignore_errors=True)
        return self.held.enter_context(closing(open_store(folder)))

    def run(
        self,
        source: Iterable[Item],
        tell: Tell,
        choice: Choice,
        images: ImageStore,
        chosen: Saves | None,
    ) -> Extracted:
        config, held = self.config, self.held
        events = Events(_NoExchanges())
        events.on_warning(tell)
        openers = {**sink_openers(config), **self.plugins.sinks()}
        looks, thumbnails = kept_pictures(config, self.store, images, self.run_of)
        writes = not isinstance(images, UnsavedImages)
        committer = Committer(
            self.run_of,
            self.store,
            open_sinks(openers, self.store, held),
            images,
            events.record,
            config.records,
            self.clock,
            config.scope.dedupe_content,
            looks=looks,
            thumbnails=thumbnails if writes else None,
        )
        look = held.enter_context(opened_look(config))
        documents = held.enter_context(self.plugins.documents())
        close_listeners = self.plugins.listen(events)
        extraction = Extraction(
            source,
            self.name,
            config,
            reader_without_requests(
                config, InlineExtractor(), documents, chosen, self.clock, look
            ),
            committer,
            events,
            self.clock,
            tell,
            with_bodies=writes,
            matches=choice.matches,
            limit=choice.limit,
            processes=1 if documents is None else documents.processes,
        )
        extracted = extraction.run()
        self.store.set(BOOT, "", None)
        self.store.commit()
        close_listeners()
        return extracted


@contextmanager
def _opened(
    config: Config,
    name: str,
    plugins: Sequence[object],
    clock: Callable[[], float],
    random: Random | None,
) -> Iterator[_Opened]:
    config = with_absolute_outputs(replace(config, warc=WarcConfig()))
    if names := object_outputs(config):
        raise UsageError(f"--output {next(iter(names))}: an extraction writes files")
    loaded = Plugins(config, plugins)
    with rollback_on_error(config), ExitStack() as held:
        state = open_state_of_extraction(config, name, clock(), random or Random())
        store = held.enter_context(closing(state.store))
        yield _Opened(config, name, state.run, store, held, loaded, clock)


def _archived(folder: Path, crawl: Config, opened: _Opened) -> ArchivedBodies | None:
    """The bodies in the WARC files of the folder; None if it has none."""
    files = sorted(warc_folder(folder).glob("*.warc.gz"))
    if not files:
        return None
    return ArchivedBodies(WarcIndex(files, opened.open_index()), crawl.http)


class _NoExchanges:
    """Nothing is requested, so no listener is told an exchange."""

    def on_exchange(
        self, listener: ExchangeListener, *, transferred: bool | OpenSpool = False
    ) -> None:
        """There will be none."""
