"""A fair queue of waiters, for things of which each waiter takes one (items, slots).

It solves one problem for all its users. A waiter is *woken* when something becomes
available, and runs later. In between

* a third greenlet may come and take it: the woken one finds nothing, and the order is
  broken;
* the woken one may be interrupted by a Timeout or a kill: nothing takes what was meant
  for it, and the next in the queue sleeps for ever (the lost wake-up).

So a wake-up is a promise, and promises are counted (``woken``). A greenlet may take
something without waiting only if more is available than is promised. A waiter that
leaves early gives its promise back, and its owner's ``serve`` is called, which passes
the promise to the next waiter. The rule that every owner keeps: *the first*
``available`` *waiters are woken, no more and no less*.

Another native thread may add to what is available; ``serve`` then runs in the waiters'
own thread. (Permits, which several threads may also take, keep the same rule in
lock.py.)
"""

from collections import deque
from collections.abc import Callable
from threading import get_ident

from hub.current import thread
from hub.timeout import Limit
from hub.waiter import PENDING, Waiter

__all__ = ["WaitQueue"]


class WaitQueue:
    """Waiters in the order in which they came.

    ``shared``: other threads may add to what is available.
    """

    __slots__ = ("_shared", "waiting", "woken")

    def __init__(self, shared: bool = False) -> None:
        self._shared = shared
        self.waiting: deque[Waiter] = deque()
        """The waiters that have not been woken yet."""
        self.woken = 0
        """How many waiters have a promise and have not run yet."""

    def wait(
        self, timeout: Limit, serve: Callable[[], object], first: bool = False
    ) -> bool:
        """Join the queue (``first``: at its head); return True once woken.

        Returns False after ``timeout`` seconds. After True the caller must take what it
        was promised before it waits again. ``serve`` is the owner's method that calls
        `serve_up_to` with what is available.
        """
        waiter = object.__new__(Waiter)  # see there
        waiter.hub, waiter.greenlet, waiter.outcome = thread.hub, None, PENDING
        if first:
            self.waiting.appendleft(waiter)
        else:
            self.waiting.append(waiter)
        try:
            if self._shared:
                # a thread may have added something between the last look and the append
                serve()
            if timeout is None:
                waiter.get()
            elif not waiter.wait(timeout):
                self.waiting.remove(waiter)
                return False
        except BaseException:
            self._leave(waiter, serve)
            raise
        self.woken -= 1
        return True

    def _leave(self, waiter: Waiter, serve: Callable[[], object]) -> None:
        try:
            self.waiting.remove(waiter)
        except ValueError:  # woken and interrupted at once
            self.woken -= 1
            serve()

    def serve_up_to(self, available: int, serve: Callable[[], object]) -> None:
        """Wake the first waiters until all that is ``available`` is promised."""
        waiting = self.waiting
        while waiting and available > self.woken:
            hub = waiting[0].hub
            if hub.thread_ident != get_ident():
                hub.loop.call_soon(serve)
                return
            self.woken += 1
            waiter = waiting.popleft()
            waiter.outcome = None
            hub.loop.ready.append(waiter)

    def fail_all(self, error: type[BaseException]) -> None:
        """Raise a new ``error`` in every waiter."""
        while self.waiting:
            self.woken += 1
            self.waiting.popleft().throw_soon(error())
