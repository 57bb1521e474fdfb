"""What is on disk through the Reader and the committer of a crawl, in its order."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Literal

import re2
from msgspec import Struct
from msgspec.structs import replace

import hub
from crawler import __version__
from crawler.engine import record_builder
from crawler.engine.candidates import CandidateBuilder
from crawler.engine.committer import Committer
from crawler.engine.events import Events
from crawler.engine.extraction.stored import Carried, Stored, Unread
from crawler.engine.machinery import extractor_of
from crawler.engine.pending import ReadByPlugins, outcome_of
from crawler.engine.pipeline import read_answer
from crawler.engine.response_handler import Reader
from crawler.engine.revalidation import Revalidation
from crawler.engine.run_report import resident_bytes
from crawler.extract.extractor import Extractor
from crawler.frontier.store import Ended
from crawler.model.config import Config, to_json
from crawler.model.crawl import Destination, Discovered, Lease, Outcome, StoredResponse
from crawler.model.errors import Failure, is_out_of_memory
from crawler.model.host import HostUsage
from crawler.model.http import Response
from crawler.model.link_graph import OutLinks
from crawler.model.policy_config import LimitsConfig
from crawler.model.records import ErrorRecord, ImageRecord, RobotsRecord, RunRecord
from crawler.output.bodies import Saves
from crawler.output.images import UnsavedImages
from crawler.policy.check import Chain
from crawler.policy.quotas import Quotas
from crawler.policy.traps import Traps

if TYPE_CHECKING:
    from crawler.extract.looks.look import Look
from hub.greenlet import AnyGreenlet

AHEAD = 6
"""Responses that are extracted at once, for each process of plug-ins.

