"""Locks and a queue on greenlets, in place of the standard library's.

`hub.patch` puts them into ``threading`` and ``queue``. There Event, Semaphore, Barrier,
Queue and the futures of concurrent.futures are plain Python on top of Lock, RLock and
Condition, so they wait cooperatively when these do.

They work between native threads, too: a greenlet waits in its hub, and a thread without
a hub blocks (native.py). In this they differ from those of lock.py: a hub always waits
for them, also while one thread alone uses them, for the standard library's threads do.
"""

from _thread import allocate_lock
from collections import deque
from collections.abc import Callable
from queue import Empty
from threading import TIMEOUT_MAX
from time import monotonic
from typing import Any, TypeVar

from greenlet import greenlet

from hub.deferral import Deferral
from hub.future import OutsideEvent
from hub.lock import RLock as _RLock
from hub.native import NativeWait, cooperative

__all__ = ["Condition", "Lock", "RLock", "SimpleQueue"]

T = TypeVar("T")


class _Turn:
    """One wait: `grant` ends it, from any thread."""

    __slots__ = ("_wait",)

    def __init__(self) -> None:
        self._wait: OutsideEvent | NativeWait = (
            OutsideEvent() if cooperative() else NativeWait()
        )

    def grant(self) -> None:
        if isinstance(self._wait, NativeWait):
            self._wait.wake_soon()
        else:
            self._wait.set()

    def wait(self, timeout: float | None) -> bool:
        return self._wait.wait(timeout)


def _limit(blocking: bool, timeout: float) -> float | None:
    """Return the time-out of an `acquire`, None for no limit."""
    if not blocking and timeout != -1:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout != -1 and not timeout >= 0:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
    if not blocking:
        return 0
    return None if timeout == -1 else timeout


