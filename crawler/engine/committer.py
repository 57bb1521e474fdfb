"""The last stage: one commit writes outcomes to files and to the frontier.

The order makes the promise. For a batch of outcomes:

1. the frontier moves each lease to done and adds what was found, in the open
   transaction,
2. images and saved bodies go to their files (the names to a journal first),
3. the records go to each sink, which is flushed and returns its position; so is the
   archive of exchanges (`archive/archiving.py`), which has them already,
4. the store commits: states, new URLs, sequence number and positions in one
   transaction; then the partial files of these URLs are removed (`output/partials.py`).

Killed before 4, the store is as it was; at the next start each sink rewinds to its old
position, and the files of the journal are removed. Killed after 4, all is done.
There is no state between.

An error at any step leaves states in the open transaction whose records are not
written, and so does one in a worker, between what it changes in the state and what it
writes. Therefore either is the end of this process's commits: each later call raises
the error again, and nothing becomes durable until the state is next opened.

Nothing here imports the hub, so nothing here can switch: a commit is atomic for all
greenlets without a lock. Outcomes are gathered because a commit of fifty costs little
more than one of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec.structs import replace

from crawler.engine import link_graph, record_builder, revalidation
from crawler.frontier.store import Content as StoredContent
from crawler.frontier.store import Run, Store
from crawler.model.content_config import OutputConfig
from crawler.model.crawl import Lease, Outcome, Skip, StoredResponse
from crawler.model.metadata import ITEMS, LEFT_OUT, increase
from crawler.model.record_base import BodyRecord, FetchRecord, Record
from crawler.model.records import (
    ErrorRecord,
    ImageRecord,
    PageRecord,
    RobotsRecord,
    SkipRecord,
    TerminalRecord,
)
from crawler.output.files import THUMBNAILS, Content
from crawler.output.images import ImageStore
from crawler.output.sink import RecordSink

if TYPE_CHECKING:
    from crawler.engine.images.keeper import ImageKeeper
    from crawler.engine.images.kept_thumbnails import KeptThumbnails
    from crawler.engine.images.look_groups import LookGroups
    from crawler.engine.images.look_index import LookIndex
    from crawler.engine.open_lease import Unfinished

R = TypeVar("R")

MAX_BATCH = 256
"""Outcomes that wait for one commit."""
FIRST_BATCH = 8
"""As many at the beginning, and twice as many with each commit.

What the first pages lead to is all that other shards will have to do.
"""
MAX_HELD = 8 * 2**20
"""Bytes of contents and characters of discovered URLs that wait for one commit."""

OPTIONAL: dict[str, type[Record]] = {"skips": SkipRecord, "robots": RobotsRecord}


class Archive(Protocol):
    """Where exchanges go. Each may raise OutputError."""

    def write(self) -> None:
        """Append the exchanges of the current worker."""
        ...

    def set_aside(self, lease: object) -> None:
        """The current worker leaves them to the one that takes up `lease`."""
        ...

    def take_up(self, lease: object) -> None:
        """What was set aside with `lease` is the current worker's."""
        ...

    def flush(self, store: Store) -> None:
        """Put the position that was reached into the open transaction."""
        ...

    def close(self) -> None:
        """Nothing more follows; a second call changes nothing."""
        ...


