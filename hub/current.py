"""Which hub belongs to this native thread: one hub for each, made on first use."""

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
    """A descriptor that makes the hub at the first access.

    It has no ``__set__``, so an instance attribute hides it from then on. A
    ``__getattr__`` would do the same, but a class that has one makes every attribute
    access four times as slow.
    """

    def __get__(self, instance: "_Thread", owner: "type[_Thread]") -> "Hub":
        if _forked_from is not None:
            raise ForkError(
                f"this process was forked from {_forked_from}, which uses the hub; the "
                "hub does not survive fork(): start children with subprocess, or "
                "multiprocessing's 'spawn'"
            )
        hub = _factory()
        set_hub(hub)
        return hub


class _Thread(threading.local):
    """The thread-local storage that holds the hub of each native thread."""

    if TYPE_CHECKING:
        hub: Hub
    else:
        hub = _HubOnFirstUse()


thread = _Thread()
"""``thread.hub`` is what `get_hub` returns, without the call, for hot paths."""


def get_hub() -> "Hub":
    """Return the hub of this thread; the first call makes it.

    Raises ForkError in a forked child: the epoll instance is shared with the parent,
    and changes made through it would reach the parent's descriptors.
    """
    return thread.hub


def get_hub_if_any() -> "Hub | None":
    """Return the hub of this thread, or None if none has been made yet."""
    return thread.__dict__.get("hub")


def set_hub(hub: "Hub | None") -> None:
    """Make ``hub`` the hub of this thread; None forgets the present one."""
    if hub is None:
        thread.__dict__.pop("hub", None)
    else:
        thread.hub = hub
        _all_hubs.add(hub)


def set_hub_factory(factory: "Callable[[], Hub]") -> None:
    """Set the function that makes a hub. The hub module calls this once, on import."""
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
