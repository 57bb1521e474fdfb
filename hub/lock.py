"""Semaphore, BoundedSemaphore, RLock, Condition: fair, in the order of the calls.

A released permit is promised to the first waiter at once (see waitqueue.py); a later
caller queues behind it, even if that waiter has not run yet.

A semaphore and an RLock may be used by several native threads. A greenlet waits in its
hub then, and a thread without a hub blocks. While one thread alone has acquired, a wait
that nothing can end is a LoopExit, as everywhere; once a second one has, its hub waits
for the others. (A thread that only releases is not noticed: use an Event for signals.)

What makes this safe is the interpreter's lock: a thread is not interrupted between two
calls, so no call may come between a look at the permits and the change that follows.

Where ten greenlets take turns with one permit, an acquire, a ``sleep(0)`` and a release
take 22,100 instructions on Python 3.11, and 16,400 in gevent, whose semaphore and loop
are compiled. The least that Python can do for it, two switches with two deques and a
counter, takes 7,300; that has no time limits, no cancelling, no other threads and no
turns of a loop. Most of the rest are the two waits, each an object and a call of
`Waiter.get`. In time it is 0.95 of gevent's speed on Python 3.11.7, 0.9 on 3.13.0, and
0.78 on Debian's 3.11.2, where gevent's part is faster.
"""

from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from greenlet import getcurrent, greenlet

from hub.current import get_hub, get_hub_if_any, thread
from hub.deferral import Deferral
from hub.links import Linked, Notified
from hub.native import NativeWait
from hub.timeout import Limit, Timeout
from hub.waiter import PENDING, Waiter
from hub.waitqueue import WaitQueue

if TYPE_CHECKING:
    from hub.hub import Hub

__all__ = ["BoundedSemaphore", "Condition", "RLock", "Semaphore"]

T = TypeVar("T")


class Semaphore(Linked):
    """``value`` permits: `acquire` waits for one and takes it, `release` returns it.

    A link (`rawlink`) is notified when a permit is free, and takes none. Raises
    ValueError for a negative ``value``.
    """

    __slots__ = ("__weakref__", "_links", "_thread", "_waiting", "_woken", "counter")

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError(f"a semaphore can't start with {value} permits")
        self.counter = value
        """How many permits there are, those promised to waiters included."""
        self._waiting: deque[Waiter | NativeWait] = deque()
        self._woken = 0  # waiters that have been promised a permit and have not run yet
        self._thread: int | None = None  # that has acquired; 0 if several have
        self._links: list[Notified] = []

    def acquire(self, blocking: bool = True, timeout: Limit = None) -> bool:
        """Take a permit.

        Returns False if none is free (``blocking`` false), or none became free in
        ``timeout`` seconds.
        """
        if self._thread != (me := get_ident()):
            self._thread = me if self._thread is None else 0
        if self.counter > self._woken:
            self.counter -= 1
            return True
        if not blocking:
            return False
        if timeout is None and self._thread:
            waiter = object.__new__(Waiter)  # see there
            waiter.hub, waiter.greenlet, waiter.outcome = thread.hub, None, PENDING
            self._wait_in(waiter)
        elif not self._wait_for_promise(timeout):
            return False
        self.counter -= 1
        self._woken -= 1
        return True

    def release(self, n: int = 1) -> None:
        """Return ``n`` permits."""
        self.counter += n
        if self._waiting:
            self._serve()
        if self._links and not self.locked():
            self._notify()

    def _serve(self) -> None:
        """Promise what is free to the first waiters, and wake them."""
        waiting = self._waiting
        while waiting and self.counter > self._woken:
            self._woken += 1
            try:
                waiter = waiting.popleft()
            except IndexError:  # in another thread, the last one has left meanwhile
                self._woken -= 1
                return
            if type(waiter) is Waiter:  # `Waiter.wake_soon`, without the call
                if waiter.outcome is PENDING:
                    waiter.outcome = None
                loop = waiter.hub.loop
                loop.ready.append(waiter)
                if loop.asleep:
                    loop.wake()
            else:
                waiter.wake_soon()

    def _wait_for_promise(
        self, timeout: Limit, waiter: Waiter | NativeWait | None = None
    ) -> bool:
        """Wait for the promise of a permit, which ``_woken`` then counts.

        Return False after ``timeout``.
        """
        if waiter is None:
            if self._thread == 0:
                return self._wait_among_threads(timeout)
            waiter = Waiter()
        return self._wait_in(waiter, timeout)

    def _wait_in(self, waiter: Waiter | NativeWait, timeout: Limit = None) -> bool:
        self._waiting.append(waiter)
        if self.counter > self._woken:
            self._serve()  # another thread has released one since the look
        try:
            if timeout is None:
                waiter.get()
            elif not waiter.wait(timeout):
                return not self._left(waiter)
        except BaseException:
            if not self._left(waiter):  # the promise is for the next
                self._woken -= 1
                self._serve()
            raise
        return True

    def _wait_among_threads(self, timeout: Limit) -> bool:
        if get_hub_if_any() is None and not isinstance(timeout, Timeout):
            return self._wait_for_promise(timeout, NativeWait())
        waiter = Waiter()
        loop = waiter.hub.loop
        loop.external += 1
        try:
            return self._wait_for_promise(timeout, waiter)
        finally:
            loop.external -= 1

    def _left(self, waiter: Waiter | NativeWait) -> bool:
        """Leave the queue; return False if the promise came first."""
        try:
            self._waiting.remove(waiter)
        except ValueError:
            return False
        return True

    def wait(self, timeout: Limit = None) -> bool:
        """Wait until a permit is free, without taking it.

        Return False after ``timeout``.
        """
        if self.counter > self._woken:
            return True
        if not self._wait_for_promise(timeout):
            return False
        self._woken -= 1
        self._serve()  # the permit is still free: wake the next
        return True

    @property
    def hub(self) -> "Hub | None":
        """The hub of the first waiter; None if there is none, or it has no hub."""
        return self._waiting[0].hub if self._waiting else None

    def linkcount(self) -> int:
        """How many greenlets wait, and how many links have not been called."""
        return len(self._links) + len(self._waiting)

    def has_links(self) -> bool:
        """Whether `linkcount` is not 0."""
        return self.linkcount() > 0

    def locked(self) -> bool:
        """Whether `acquire` would have to wait."""
        return self.counter <= self._woken

    def ready(self) -> bool:
        """Whether `acquire` would not have to wait."""
        return not self.locked()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} at {id(self):#x} counter={self.counter} "
            f"waiting={len(self._waiting)}>"
        )


