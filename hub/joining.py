"""Calls for several greenlets: wait for all of them, kill all of them.

`kill` takes plain greenlets too, which have no ``kill`` of their own.
"""

from collections.abc import Iterable
from typing import TypeVar

from greenlet import GreenletExit
from greenlet import greenlet as RawGreenlet

from hub.current import get_hub
from hub.greenlet import AnyGreenlet, Greenlet
from hub.interrupt import Interrupt, Raisable, instance
from hub.links import iwait
from hub.timeout import Timeout
from hub.waiter import Waiter

__all__ = ["joinall", "kill", "killall"]

G = TypeVar("G", bound=AnyGreenlet)


def joinall(
    greenlets: Iterable[G],
    timeout: float | None = None,
    raise_error: bool = False,
    count: int | None = None,
) -> list[G]:
    """Wait for all greenlets (or ``count`` of them); return those that have ended.

    ``timeout`` in seconds. ``raise_error``: raise the first error that one of them
    ended with.
    """
    if not raise_error and count is None:
        return _join_at_once(list(greenlets), timeout)
    done = []
    for ended in iwait(greenlets, timeout, count):
        if raise_error and ended.exception is not None:
            ended.get()
        done.append(ended)
    return done


class _Latch:
    """One link for many greenlets: wakes its waiter when the last one has ended."""

    __slots__ = ("left", "waiter")

    handles_error = True

    def __init__(self, left: int) -> None:
        self.left = left
        self.waiter = Waiter()

    def wake_soon(self) -> None:
        self.left -= 1
        if not self.left:
            self.waiter.wake_soon()


def _join_at_once(greenlets: list[G], timeout: float | None) -> list[G]:
    """`joinall` without a step for each greenlet that ends: that step is the cost."""
    alive = {each for each in greenlets if not each.dead}
    if alive:
        latch = _Latch(len(alive))
        for each in alive:
            each._links.append(latch)
        try:
            latch.waiter.get_within(timeout)
        finally:
            if latch.left:
                for each in alive:
                    each._forget(latch)
    return [each for each in greenlets if each.dead]


def kill(target: RawGreenlet, exception: Raisable = GreenletExit) -> None:
    """Raise ``exception`` in ``target`` soon, without waiting for its end."""
    if isinstance(target, Greenlet):
        target.kill(exception, block=False)
    else:
        Interrupt(get_hub(), target, instance(exception)).again()


def killall(
    greenlets: Iterable[RawGreenlet],
    exception: Raisable = GreenletExit,
    block: bool = True,
    timeout: float | None = None,
) -> None:
    """Kill all of them at once; ``block``: wait until they have ended.

    Raises Timeout if that takes longer than ``timeout`` seconds.
    """
    targets = list(greenlets)
    for target in targets:
        kill(target, exception)
    if block:
        with Timeout(timeout):
            joinall([target for target in targets if isinstance(target, Greenlet)])