class Lock:
    """threading.Lock."""

    __slots__ = ("__weakref__", "_held", "_turns")

    def __init__(self) -> None:
        self._held = allocate_lock()
        self._turns: deque[_Turn] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; return False if it is not free, or not in ``timeout`` (s)."""
        limit = _limit(blocking, timeout)
        if self._held.acquire(False):
            return True
        return limit != 0 and self._wait(limit)

    def _wait(self, limit: float | None) -> bool:
        turn = _Turn()
        self._turns.append(turn)
        self._pass_on()  # it may have been released before we were in the queue
        try:
            if turn.wait(limit):
                return True
        except BaseException:
            if not self._withdrawn(turn):
                self.release()
            raise
        return not self._withdrawn(turn)

    def _withdrawn(self, turn: _Turn) -> bool:
        """Leave the queue; False if the lock has been given to us already."""
        try:
            self._turns.remove(turn)
        except ValueError:
            return False
        return True

    def release(self) -> None:
        """Release it, from any thread; RuntimeError if it is free."""
        self._held.release()
        self._pass_on()

    def _pass_on(self) -> None:
        """Give the lock, if it is free, to the first in the queue."""
        while self._turns and self._held.acquire(False):
            try:
                turn = self._turns.popleft()
            except IndexError:  # another thread was faster
                self._held.release()
            else:
                turn.grant()

    def locked(self) -> bool:
        """Whether it is taken."""
        return self._held.locked()

    def _at_fork_reinit(self) -> None:
        """What the standard library calls in a forked child."""
        self._held = allocate_lock()
        self._turns.clear()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def __repr__(self) -> str:
        state = "locked" if self.locked() else "unlocked"
        return f"<{state} hub.threadlocks.Lock at {id(self):#x}>"


class RLock(_RLock):
    """threading.RLock: its owner is a greenlet."""

    __slots__ = ()

    _block_class = Lock

    def acquire(self, blocking: bool = True, timeout: Any = -1) -> bool:
        """As `Lock.acquire`; the owner may take it again."""
        return super().acquire(blocking, timeout)

    # The names by which a Condition of the standard library uses it.

    _is_owned = _RLock.owned

    def _release_save(self) -> tuple[int, greenlet | None]:
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        owner = self._owner
        return self.release_all(), owner

    def _acquire_restore(self, state: tuple[int, greenlet | None]) -> None:
        self._block.acquire()
        self._count, self._owner = state

    def _at_fork_reinit(self) -> None:
        self._block._at_fork_reinit()
        self._owner, self._count = None, 0


class Condition:
    """threading.Condition, on any lock."""

    def __init__(self, lock: Any = None) -> None:
        self._lock = RLock() if lock is None else lock
        self.acquire = self._lock.acquire
        self.release = self._lock.release
        self._turns: deque[_Turn] = deque()

    def __enter__(self) -> bool:
        return bool(self._lock.__enter__())

    def __exit__(self, *exc: object) -> None:
        self._lock.__exit__(*exc)

    def _is_owned(self) -> bool:
        if hasattr(self._lock, "_is_owned"):
            return bool(self._lock._is_owned())
        if self._lock.acquire(False):
            self._lock.release()
            return False
        return True

    def _give_back(self) -> Any:
        if hasattr(self._lock, "_release_save"):
            return self._lock._release_save()
        return self._lock.release()

    def _restore(self, state: Any) -> None:
        if hasattr(self._lock, "_acquire_restore"):
            self._lock._acquire_restore(state)
        else:
            self._lock.acquire()

    def _take_again(
        self, state: Any, raised: BaseException | None
    ) -> BaseException | None:
        """Take the lock, whatever comes: the caller will release it.

        Return what is to be raised then: ``raised``, or what outranks it.
        """
        if not cooperative():
            self._restore(state)
            return raised
        with Deferral() as deferral:
            self._restore(state)
        return deferral.settle(raised)

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, wait for a notification, take the lock again.

        Returns False after ``timeout`` seconds. Raises RuntimeError without the lock.
        """
        if not self._is_owned():
            raise RuntimeError("cannot wait on un-acquired lock")
        turn = _Turn()
        self._turns.append(turn)
        state = self._give_back()
        raised: BaseException | None = None
        try:
            turn.wait(None if timeout is None else max(0.0, timeout))
        except BaseException as error:
            raised = error
        raised = self._take_again(state, raised)
        notified = self._was_notified(turn)
        if raised is None:
            return notified
        if notified:
            self.notify()  # it is for another
        try:
            raise raised
        finally:
            del raised  # this frame is in its traceback: a cycle

    def _was_notified(self, turn: _Turn) -> bool:
        if turn not in self._turns:
            return True
        self._turns.remove(turn)
        return False

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """`wait` until ``predicate()`` is true or ``timeout`` seconds are over.

        Returns the last value of ``predicate``.
        """
        deadline = None if timeout is None else monotonic() + timeout
        result = predicate()
        while not result:
            rest = None if deadline is None else deadline - monotonic()
            if rest is not None and rest <= 0:
                break
            self.wait(rest)
            result = predicate()
        return result

    def notify(self, n: int = 1) -> None:
        """Wake ``n`` waiters; RuntimeError without the lock."""
        if not self._is_owned():
            raise RuntimeError("cannot notify on un-acquired lock")
        while self._turns and n > 0:
            self._turns.popleft().grant()
            n -= 1

    def notify_all(self) -> None:
        """Wake all waiters."""
        self.notify(len(self._turns))

    notifyAll = notify_all

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()
        self._turns.clear()

    def __repr__(self) -> str:
        return f"<hub.threadlocks.Condition({self._lock!r}, {len(self._turns)})>"


class SimpleQueue:
    """queue.SimpleQueue."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._ready = Condition(Lock())

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add ``item``; the other arguments are ignored: it never waits."""
        with self._ready:
            self._items.append(item)
            self._ready.notify()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the next item; raises Empty if none is there, or none comes in time."""
        if timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        with self._ready:
            if not self._ready.wait_for(lambda: self._items, timeout if block else 0):
                raise Empty
            return self._items.popleft()

    def put_nowait(self, item: Any) -> None:
        """As `put`."""
        self.put(item)

    def get_nowait(self) -> Any:
        """`get`, without waiting."""
        return self.get(False)

    def empty(self) -> bool:
        """Whether there is no item."""
        return not self._items

    def qsize(self) -> int:
        """How many items there are."""
        return len(self._items)
