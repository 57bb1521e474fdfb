"""A lease in the hands of one worker: it takes the answer, and keeps its host's books.

    open --- responded ---> open, the host may get its next request
     |
     +--- finish | retry | release | defer ---> answered, once and for ever
     |
     +--- detach ---> the worker has done its part, and `finish` follows

A worker handles a lease inside `with handle:`. The block must end with an answer or
with `detach`, which leaves the answer to another holder of the handle: the committer
gathers outcomes and calls `finish` when it commits them. A block may also end with
`set_aside`: then another worker's block follows. A block that ends with an
exception, or because its greenlet was killed, gives the URL back to the store as it
was, just as a crash would. A block that ends without any of this is a defect, and
raises RuntimeError; so does a second answer.

Nothing here switches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from crawler.frontier.active_hosts import ActiveHosts
from crawler.frontier.host_queue import HostQueue
from crawler.frontier.store import Ended
from crawler.frontier.throttle import HostFeedback
from crawler.model.crawl import Destination, Discovered, Lease, StoredResponse
from crawler.model.link_graph import OutLinks


class LeaseHandle:
    """The frontier's side of `lease`, which is the value that other rooms work with."""

    __slots__ = (
        "_answered", "_aside", "_detached", "_hosts", "_notify", "_paused", "_queue",
        "_requesting", "lease",
    )  # fmt: skip

    def __init__(
        self,
        lease: Lease,
        queue: HostQueue,
        hosts: ActiveHosts,
        notify: Callable[[], None],
    ) -> None:
        """`notify` is called after each change that an idle worker may wait for."""
        self.lease = lease
        self._queue = queue
        self._hosts = hosts
        self._notify = notify
        self._requesting = True  # the host's slot is in use
        self._paused = False
        self._detached = False
        self._aside = False
        self._answered = False

    def __enter__(self) -> Self:
        self._aside = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._answered or self._detached or self._aside:
            return
        self.put_back()
        if error is None:
            raise RuntimeError(f"{self.lease.url} was leased and not answered")

    # The request

    def cancel(self) -> bool:
        """No request was made, so its host is owed no pause; False if one was made.

        A site whose robots.txt forbids a thousand links would cost a thousand pauses.
        Must be called before the worker switches.
        """
        if not self._requesting:
            return False
        self._requesting = False
        self._hosts.politeness.cancel_request(self._queue.name)
        return True

    def responded(self, feedback: HostFeedback | None = None) -> None:
        """The request is over and its outcome follows; the host may get the next one.

        `feedback`: how the host handled the request, if that is known. A second call
        changes nothing.
        """
        if self._requesting:
            self._requesting = False
            self._hosts.end_request(self._queue, feedback)
            self._notify()

    # Answers

    def finish(
        self,
        ended: Ended,
        found: Iterable[Discovered] = (),
        code: str | None = None,
        detail: str | None = None,
        stored: StoredResponse | None = None,
        links: OutLinks | None = None,
    ) -> int:
        """The URL has its terminal record. Returns how many URLs of `found` are new.

        `code`, `detail`, `stored` and `links` are as the store has them. It becomes
        durable with the store's next commit.
        """
        self._answer()
        self._hosts.store.finish(self.lease, ended, code, detail, stored, links)
        new = self._hosts.add(found) if found else 0
        self._end()
        return new

    def retry(
        self,
        at: float,
        code: str | None = None,
        detail: str | None = None,
        destination: Destination | None = None,
    ) -> None:
        """Fetch the URL again, from `at` (seconds since the epoch) on.

        `code` and `detail` tell the failure that this follows from. `destination` is
        given where it turned out to be another.
        """
        self._answer()
        self._hosts.retry(self._queue, self.lease, at, code, detail, destination)
        self._end()

    def release(self) -> None:
        """Put the URL back: no attempt at it was made, and it is its host's next."""
        self._answer()
        self._hosts.put_back(self._queue, self.lease)
        self._end()

    def defer(self) -> None:
        """Put the URL back, and pause its host until a lease under way to it ends.

        No request was made. If no other worker has a lease of the host, it is not
        paused, since nothing would resume it.
        """
        self._answer(resume=False)
        self.cancel()
        self._hosts.pause_deferred(self._queue)
        self._hosts.put_back(self._queue, self.lease)
        self._end()

    def put_back(self) -> None:
        """Give the URL back to the store as it was, just as a crash would."""
        self._answer()
        self._hosts.store.release(self.lease)
        self._end()

    def set_aside(self) -> None:
        """This worker goes on; another `with` block follows, or `put_back`."""
        self._aside = True

    def detach(self) -> None:
        """The worker has done its part, request included; `finish` follows later."""
        if self._requesting:
            self.responded()
        self._detached = True
        self._end_work(resume=True)

    # The host

    def pause_host(self) -> bool:
        """Lease no URL of the host until `resume_host` or the end of this lease.

        False if another lease has paused it already.
        """
        paused = self._hosts.politeness.pause(self._queue.name)
        self._paused |= paused
        return paused

    def resume_host(self) -> None:
        """End the pause that this lease began, if it began one."""
        if self._paused:
            self._paused = False
            self._hosts.resume(self._queue)
            self._notify()

    def block_host(self, until: float) -> None:
        """Block the host until `until` (seconds since the epoch).

        At most `max_retry_after` from now. The store remembers it.
        """
        self._hosts.block(self._queue, until)

    def set_crawl_delay(self, seconds: float) -> None:
        """Follow the Crawl-delay of the host's robots.txt. The store remembers it."""
        self._hosts.set_delay(self._queue, seconds)

    @property
    def host_busy_until(self) -> float:
        """When the pause ends that the host is owed; now, if it is owed none.

        A parked host is owed none: the crawl does not wait for it.
        """
        return self._hosts.busy_until(self._queue)

    # The state of the lease

    def _answer(self, *, resume: bool = True) -> None:
        """Note that the answer is given; raises RuntimeError if it was before."""
        if self._answered:
            raise RuntimeError(f"{self.lease.url} was answered already")
        self._answered = True
        if not self._detached:
            self._end_work(resume)

    def _end_work(self, resume: bool) -> None:
        """The worker is done with the URL; what waits for that may go on."""
        if self._paused:
            self.resume_host()
        self._queue.workers -= 1
        if resume and self._queue.deferred:
            self._queue.deferred = False
            self._hosts.resume(self._queue)
            self._notify()

    def _end(self) -> None:
        if self._requesting:
            self._requesting = False
            self._hosts.end_request(self._queue, None)
        self._hosts.answered(self._queue)
        self._notify()
