"""Which hub belongs to this native thread. One hub a thread, made when first asked
for."""

import os
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from hub.errors import ForkError

if TYPE_CHECKING:
    from hub.hub import Hub

__all__ = ["get_hub", "get_hub_if_any", "set_hub", "set_hub_factory", "thread"]


_factory: "Callable[[], Hub]"
_all_hubs: "weakref.WeakSet[Hub]" = weakref.WeakSet()
_forked_from: int | None = None


class _HubOnFirstUse:
    """Makes the hub at the first access. No data descriptor: what the thread has comes
    first.

    (A ``__getattr__`` would do, but its mere presence makes every access four times as
    slow.)
    """

    def __get__(self, instance: "_Thread", owner: "type[_Thread]") -> "Hub":
        if _forked_from is not None:
            raise ForkError(
                f"this process was forked from {_forked_from}, which uses the hub; the hub does "
                "not survive fork(): start children with subprocess, or multiprocessing's 'spawn'"
            )
        hub = _factory()
        set_hub(hub)
        return hub


class _Thread(threading.local):
    """What belongs to this native thread."""

    if TYPE_CHECKING:
        hub: Hub
    else:
        hub = _HubOnFirstUse()


thread = _Thread()
"""``thread.hub`` is `get_hub` without the call, for where it is hot."""


def get_hub() -> "Hub":
    """The hub of this thread.

    Raises ForkError in a forked child: its epoll instance is shared with the parent,
    and what it does there would reach the parent's descriptors.
    """
    return thread.hub


def get_hub_if_any() -> "Hub | None":
    """The hub of this thread, or None if nobody has asked for it yet."""
    return thread.__dict__.get("hub")


def set_hub(hub: "Hub | None") -> None:
    """Make ``hub`` the one of this thread; None forgets the present one."""
    if hub is None:
        thread.__dict__.pop("hub", None)
    else:
        thread.hub = hub
        _all_hubs.add(hub)


def set_hub_factory(factory: "Callable[[], Hub]") -> None:
    """Say how a hub is made; the hub module does, once."""
    global _factory
    _factory = factory


def _after_fork_in_child() -> None:
    global _forked_from
    if _all_hubs:
        _forked_from = os.getppid()
        set_hub(None)
        for hub in list(_all_hubs):
            hub.loop.abandon()


os.register_at_fork(after_in_child=_after_fork_in_child)
