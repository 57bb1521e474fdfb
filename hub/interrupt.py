"""Interrupts: errors that end a greenlet's wait from outside, and their order.

A greenlet may have several at once: a kill comes while it cleans up after a Timeout, or
a Timeout while its nursery waits for children that clean up after a kill. They have an
order, and none is lost:

    a kill, KeyboardInterrupt    ends the greenlet
    a cancellation               ends the block of a scope
    a Timeout                    ends its own block

* Where a wait must not be interrupted (a nursery waits for its children, a condition
  takes its lock back) they are kept (`Deferral` of deferral.py). At its end the first
  in this order is raised, and the others at the waits that follow.
* A Timeout that fires, or a scope that is cancelled, while a kill unwinds the greenlet
  would replace the kill, and their block would swallow it. So the kill is raised once
  more instead (`outranking`), and the Timeout waits until the kill has been dealt with.
  A Timeout or scope that was begun after the kill limits the cleaning up, and is raised
  as always.

A Timeout is dropped when its block has been left, a kill when its greenlet has ended.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from hub.hub import Hub

__all__ = [
    "CANCELLATION",
    "KILL",
    "TIMEOUT",
    "Interrupt",
    "Raisable",
    "instance",
    "mark_kill",
    "outranking",
]

Raisable = BaseException | type[BaseException]

TIMEOUT, CANCELLATION, KILL = range(3)
"""The ranks of interrupts; the highest is raised first."""

_MARK = "_hub_kill"


class Interrupt:
    """One error for one greenlet. Its rank and its ticket say what it gives way to.

    ``ticket`` says when it became possible, in the order of the hub's timers: when the
    Timeout was started, when the greenlet was killed. ``wanted`` says whether it is
    still to be raised.
    """

    __slots__ = (
        "error",
        "hub",
        "rank",
        "target",
        "ticket",
        "traceback",
        "wanted",
        "yielded",
    )

    def __init__(
        self,
        hub: "Hub",
        target: greenlet,
        error: BaseException,
        rank: int = KILL,
        ticket: int | None = None,
        wanted: Callable[[], bool] | None = None,
    ) -> None:
        self.hub = hub
        self.target = target
        self.error = error
        self.traceback = error.__traceback__
        """The traceback that it came with: another raise starts from there."""
        self.rank = rank
        self.ticket = hub.loop.timers.next_ticket() if ticket is None else ticket
        self.wanted = wanted
        self.yielded = False
        """Whether a kill was raised in its place."""

    def deliver(self) -> None:
        """Raise it where the target waits. Runs in the hub."""
        if self.target.dead or (self.wanted is not None and not self.wanted()):
            return
        if self.rank == KILL:
            _mark(self.error, self.target, self.ticket)
        self.hub.arriving = self
        try:
            self.target.throw(self.error)
        finally:
            self.hub.arriving = None

    def again(self) -> None:
        """Raise it at the next wait of the target."""
        self.hub.loop.call_soon(self.deliver)


def instance(exception: Raisable) -> BaseException:
    """Return the exception to raise; for a class one of it, or why there is none."""
    if isinstance(exception, BaseException):
        return exception
    if not (isinstance(exception, type) and issubclass(exception, BaseException)):
        return TypeError(f"exceptions must derive from BaseException: {exception!r}")
    try:
        return exception()
    except Exception as error:
        return error


def mark_kill(hub: "Hub", error: BaseException) -> BaseException:
    """Return ``error``, which a greenlet raises in itself as its own kill."""
    _mark(error, getcurrent(), hub.loop.timers.next_ticket())
    return error


def _mark(error: BaseException, target: greenlet, ticket: int) -> None:
    """Note in ``error`` that it kills ``target``: one may be sent to several."""
    vars(error).setdefault(_MARK, {})[id(target)] = ticket


def outranking(ticket: int) -> BaseException | None:
    """Return the kill that unwinds the current greenlet, if newer than ``ticket``.

    A kill that another error has replaced while it was handled counts too.
    """
    error, me = sys.exception(), id(getcurrent())
    while error is not None:
        if vars(error).get(_MARK, {}).get(me, -1) > ticket:
            return error
        error = error.__context__
    return None
