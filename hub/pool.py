"""Group: greenlets that belong together. Pool: a Group of bounded size, whose spawn
waits."""

from collections.abc import Iterable, Iterator
from typing import Any

from greenlet import GreenletExit, getcurrent

from hub.event import Event
from hub.greenlet import Greenlet, joinall
from hub.imap import Mapper
from hub.lock import Semaphore
from hub.timeout import Timeout

__all__ = ["Group", "Pool", "PoolFull"]


class PoolFull(Exception):
    """`Pool.add` found no free place in time."""


class Group(Mapper):
    """A set of greenlets; each leaves it when it ends."""

    greenlet_class = Greenlet

    def __init__(self, greenlets: Iterable[Greenlet] = ()) -> None:
        self.greenlets: set[Greenlet] = set()
        self._killed: set[Greenlet] = set()  # killed by us, and not ended yet
        self._empty = Event()
        self._empty.set()
        for member in greenlets:
            self.add(member)

    # -- members -----------------------------------------------------------------------

    def add(self, member: Greenlet) -> None:
        """Make ``member`` one of the group until it ends."""
        if member not in self.greenlets:
            self.greenlets.add(member)
            self._empty.clear()
            member._add_link(self.discard, handles_error=False)

    def discard(self, member: Greenlet) -> None:
        """Let ``member`` go; nothing happens to it."""
        if member in self.greenlets:
            self.greenlets.remove(member)
            self._killed.discard(member)
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

    # -- waiting and killing -----------------------------------------------------------

    def join(self, timeout: float | None = None, raise_error: bool = False) -> bool:
        """Wait until the group is empty; False if it isn't in ``timeout`` seconds.

        ``raise_error``: raise the first error of those who are members now.
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
        """Kill all members, also those that come meanwhile (``block``); each of them
        once."""
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
        member: Greenlet,
        exception: BaseException | type[BaseException] = GreenletExit,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Kill ``member``, if it is one and has not been killed by the group before."""
        if member in self.greenlets - self._killed:
            self._killed.add(member)
            member.kill(exception, block, timeout)

    def full(self) -> bool:
        """Whether `spawn` would wait: never."""
        return False

    def wait_available(self, timeout: float | None = None) -> int:
        """Wait until `spawn` would not wait: at once."""
        return 1

    def _called_by_worker(self) -> bool:
        return getcurrent() in self.greenlets

    def statistics(self) -> dict[str, int | None]:
        """How many members, of how many."""
        return {"members": len(self), "size": None}


class Pool(Group):
    """A Group of at most ``size`` members; `spawn` waits for a free place. None: no
    bound."""

    def __init__(
        self, size: int | None = None, greenlet_class: type[Greenlet] | None = None
    ) -> None:
        if size is not None and size < 0:
            raise ValueError(f"a pool can't have {size} places")
        super().__init__()
        self.size = size
        self._semaphore = Semaphore(size) if size is not None else None
        if greenlet_class is not None:
            self.greenlet_class = greenlet_class

    def add(
        self, member: Greenlet, blocking: bool = True, timeout: float | None = None
    ) -> None:
        """As `Group.add`, waiting for a free place; PoolFull if there is none (in
        time)."""
        if member in self.greenlets:
            return
        if self._semaphore is not None and not self._semaphore.acquire(
            blocking, timeout
        ):
            raise PoolFull(f"all {self.size} places are taken")
        super().add(member)

    def start(
        self, member: Greenlet, blocking: bool = True, timeout: float | None = None
    ) -> None:
        """Start ``member`` as one of the pool."""
        self.add(member, blocking, timeout)
        member.start()

    def _left(self) -> None:
        if self._semaphore is not None:
            self._semaphore.release()
        super()._left()

    def full(self) -> bool:
        """Whether `spawn` would wait."""
        return self._semaphore is not None and self._semaphore.locked()

    def free_count(self) -> int:
        """How many places are free; 1 without a bound."""
        return 1 if self._semaphore is None else max(0, self._semaphore.counter)

    def wait_available(self, timeout: float | None = None) -> int:
        """Wait until a place is free; how many are."""
        if self._semaphore is not None:
            self._semaphore.wait(timeout)
        return self.free_count()

    def statistics(self) -> dict[str, int | None]:
        """How many members, of how many."""
        return {"members": len(self), "size": self.size}