class Committer:
    """Writes the record stream of one crawl.

    `on_record` sees each terminal record when it is committed. `on_ended` sees it
    before, and what it puts into the store belongs to the same commit; of a duplicate
    (`dedupe_content`) it sees the record that another was written for.
    """

    def __init__(
        self,
        run: Run,
        store: Store,
        sinks: Mapping[str, RecordSink],
        images: ImageStore,
        on_record: Callable[[TerminalRecord], None],
        config: OutputConfig,
        clock: Callable[[], float],
        dedupe_content: bool = False,
        max_batch: int = MAX_BATCH,
        save_metadata: Iterable[Callable[[], None]] = (),
        archive: Archive | None = None,
        on_ended: Callable[[TerminalRecord], None] | None = None,
        extraction: bytes = b"",
        discard_partials: Callable[[Iterable[int]], None] = lambda _: None,
        looks: LookIndex | LookGroups | None = None,
        thumbnails: KeptThumbnails | None = None,
    ) -> None:
        """`extraction`: the fingerprint of the settings of the extraction.

        `looks`: those of the pictures, if they are hashed.
        """
        self._run = run
        self._seq = run.seq
        self._store = store
        self._sinks = sinks
        self._max_batch = max_batch
        self._batch_size = min(FIRST_BATCH, max_batch)
        self._archive = archive
        self._on_ended = on_ended
        self._extraction = extraction
        self._discard_partials = discard_partials
        self._looks = looks
        self._thumbnails = thumbnails
        self._keeper: ImageKeeper | None = None
        self._images = images
        self._on_record = on_record
        self._left_out = {
            kind for name, kind in OPTIONAL.items() if name not in config.record
        }
        self._dedupe_content = dedupe_content
        self._clock = clock
        self._save_metadata = save_metadata
        self._batch: list[tuple[Unfinished, Outcome] | Record] = []
        self._held = 0
        self._failure: BaseException | None = None
        images.recover(self._is_recorded)

    @property
    def has_outcomes(self) -> bool:
        """Whether any wait for the next commit."""
        return bool(self._batch)

    def put(self, record: Record) -> None:
        """Take a record that ends no lease (`run`, `robots`). May commit."""
        self._take(record)

    def finish(self, handle: Unfinished, outcome: Outcome) -> None:
        """Take the outcome of a lease, which is finished by the commit. May commit."""
        handle.detach()
        content = outcome.picture or outcome.body or b""
        self._held += len(content) if isinstance(content, bytes) else 0
        self._held += sum([len(one.url) for one in outcome.found])
        self._held += link_graph.held(outcome)
        self._take((handle, outcome))

    def sent_back(self) -> None:
        """A lease went back to the queue; its exchanges belong to the next commit."""
        if self._archive is not None:
            self._once_failed_always(self._archive.write)

    def set_aside(self, handle: Unfinished) -> None:
        """The worker goes on; another one takes the lease up, and gives its outcome."""
        if self._archive is not None:
            self._archive.set_aside(handle)

    def take_up(self, handle: Unfinished) -> None:
        """The outcome of a lease follows that was set aside."""
        if self._archive is not None:
            self._archive.take_up(handle)

    def fail(self, error: BaseException) -> None:
        """A worker has failed with `error`: nothing becomes durable any more.

        The open transaction may hold a part of what it did, such as an attempt whose
        exchange the archive has not, and the next commit of another worker would keep
        that.
        """
        self._failure = self._failure or error

    def _take(self, item: tuple[Unfinished, Outcome] | Record) -> None:
        if self._archive is not None:
            self._once_failed_always(self._archive.write)
        self._batch.append(item)
        if len(self._batch) >= self._batch_size or self._held >= MAX_HELD:
            self.commit()

    def commit(self) -> None:
        """Write the pending outcomes and commit them with all changes of the frontier.

        Raises OutputError, StateError, or whatever a sink raises; then nothing of the
        batch is committed, and every later call raises the same error.
        """
        self._once_failed_always(self._commit)

    def flush_skips(self) -> bool:
        """Write a batch of the decisions to skip that were made on finding a URL.

        Returns False when all of them are written. Called when the crawl is over: until
        then a later page may overturn such a decision, since it links to the URL from
        nearer the seeds, or shows as an image what another page only links to. Raises
        as `commit`.
        """
        return self._once_failed_always(self._flush_skips)

    def _once_failed_always(self, step: Callable[[], R]) -> R:
        """The result of `step`; after an error in one, the error."""
        if self._failure is not None:
            raise self._failure
        try:
            return step()
        except BaseException as error:
            self._failure = error
            raise

    def _commit(self) -> None:
        batch, self._batch, self._held = self._batch, [], 0
        if len(batch) >= self._batch_size:
            self._batch_size = min(2 * self._batch_size, self._max_batch)
        records: list[Record] = []
        ended: list[TerminalRecord] = []
        for item in batch:
            if isinstance(item, Record):
                records.append(item)
            else:
                record = self._settle(*item)
                ended.append(record)
                if item[1].is_recorded:
                    records.append(record)
                items = item[1].items
                if items and record.type != "skip":  # a duplicate has none of its own
                    records += items
                    increase(self._store, ITEMS, "items", len(items))
                if isinstance(record, BodyRecord) and record.left_out:
                    for kind in record.left_out:
                        increase(self._store, LEFT_OUT, kind)
        self._images.flush()
        self._write(records)
        if self._archive is not None:
            self._archive.flush(self._store)
        self._store.commit()
        self._images.settle()
        self._discard_partials(
            item[1].lease.url_id for item in batch if isinstance(item, tuple)
        )
        for record in ended:
            self._on_record(record)

    def _flush_skips(self) -> bool:
        pending = self._store.pending_skips(self._max_batch)
        records = [record_builder.unfetched_skip(found) for found in pending]
        self._write(records)
        self._store.skips_written(len(pending))
        self._store.commit()
        for record in records:
            self._on_record(record)
        return bool(pending)

    def _settle(self, handle: Unfinished, outcome: Outcome) -> TerminalRecord:
        record = outcome.record
        if isinstance(record, ImageRecord):
            self._keep_image(record, outcome)
        elif outcome.body is not None and isinstance(record, BodyRecord | ErrorRecord):
            self._keep_body(record, outcome.body)
        if self._on_ended is not None:
            self._on_ended(record)
        stored = self._remember(outcome)
        if self._dedupe_content and isinstance(record, BodyRecord):
            record = self._duplicate(outcome.lease, record) or record
        if isinstance(record, PageRecord) and record.needs_javascript:
            from crawler.engine.shell_pages import count_shell  # few crawls have one

            count_shell(self._store, record)
        if outcome.lease.destination == "external":
            from crawler.engine.external_links import count_external

            count_external(self._store, record)
        code, detail = record_builder.ending_of(record)
        links = link_graph.out_links(outcome)
        new = handle.finish(record.type, outcome.found, code, detail, stored, links)
        if isinstance(record, BodyRecord):
            record.new_links_count = new
        return record

    def _keep_image(self, record: ImageRecord, outcome: Outcome) -> None:
        if self._keeper is None:
            from crawler.engine.images.keeper import ImageKeeper  # with the first image

            self._keeper = ImageKeeper(
                self._store, self._images, self._looks, self._thumbnails
            )
        self._keeper.keep(record, outcome)

    def _keep_body(self, record: BodyRecord | ErrorRecord, body: Content) -> None:
        """Store a body, unless the disk has the same bytes already."""
        assert record.sha256 is not None
        assert record.content_type is not None
        known = self._store.content(record.sha256)
        path = "" if known is None else known.path
        if path and self._images.holds(path, record.body_bytes):
            record.body_path = path
            return
        from crawler.output.bodies import body_path  # most crawls save none

        name = body_path(record.sha256, record.content_type)
        record.body_path = self._images.keep(name, body, record.sha256)
        first = None if known is None else known.url
        self._store.set_content(record.sha256, StoredContent(record.body_path, first))

    def _remember(self, item: Outcome) -> StoredResponse | None:
        """What the next crawl needs of the response; sets `changed` in its record."""
        record, before = item.record, item.lease.stored
        stored = None
        if isinstance(record, FetchRecord):
            stored = revalidation.stored_response(
                record, item.validators, self._extraction, bool(item.items)
            )
            if self._run.previous_run_id is not None:
                record.changed = revalidation.change(before, stored)
        if before is not None and (stored is None or stored.digest != before.digest):
            self._forget_content(before.digest.hex(), record.url)
        return stored

    def _forget_content(self, sha256: str, url: str) -> None:
        """The URL has other bytes now: what has the old ones is no duplicate of it."""
        if self._looks is not None:
            self._looks.forget(sha256, url)
        known = self._store.content(sha256)
        if known is not None and known.url == url:
            self._store.set_content(sha256, replace(known, url=None))

    def _duplicate(self, lease: Lease, record: BodyRecord) -> SkipRecord | None:
        """What the record becomes if the same body was written under another URL.

        An empty body is no duplicate, nor is one that was truncated.
        """
        whole = record.truncated is None
        if record.sha256 is None or not record.body_bytes or not whole:
            return None
        known = self._store.content(record.sha256)
        if known is None or known.url is None:
            path = "" if known is None else known.path
            self._store.set_content(record.sha256, StoredContent(path, record.url))
            return None
        if known.url == record.url:
            return None
        rule = f"scope.dedupe_content: the same bytes as {known.url}"
        return record_builder.skip_record(lease, Skip("duplicate_content", rule))

    def _is_recorded(self, sha256: str, path: str) -> bool:
        if path.startswith(f"{THUMBNAILS}/"):
            from crawler.engine.images.kept_thumbnails import (
                is_recorded,  # after a kill only
            )

            return is_recorded(self._store, path)
        known = self._store.content(sha256)
        return known is not None and known.path == path

    def _write(self, records: Sequence[Record]) -> None:
        now = record_builder.timestamp(self._clock())
        wanted = [record for record in records if type(record) not in self._left_out]
        if not wanted:
            return
        for record in wanted:
            self._seq += 1
            record.run_id, record.seq, record.ts = self._run.run_id, self._seq, now
        for name, sink in self._sinks.items():
            sink.write(wanted)
            position = sink.flush()
            if position is not None:
                self._store.set_position(name, position)
        self._store.set_run(replace(self._run, seq=self._seq))
        for save in self._save_metadata:
            save()
