"""Queues between greenlets: the standard library's names, fair to getters and putters.

An item stays in the queue until a getter runs and takes it. A getter that was woken has
been promised one item (see waitqueue.py), which neither `get_nowait` nor a later `get`
takes away. The same holds for putters and free slots. A `put` that finds a free slot
may come from any native thread; one that waits belongs to the thread of its hub, like
everything else.

A subclass may override ``_init``, ``_put`` and ``_get``, as in the standard library.
"""

import queue as _standard
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from types import GenericAlias
from typing import Any, Generic, TypeVar

from hub.channel import Channel
from hub.event import Event
from hub.timeout import Limit, check_seconds
from hub.waitqueue import WaitQueue

__all__ = [
    "Channel",
    "Empty",
    "Full",
    "JoinableQueue",
    "LifoQueue",
    "PriorityQueue",
    "Queue",
    "ShutDown",
    "SimpleQueue",
]

T = TypeVar("T")

Empty = _standard.Empty
Full = _standard.Full


class _ShutDown(Exception):
    """The queue has been shut down (the standard library's from Python 3.13 on)."""


ShutDown: type[Exception] = getattr(_standard, "ShutDown", _ShutDown)


class SimpleQueue(Generic[T]):
    """A first-in first-out queue of at most ``maxsize`` items (None or 0: no bound).

    ``items`` are put in at the start. A queue is always true, even an empty one.
    """

    __slots__ = (
        "__weakref__",
        "_bound",
        "_getters",
        "_maxsize",
        "_plain",
        "_putters",
        "is_shutdown",
        "queue",
        "unfinished_tasks",
    )

    __class_getitem__: Any = classmethod(GenericAlias)

    def __init__(self, maxsize: int | None = None, items: Iterable[T] = ()) -> None:
        self.is_shutdown = False
        self._set_bound(maxsize)
        self._getters = WaitQueue(shared=True)
        self._putters = WaitQueue()
        kind = type(self)
        self._plain = kind._put is SimpleQueue._put and kind._get is SimpleQueue._get
        self._init(self._maxsize)
        for item in items:
            self._put(item)
        self.unfinished_tasks = len(self.queue)

    queue: Any

    def _set_bound(self, maxsize: int | None) -> None:
        self._maxsize = maxsize if maxsize is not None and maxsize > 0 else 0
        # `put` compares with this alone: bound, no bound, and shut down in one number.
        self._bound = 0 if self.is_shutdown else self._maxsize or sys.maxsize

    def _init(self, maxsize: int) -> None:
        """Make the container, ``self.queue``.

        May be overridden, as `_put` and `_get` may.
        """
        self.queue = deque()

    def _put(self, item: T) -> None:
        self.queue.append(item)

    def _get(self) -> T:
        item: T = self.queue.popleft()
        return item

    def _peek(self) -> T:
        item: T = self.queue[0]
        return item

    # -- putting -----------------------------------------------------------------------

    def put(self, item: T, block: bool = True, timeout: Limit = None) -> None:
        """Add ``item``, waiting for a free slot.

        Raises Full if none is free (``block`` false), or none became free in
        ``timeout`` seconds; ShutDown after `shutdown`.
        """
        if timeout is not None and block:
            check_seconds(timeout)
        queue = self.queue
        if len(queue) + self._putters.woken >= self._bound:
            self._wait_for_slot(block, timeout)
        self.unfinished_tasks += 1
        if self._plain:
            queue.append(item)
        else:
            self._put(item)
        if self._getters.waiting:
            self._serve_getters()

    def put_nowait(self, item: T) -> None:
        """`put`, without waiting."""
        self.put(item, False)

    def _wait_for_slot(self, block: bool, timeout: Limit) -> None:
        if self.is_shutdown:
            raise ShutDown
        if not block or not self._putters.wait(timeout, self._serve_putters):
            raise Full
        if self.is_shutdown:
            raise ShutDown

    def _serve_putters(self) -> None:
        self._putters.serve_up_to(self._bound - len(self.queue), self._serve_putters)

    # -- getting -----------------------------------------------------------------------

    def get(self, block: bool = True, timeout: Limit = None) -> T:
        """Take the next item, waiting for it.

        Raises Empty if there is none (``block`` false), or none came in ``timeout``
        seconds; ShutDown if none can come any more.
        """
        if timeout is not None and block:
            check_seconds(timeout)
        queue = self.queue
        if len(queue) <= self._getters.woken:
            self._wait_for_item(block, timeout)
        item: T = queue.popleft() if self._plain else self._get()
        if self._putters.waiting:
            self._serve_putters()
        return item

    def get_nowait(self) -> T:
        """`get`, without waiting."""
        return self.get(False)

    def peek(self, block: bool = True, timeout: Limit = None) -> T:
        """Return the next item, and leave it in the queue.

        Arguments and errors as `get`.
        """
        if timeout is not None and block:
            check_seconds(timeout)
        if len(self.queue) <= self._getters.woken:
            self._wait_for_item(block, timeout)
            self._serve_getters()  # it stays: wake the next getter
        return self._peek()

    def peek_nowait(self) -> T:
        """`peek`, without waiting."""
        return self.peek(False)

    def _wait_for_item(self, block: bool, timeout: Limit) -> None:
        if self.is_shutdown:
            raise ShutDown
        if not block or not self._getters.wait(timeout, self._serve_getters):
            raise Empty
        if not len(self.queue):
            # Only `shutdown(immediate=True)` takes an item that was promised.
            raise ShutDown

    def _serve_getters(self) -> None:
        self._getters.serve_up_to(len(self.queue), self._serve_getters)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        """Return the next item; StopIteration, put as an item, ends the iteration."""
        item = self.get()
        if item is StopIteration:
            raise StopIteration
        return item

    # -- state -------------------------------------------------------------------------

    @property
    def maxsize(self) -> int | None:
        """How many items fit in; None without a bound."""
        return self._maxsize or None

    @maxsize.setter
    def maxsize(self, value: int | None) -> None:
        self._set_bound(value)
        self._serve_putters()

    def qsize(self) -> int:
        """How many items there are, those promised to a getter included."""
        return len(self.queue)

    __len__ = qsize

    def __bool__(self) -> bool:
        return True

    def empty(self) -> bool:
        """Whether there is no item."""
        return not len(self.queue)

    def full(self) -> bool:
        """Whether all slots are taken."""
        return 0 < self._maxsize <= len(self.queue)

    def statistics(self) -> dict[str, int | None]:
        """Size, bound, and how many getters and putters wait."""
        return {
            "qsize": len(self.queue),
            "maxsize": self.maxsize,
            "getters": len(self._getters.waiting),
            "putters": len(self._putters.waiting),
        }

    def __repr__(self) -> str:
        bound = f" maxsize={self._maxsize}" if self._maxsize else ""
        return (
            f"<{type(self).__name__} at {id(self):#x}{bound} size={len(self.queue)} "
            f"getters={len(self._getters.waiting)} "
            f"putters={len(self._putters.waiting)}>"
        )


