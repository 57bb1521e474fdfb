"""Channel: passes an item directly from a putter to a getter, and stores none."""

from collections import deque
from collections.abc import Iterator
from queue import Empty, Full
from types import GenericAlias
from typing import Any, Generic, TypeVar

from hub.current import get_hub
from hub.timeout import Limit, Timeout, check_seconds
from hub.waiter import Waiter
from hub.waitqueue import WaitQueue

__all__ = ["Channel"]

T = TypeVar("T")


class Channel(Generic[T]):
    """A queue of capacity zero: `put` waits for a `get`, and `get` for a `put`.

    A putter that is interrupted withdraws its offer, unless a getter has taken it.
    """

    __slots__ = ("__weakref__", "_getters", "_offers")

    __class_getitem__: Any = classmethod(GenericAlias)

    def __init__(self, maxsize: int = 1) -> None:
        if maxsize != 1:
            raise ValueError("a channel passes one item at a time: maxsize is 1")
        self._getters = WaitQueue(shared=True)
        self._offers: deque[_Offer[T]] = deque()

    def put(self, item: T, block: bool = True, timeout: Limit = None) -> None:
        """Pass ``item`` to a getter.

        Raises Full if no getter waits (``block`` false), or none came in ``timeout``
        seconds.
        """
        if not block:
            if not self._getters.waiting:
                raise Full
            self._offers.append(_Offer(item, Waiter()))
            self._serve()
            return
        offer = _Offer(item, Waiter())
        self._offers.append(offer)
        self._serve()
        try:
            taken = offer.waiter.wait(timeout)
        finally:
            if offer in self._offers:
                self._offers.remove(offer)
        if not taken:
            raise Full

    def put_nowait(self, item: T) -> None:
        """`put`, without waiting."""
        self.put(item, False)

    def get(self, block: bool = True, timeout: Limit = None) -> T:
        """Take an item from a putter.

        Raises Empty if none is offered (``block`` false), or none came in ``timeout``
        seconds.
        """
        if len(self._offers) <= self._getters.woken:
            self._wait_for_offer(block, timeout)
        offer = self._offers.popleft()
        offer.waiter.wake_soon()
        return offer.item

    def _wait_for_offer(self, block: bool, timeout: Limit) -> None:
        if isinstance(timeout, Timeout):
            with Timeout.start_new(timeout):
                return self._wait_for_offer(block, None)
            raise Empty
        clock = get_hub().loop.now
        deadline = None if timeout is None else clock() + check_seconds(timeout)
        first = False
        while block:
            rest = None if deadline is None else max(0.0, deadline - clock())
            if not self._getters.wait(rest, self._serve, first):
                break
            if self._offers:
                return None
            first = True  # the offer was withdrawn before we ran: stay first
        raise Empty

    def get_nowait(self) -> T:
        """`get`, without waiting."""
        return self.get(False)

    def _serve(self) -> None:
        self._getters.serve_up_to(len(self._offers), self._serve)

    @property
    def balance(self) -> int:
        """How many putters wait, minus how many getters wait."""
        return len(self._offers) - len(self._getters.waiting)

    def qsize(self) -> int:
        """Return 0: a channel stores nothing."""
        return 0

    def empty(self) -> bool:
        """Return True: a channel stores nothing."""
        return True

    full = empty

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        """Return the next item; StopIteration, put as an item, ends the iteration."""
        item = self.get()
        if item is StopIteration:
            raise StopIteration
        return item

    def __repr__(self) -> str:
        return (
            f"<Channel at {id(self):#x} putters={len(self._offers)} "
            f"getters={len(self._getters.waiting)}>"
        )


class _Offer(Generic[T]):
    """The item of a putter, and the waiter that is woken when a getter takes it."""

    __slots__ = ("item", "waiter")

    def __init__(self, item: T, waiter: Waiter) -> None:
        self.item = item
        self.waiter = waiter