So many have all of them started (`START_BACKLOG` in `sandbox/pool.py`).
"""
MAX_AHEAD_BYTES = 64 * 2**20
"""The bodies of these responses, together."""
MAX_TOLD = 20
"""Sentences about what could not be read; the others are counted."""

Item = Stored | Carried | RobotsRecord | Unread


class Extracted(Struct, frozen=True):
    """What an extraction has done."""

    records: Counter[str]
    """Records by type."""
    unread: int
    """What of the source could not be read."""


class Extraction:
    """Extracts again what `source` has.

    `name` is what run records call the source. `tell` gets sentences for the user.
    `with_bodies`: images and bodies are saved, which the source does not have as files.
    `matches` chooses URLs, and `limit` how many of them.
    """

    def __init__(
        self,
        source: Iterable[Item],
        name: str,
        config: Config,
        reader: Reader,
        committer: Committer,
        events: Events,
        clock: Callable[[], float],
        tell: Callable[[str], None],
        *,
        with_bodies: bool,
        matches: str = "",
        limit: int | None = None,
        processes: int = 1,
    ) -> None:
        self._ahead = AHEAD * processes
        self._source = source
        self._name = name
        self._config = config
        self._reader = reader
        self._committer = committer
        self._events = events
        self._clock = clock
        self._tell = tell
        self._with_bodies = with_bodies
        self._matches = re2.compile(matches).search if matches else None
        self._limit = limit
        self._counts: Counter[str] = Counter()
        self._unread = 0

    def run(self) -> Extracted:
        """Write all records. Raises OutputError, or what the source raises."""
        started = self._clock()
        self._events.on_record(lambda record: self._counts.update((record.type,)))
        self._committer.put(self._run_record("started", started))
        self._extract_all(islice(filter(self._is_wanted, self._source), self._limit))
        self._committer.commit()
        self._committer.put(self._run_record("finished", started))
        self._committer.commit()
        return Extracted(self._counts, self._unread)

    def _extract_all(self, items: Iterable[Item]) -> None:
        """Extract the items at once, as far as they fit, and take them in order."""
        ahead: deque[tuple[AnyGreenlet, int]] = deque()
        held = 0
        try:
            for item in items:
                size = _size(item)
                ahead.append((hub.spawn(self._extracted, item), size))
                held += size
                while len(ahead) > self._ahead or held > MAX_AHEAD_BYTES:
                    held -= ahead[0][1]
                    self._take(*ahead.popleft()[0].get())
            while ahead:
                self._take(*ahead.popleft()[0].get())
        finally:
            hub.killall([task for task, _ in ahead])

    def _is_wanted(self, item: Item) -> bool:
        if isinstance(item, Unread):
            self._unread += 1
            if self._unread <= MAX_TOLD:
                self._tell(item.message)
            return False
        if self._matches is None:
            return True
        url = item.url if isinstance(item, RobotsRecord) else item.lease.url
        return self._matches(url) is not None

    def _take(self, item: Item, outcome: Outcome | None) -> None:
        if isinstance(item, RobotsRecord):
            self._committer.put(item)
        elif outcome is not None and isinstance(item, Stored | Carried):
            is_image = isinstance(outcome.record, ImageRecord)
            if is_image and not self._config.images.fetch:
                return
            new = getattr(outcome.record, "new_links_count", 0)
            self._committer.finish(_Ended(new), outcome)

    def _extracted(self, item: Item) -> tuple[Item, Outcome | None]:
        """What came of an item. May switch, in the process of plug-ins."""
        if isinstance(item, Carried):
            return item, Outcome(item.lease, item.record)
        if not isinstance(item, Stored):
            return item, None
        lease = _StoredLease(item.lease)
        outcome = self._read(lease, item)
        if outcome is None and lease.destination is not None:
            # What was requested as an image is none, so it is read as a page.
            lease = _StoredLease(replace(item.lease, destination=lease.destination))
            outcome = self._read(lease, item)
        if outcome is None:
            return item, None
        is_error = isinstance(outcome.record, ErrorRecord)
        given = {**item.given, **(item.failed if is_error else {})}
        for name, value in given.items():
            if name in outcome.record.__struct_fields__:
                setattr(outcome.record, name, value)
        if not self._with_bodies:
            outcome = replace(outcome, picture=None, body=None)
        return item, outcome

    def _read(self, lease: _StoredLease, item: Stored) -> Outcome | None:
        try:
            if isinstance(item.answer, Failure):
                raise item.answer
            if item.is_final:
                return outcome_of(self._reader.read(lease, item.answer))
            now = self._clock()
            return outcome_of(read_answer(self._reader, lease, item.answer, now))
        except Failure as failure:
            if is_out_of_memory(failure):
                raise
            return Outcome(
                lease.lease, record_builder.error_record(lease.lease, failure, 0)
            )

    def _run_record(
        self, event: Literal["started", "finished"], began: float
    ) -> RunRecord:
        now, counts = self._clock(), self._counts
        is_over = event == "finished"
        return RunRecord(
            event=event,
            finish_reason="done" if is_over else None,
            exit_code=0 if is_over else None,
            pages=counts["page"],
            images_count=counts["image"],
            errors=counts["error"],
            skipped=counts["skip"],
            pages_per_s=round(counts["page"] / max(now - began, 0.001), 3),
            rss_bytes=resident_bytes(),
            config_sha256=hashlib.sha256(to_json(self._config)).hexdigest(),
            version=__version__,
            obey_robots=self._config.robots.obey,
            verify_tls=self._config.http.verify_tls,
            extract_of=self._name,
        )


def _size(item: Item) -> int:
    """Bytes of the body."""
    if isinstance(item, Stored) and isinstance(item.answer, Response):
        return len(item.answer.body)
    return 0


def reader_without_requests(
    config: Config,
    extractor: Extractor,
    documents: ReadByPlugins | None,
    saves: Saves | None,
    clock: Callable[[], float],
    look: Look,
) -> Reader:
    """A Reader that finds nothing new, and to which no limit of a crawl applies."""
    limits = LimitsConfig(traps=False, max_links=config.limits.max_links)
    config = replace(config, limits=limits)
    usages = _NoUsages()
    quotas = Quotas(limits, config.images, usages, 0.0, 0)
    traps = Traps(limits, usages)

    def known(url: str, depth: int) -> bool:
        return True

    candidates = CandidateBuilder(config, Chain(()), traps, quotas, known, usages)
    return Reader(
        config, extractor_of(config, extractor), documents,
        lambda _url: nullcontext(), candidates, quotas, traps, known, saves,
        lambda _lease, _links: None,
        Revalidation(b"", UnsavedImages(""), 0, lambda _text: None), clock,
        look=look,
    )  # fmt: skip


class _StoredLease:
    """A lease that no frontier has. `destination`: it is to be read as that."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.destination: Destination | None = None

    def retry(
        self,
        at: float,
        code: str | None = None,
        detail: str | None = None,
        destination: Destination | None = None,
    ) -> None:
        self.destination = destination

    def release(self) -> None:
        """There is no place in a queue to go back to."""


class _Ended:
    """What the committer finishes. `new` links are those of the crawl itself."""

    def __init__(self, new: int) -> None:
        self._new = new

    def detach(self) -> None:
        """No worker waits."""

    def finish(
        self,
        ended: Ended,
        found: Iterable[Discovered],
        code: str | None,
        detail: str | None,
        stored: StoredResponse | None,
        links: OutLinks | None,
    ) -> int:
        return self._new


class _NoUsages:
    """Hosts without quotas, of which nothing is counted or stored."""

    def usage(self, host: str) -> HostUsage:
        return HostUsage()

    def set_usage(self, host: str, usage: HostUsage) -> None:
        """Nothing is counted."""

    def charge(self, host: str, sent_at: float, until: float, wire_bytes: int) -> None:
        """Nothing is counted."""

    def get(self, kind: str, key: str) -> bytes | None:
        return None

    def set(self, kind: str, key: str, value: bytes | None) -> None:
        """Nothing is stored."""

    def items(self, kind: str) -> Iterator[tuple[str, bytes]]:
        return iter(())