class Queue(SimpleQueue[T]):
    """A queue that counts unfinished items: `task_done`, `join`, `shutdown`."""

    __slots__ = ("_all_done",)

    def __init__(
        self,
        maxsize: int | None = None,
        items: Iterable[T] = (),
        unfinished_tasks: int | None = None,
    ) -> None:
        self._all_done: Event | None = None
        super().__init__(maxsize, items)
        if unfinished_tasks is not None:
            self.unfinished_tasks = unfinished_tasks

    def task_done(self) -> None:
        """Count one item that was taken as finished; ValueError if called too often."""
        if self.unfinished_tasks <= 0:
            raise ValueError("task_done() called more often than items were put")
        self.unfinished_tasks -= 1
        if self.unfinished_tasks == 0 and self._all_done is not None:
            self._all_done.set()
            self._all_done = None

    def join(self, timeout: Limit = None) -> bool:
        """Wait until every item is finished; return False after ``timeout`` seconds."""
        if not self.unfinished_tasks:
            return True
        if self._all_done is None:
            self._all_done = Event()
        return self._all_done.wait(timeout)

    def shutdown(self, immediate: bool = False) -> None:
        """Refuse all further puts, and gets once the queue is empty.

        ``immediate``: drop the items too. Waiting getters and putters get ShutDown.
        """
        self.is_shutdown = True
        self._set_bound(self._maxsize)
        if immediate:
            while len(self.queue):
                self._get()
                self.task_done()
        self._getters.fail_all(ShutDown)
        self._putters.fail_all(ShutDown)


JoinableQueue = Queue


class PriorityQueue(Queue[T]):
    """A queue that gives the smallest item first."""

    __slots__ = ()

    def _init(self, maxsize: int) -> None:
        self.queue = []

    def _put(self, item: T) -> None:
        heappush(self.queue, item)

    def _get(self) -> T:
        item: T = heappop(self.queue)
        return item


class LifoQueue(Queue[T]):
    """A queue that gives the newest item first."""

    __slots__ = ()

    def _init(self, maxsize: int) -> None:
        self.queue = []

    def _get(self) -> T:
        item: T = self.queue.pop()
        return item

    def _peek(self) -> T:
        item: T = self.queue[-1]
        return item
