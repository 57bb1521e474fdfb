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
from hub.links import iwait, wait_all
from hub.timeout import Timeout

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
        everything = list(greenlets)
        wait_all(everything, timeout)
        return [each for each in everything if each.dead]
    done = []
    for ended in iwait(greenlets, timeout, count):
        if raise_error and ended.exception is not None:
            ended.get()
        done.append(ended)
    return done


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