class BoundedSemaphore(Semaphore):
    """A semaphore that refuses more releases than acquires."""

    __slots__ = ("_initial",)

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._initial = value

    def release(self, n: int = 1) -> None:
        """Return ``n`` permits; ValueError if that is more than were taken."""
        if self.counter + n > self._initial:
            raise ValueError("released more often than acquired")
        super().release(n)


class RLock:
    """A lock that its owner may take again; it is free after as many releases."""

    __slots__ = ("__weakref__", "_block", "_count", "_owner")

    _block_class: type[Any] = Semaphore

    def __init__(self) -> None:
        self._block = self._block_class()
        self._owner: greenlet | None = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: Limit = None) -> bool:
        """Take the lock.

        Returns False if another greenlet has it (``blocking`` false), or keeps it for
        ``timeout`` seconds.
        """
        me = getcurrent()
        if self._owner is not me:
            if not self._block.acquire(blocking, timeout):
                return False
            self._owner = me
        self._count += 1
        return True

    def release(self) -> None:
        """Release it once; RuntimeError if the current greenlet does not own it."""
        if self._owner is not getcurrent():
            raise RuntimeError("only the greenlet that took the lock can release it")
        self._count -= 1
        if self._count == 0:
            self._owner = None
            self._block.release()

    def locked(self) -> bool:
        """Whether a greenlet owns it."""
        return self._count > 0

    def owned(self) -> bool:
        """Whether the current greenlet owns it."""
        return self._owner is getcurrent()

    def release_all(self) -> int:
        """Release it, however often it was taken; return the count, for `reacquire`."""
        count, self._count, self._owner = self._count, 0, None
        self._block.release()
        return count

    def reacquire(self, count: int, raised: BaseException | None = None) -> None:
        """Take it as often as it was taken before `release_all`.

        An interrupt is raised only when the lock has been taken: the caller will
        release it. ``raised`` is what the caller raises unless that is outranked.
        """
        if self._block.acquire(blocking=False):
            self._owned_again(count)
            return
        with Deferral() as deferral:
            self._block.acquire()
        self._owned_again(count)
        around = get_hub().gates.get(getcurrent())
        cancelled = raised is not None and around is not None and around.cancelled
        first = deferral.settle(raised, cancelled)
        if first is not None and first is not raised:
            raise first

    def _owned_again(self, count: int) -> None:
        self._owner = getcurrent()
        self._count = count

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<{name} at {id(self):#x} owner={self._owner!r} count={self._count}>"


class Condition:
    """A lock to wait for a notification with, as threading.Condition.

    A waiter releases the lock while it waits.
    """

    __slots__ = ("__weakref__", "_lock", "_notified", "_waiters")

    def __init__(self, lock: RLock | None = None) -> None:
        self._lock = RLock() if lock is None else lock
        self._waiters = WaitQueue()
        self._notified = 0
        """Notifications that the greenlets they woke have not taken yet."""

    def acquire(self, blocking: bool = True, timeout: Limit = None) -> bool:
        """Take the lock."""
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self._lock.release()

    def _serve(self) -> None:
        if self._waiters.waiting:
            self._waiters.serve_up_to(self._notified, self._serve)
        else:  # a notification is for present waiters only
            self._notified = self._waiters.woken

    def wait(self, timeout: Limit = None) -> bool:
        """Release the lock, wait for a notification, take the lock again.

        Returns False after ``timeout`` seconds. Raises RuntimeError without the lock.
        """
        self._check_owned()
        count = self._lock.release_all()
        try:
            notified = self._waiters.wait(timeout, self._serve)
            if notified:
                self._notified -= 1
        except BaseException as error:
            self._lock.reacquire(count, error)
            raise
        try:
            self._lock.reacquire(count)
        except BaseException:
            if notified and self._lock.owned():
                self.notify()  # it is for another
            raise
        return notified

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """`wait` until ``predicate()`` is true or ``timeout`` seconds are over.

        Returns the last value of ``predicate``.
        """
        clock = get_hub().loop.now
        deadline = None if timeout is None else clock() + timeout
        result = predicate()
        while not result:
            rest = None if deadline is None else deadline - clock()
            if rest is not None and rest <= 0:
                break
            self.wait(rest)
            result = predicate()
        return result

    def notify(self, n: int = 1) -> None:
        """Wake the first ``n`` waiters; each goes on when it has the lock.

        Raises RuntimeError without the lock.
        """
        self._check_owned()
        unnotified = len(self._waiters.waiting) - (self._notified - self._waiters.woken)
        self._notified += min(n, unnotified)
        self._serve()

    def notify_all(self) -> None:
        """Wake all waiters."""
        self.notify(len(self._waiters.waiting))

    def _check_owned(self) -> None:
        if not self._lock.owned():
            raise RuntimeError("take the condition's lock first")
