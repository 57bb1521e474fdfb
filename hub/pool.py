"""Group: greenlets that belong together. Pool: a Group of bounded size, whose spawn waits."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from greenlet import GreenletExit, getcurrent

from hub.event import Event
from hub.greenlet import Greenlet, joinall
from hub.lock import Semaphore
from hub.queue import SimpleQueue
from hub.timeout import Timeout

__all__ = ["Group", "Pool", "PoolFull"]

Work = Callable[..., Any]


class PoolFull(Exception):
    """`Pool.add` found no free place in time."""


class Group:
    """A set of greenlets; each leaves it when it ends."""

    greenlet_class = Greenlet

    def __init__(self, greenlets: Iterable[Greenlet] = ()) -> None:
        self.greenlets: set[Greenlet] = set()
        self._dying: set[Greenlet] = set()  # killed by us, and not ended yet
        self._empty = Event()
        self._empty.set()
        for member in greenlets:
            self.add(member)

    # -- members -------------------------------------------------------------------------------

    def add(self, member: Greenlet) -> None:
        """Make ``member`` one of the group until it ends."""
        if member not in self.greenlets:
            self.greenlets.add(member)
            self._empty.clear()
            member._add_link(self.discard, claims=False)

    def discard(self, member: Greenlet) -> None:
        """Let ``member`` go; nothing happens to it."""
        if member in self.greenlets:
            self.greenlets.remove(member)
            self._dying.discard(member)
            member.unlink(self.discard)
            self._left()

    def _left(self) -> None:
        if not self.greenlets:
            self._empty.set()

    def start(self, member: Greenlet) -> None:
        """Start ``member`` as one of the group."""
        self.add(member)
        member.start()

    def spawn(self, *args: Any, **kwargs: Any) -> Greenlet:
        """A new member that runs ``args[0](*args[1:], **kwargs)``."""
        member = self.greenlet_class(*args, **kwargs)
        self.start(member)
        return member

    def __len__(self) -> int:
        return len(self.greenlets)

    def __contains__(self, member: object) -> bool:
        return member in self.greenlets

    def __iter__(self) -> Iterator[Greenlet]:
        return iter(list(self.greenlets))

    # -- waiting and killing -------------------------------------------------------------------

    def join(self, timeout: float | None = None, raise_error: bool = False) -> bool:
        """Wait until the group is empty; False if it isn't in ``timeout`` seconds.

        ``raise_error``: raise the first error of those who are members now.
        """
        if raise_error:
            with Timeout(timeout, False):
                joinall(self.greenlets, raise_error=True)
        return self._empty.wait(timeout)

    def kill(
        self,
        exception: BaseException | type[BaseException] = GreenletExit,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Kill all members, also those that come meanwhile (``block``); each of them once."""
        with Timeout(timeout, False):
            while self.greenlets:
                for member in self.greenlets - self._dying:
                    self._dying.add(member)
                    member.kill(exception, block=False)
                if not block:
                    return
                joinall(self.greenlets)
                for member in [m for m in self.greenlets if m.dead]:
                    self.discard(member)

    def killone(
        self,
        member: Greenlet,
        exception: BaseException | type[BaseException] = GreenletExit,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Kill ``member``, if it is one and has not been killed by the group before."""
        if member in self.greenlets - self._dying:
            self._dying.add(member)
            member.kill(exception, block=False)
        if block and member in self.greenlets:
            member.join(timeout)

    def full(self) -> bool:
        """Whether `spawn` would wait: never."""
        return False

    def wait_available(self, timeout: float | None = None) -> int:
        """Wait until `spawn` would not wait: at once."""
        return 1

    # -- doing things to many ------------------------------------------------------------------

    def apply(
        self, func: Work, args: tuple[Any, ...] = (), kwds: dict[str, Any] | None = None
    ) -> Any:
        """``func(*args, **kwds)`` in a member; the caller itself, if it is one, does it."""
        if getcurrent() in self.greenlets:
            return func(*args, **(kwds or {}))
        return self.spawn(func, *args, **(kwds or {})).get()

    def apply_async(
        self,
        func: Work,
        args: tuple[Any, ...] = (),
        kwds: dict[str, Any] | None = None,
        callback: Callable[[Any], object] | None = None,
    ) -> Greenlet:
        """`spawn`; ``callback`` gets the value. Never waits, even if the pool is full."""
        work = partial(func, *args, **(kwds or {}))
        if callback is not None:
            work = partial(_run_and_tell, work, callback)
        if self.full() or getcurrent() in self.greenlets:
            return self.greenlet_class.spawn(work)
        return self.spawn(work)

    def map(self, func: Work, iterable: Iterable[Any]) -> list[Any]:
        """``[func(x) for x in iterable]``, in members."""
        members = [self.spawn(func, item) for item in iterable]
        joinall(members)
        return [member.get() for member in members]

    def map_async(
        self,
        func: Work,
        iterable: Iterable[Any],
        callback: Callable[[list[Any]], object] | None = None,
    ) -> Greenlet:
        """`map` in a greenlet of its own."""
        work: Callable[[], Any] = partial(self.map, func, iterable)
        if callback is not None:
            work = partial(_run_and_tell, work, callback)
        return Greenlet.spawn(work)

    def imap(self, func: Work, *iterables: Iterable[Any], maxsize: int | None = None) -> "IMap":
        """An iterator over ``map(func, *iterables)``, computed in members ahead of its reader.

        ``maxsize`` bounds how far ahead.
        """
        return IMap(self, func, iterables, maxsize, ordered=True)

    def imap_unordered(
        self, func: Work, *iterables: Iterable[Any], maxsize: int | None = None
    ) -> "IMap":
        """As `imap`, in the order in which they end."""
        return IMap(self, func, iterables, maxsize, ordered=False)

    def statistics(self) -> dict[str, int | None]:
        """How many members, of how many."""
        return {"members": len(self), "size": None}


def _run_and_tell(work: Callable[[], Any], callback: Callable[[Any], object]) -> Any:
    value = work()
    callback(value)
    return value


class Pool(Group):
    """A Group of at most ``size`` members; `spawn` waits for a free place. None: no bound."""

    def __init__(
        self, size: int | None = None, greenlet_class: type[Greenlet] | None = None
    ) -> None:
        if size is not None and size < 0:
            raise ValueError(f"a pool can't have {size} places")
        super().__init__()
        self.size = size
        self._places = Semaphore(size) if size is not None else None
        if greenlet_class is not None:
            self.greenlet_class = greenlet_class

    def add(self, member: Greenlet, blocking: bool = True, timeout: float | None = None) -> None:
        """As `Group.add`, waiting for a free place; PoolFull if there is none (in time)."""
        if member in self.greenlets:
            return
        if self._places is not None and not self._places.acquire(blocking, timeout):
            raise PoolFull(f"all {self.size} places are taken")
        super().add(member)

    def start(self, member: Greenlet, blocking: bool = True, timeout: float | None = None) -> None:
        """Start ``member`` as one of the pool."""
        self.add(member, blocking, timeout)
        member.start()

    def _left(self) -> None:
        if self._places is not None:
            self._places.release()
        super()._left()

    def full(self) -> bool:
        """Whether `spawn` would wait."""
        return self._places is not None and self._places.locked()

    def free_count(self) -> int:
        """How many places are free; 1 without a bound."""
        return 1 if self._places is None else max(0, self._places.counter)

    def wait_available(self, timeout: float | None = None) -> int:
        """Wait until a place is free; how many are."""
        if self._places is not None:
            self._places.wait(timeout)
        return self.free_count()

    def statistics(self) -> dict[str, int | None]:
        """How many members, of how many."""
        return {"members": len(self), "size": self.size}


class IMap:
    """The iterator of imap: a feeder spawns members ahead of the reader.

    The queue holds members in the order in which they are to be read; for ``ordered`` that is
    the order of spawning, otherwise of ending. None ends it, an error of the iterables too.
    """

    def __init__(
        self,
        group: Group,
        function: Work,
        iterables: tuple[Iterable[Any], ...],
        maxsize: int | None,
        ordered: bool,
    ) -> None:
        self._members: SimpleQueue[Greenlet | BaseException | None] = SimpleQueue()
        self._ahead = Semaphore(maxsize) if maxsize else None
        self._ordered = ordered
        self._open = 1  # members that have not ended, and the feeder
        self._end: BaseException | None = None
        self._feeder = Greenlet.spawn(self._feed, group, function, iterables)

    def _feed(self, group: Group, function: Work, iterables: tuple[Iterable[Any], ...]) -> None:
        try:
            for items in zip(*iterables, strict=False):
                if self._ahead is not None:
                    self._ahead.acquire()
                member = group.spawn(function, *items)
                self._open += 1
                if self._ordered:
                    self._members.put(member)
                member.rawlink(self._ended)  # a claim, too: whoever reads us gets the error
        except BaseException as error:
            self._end = error
        self._ended(None)

    def _ended(self, member: Greenlet | None) -> None:
        if member is not None and not self._ordered:
            self._members.put(member)
        self._open -= 1
        if not self._open:
            self._members.put(self._end)

    def __iter__(self) -> "IMap":
        return self

    def __next__(self) -> Any:
        """The next value, or the error of that call raised; the iteration can go on after it."""
        if self._members is _READ:
            raise StopIteration
        member = self._members.get()
        if isinstance(member, Greenlet):
            if self._ahead is not None:
                self._ahead.release()
            return member.get()
        self._members = _READ
        if member is None:
            raise StopIteration
        raise member

    next = __next__


_READ: Any = object()
