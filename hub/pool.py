"""Group, a set of greenlets, and Pool, a Group of bounded size whose spawn waits."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, TypeVar

from greenlet import GreenletExit, getcurrent

from hub.event import Event
from hub.greenlet import AnyGreenlet, Greenlet
from hub.imap import Mapper
from hub.joining import joinall
from hub.lock import Semaphore
from hub.timeout import Timeout

__all__ = ["Group", "Pool", "PoolFull"]

P = ParamSpec("P")
T = TypeVar("T")


class PoolFull(Exception):
    """`Pool.add` found no free slot in time."""


class Group(Mapper):
    """A set of greenlets; each leaves it when it ends."""

    greenlet_class: type[Any] = Greenlet

    def __init__(self, greenlets: Iterable[AnyGreenlet] = ()) -> None:
        self.greenlets: set[AnyGreenlet] = set()
        self._killed: set[AnyGreenlet] = set()  # by the group, and not ended yet
        self._empty = Event()
        self._empty.set()
        for member in greenlets:
            self.add(member)

    # -- members -----------------------------------------------------------------------

    def add(self, member: AnyGreenlet) -> None:
        """Add ``member`` to the group until it ends."""
        if member not in self.greenlets:
            self.greenlets.add(member)
            self._empty.clear()
            member._add_link(self.discard, handles_error=False)

    def discard(self, member: AnyGreenlet) -> None:
        """Remove ``member`` from the group; it goes on running."""
        if member in self.greenlets:
            self.greenlets.remove(member)
            self._killed.discard(member)
            member.unlink(self.discard)
            self._member_left()

    def _member_left(self) -> None:
        if not self.greenlets:
            self._empty.set()

    def start(self, member: AnyGreenlet) -> None:
        """Add ``member`` and start it."""
        self.add(member)
        member.start()

    def spawn(
        self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Greenlet[P, T]:
        """Start a new member that runs ``func(*args, **kwargs)``."""
        member: Greenlet[P, T] = self.greenlet_class(func, *args, **kwargs)
        self.start(member)
        return member

    def __len__(self) -> int:
        return len(self.greenlets)

    def __contains__(self, member: object) -> bool:
        return member in self.greenlets

    def __iter__(self) -> Iterator[AnyGreenlet]:
        return iter(list(self.greenlets))

    # -- waiting and killing -----------------------------------------------------------

    def join(self, timeout: float | None = None, raise_error: bool = False) -> bool:
        """Wait until the group is empty; return False after ``timeout`` seconds.

        ``raise_error``: raise the first error of the present members.
        """
        with Timeout.start_new(timeout, False):
            if raise_error:
                joinall(self.greenlets, raise_error=True)
            self._empty.wait()
        return not self.greenlets

    def kill(
        self,
        exception: BaseException | type[BaseException] = GreenletExit,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Kill each member once; ``block``: wait, and kill those added meanwhile too.

        The wait takes at most ``timeout`` seconds.
        """
        with Timeout(timeout, False):
            while self.greenlets:
                for member in self.greenlets - self._killed:
                    self._killed.add(member)
                    member.kill(exception, block=False)
                if not block:
                    return
                joinall(self.greenlets)
                for member in [m for m in self.greenlets if m.dead]:
                    self.discard(member)

    def killone(
        self,
        member: AnyGreenlet,
        exception: BaseException | type[BaseException] = GreenletExit,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Kill ``member``, unless it has left or the group has killed it already."""
        if member in self.greenlets - self._killed:
            self._killed.add(member)
            member.kill(exception, block, timeout)

    def full(self) -> bool:
        """Whether `spawn` would wait: never."""
        return False

    def wait_available(self, timeout: float | None = None) -> int:
        """Return at once: `spawn` never waits."""
        return 1

    def _called_by_worker(self) -> bool:
        return getcurrent() in self.greenlets

    def statistics(self) -> dict[str, int | None]:
        """How many members there are, and the bound."""
        return {"members": len(self), "size": None}


class Pool(Group):
    """A Group of at most ``size`` members (None: no bound).

    `spawn` waits for a slot.
    """

    def __init__(
        self, size: int | None = None, greenlet_class: type[AnyGreenlet] | None = None
    ) -> None:
        if size is not None and size < 0:
            raise ValueError(f"a pool can't have {size} slots")
        super().__init__()
        self.size = size
        self._semaphore = Semaphore(size) if size is not None else None
        if greenlet_class is not None:
            self.greenlet_class = greenlet_class

    def add(
        self, member: AnyGreenlet, blocking: bool = True, timeout: float | None = None
    ) -> None:
        """As `Group.add`, waiting for a free slot.

        Raises PoolFull if none is free (``blocking`` false), or not in ``timeout``
        seconds.
        """
        if member in self.greenlets:
            return
        if self._semaphore is not None and not self._semaphore.acquire(
            blocking, timeout
        ):
            raise PoolFull(f"all {self.size} slots are taken")
        super().add(member)

    def start(
        self, member: AnyGreenlet, blocking: bool = True, timeout: float | None = None
    ) -> None:
        """Add ``member``, waiting for a free slot, and start it."""
        self.add(member, blocking, timeout)
        member.start()

    def _member_left(self) -> None:
        if self._semaphore is not None:
            self._semaphore.release()
        super()._member_left()

    def full(self) -> bool:
        """Whether `spawn` would wait."""
        return self._semaphore is not None and self._semaphore.locked()

    def free_count(self) -> int:
        """How many slots are free; 1 without a bound."""
        return 1 if self._semaphore is None else max(0, self._semaphore.counter)

    def wait_available(self, timeout: float | None = None) -> int:
        """Wait until a slot is free, and return how many are."""
        if self._semaphore is not None:
            self._semaphore.wait(timeout)
        return self.free_count()

    def statistics(self) -> dict[str, int | None]:
        """How many members there are, and the bound."""
        return {"members": len(self), "size": self.size}
