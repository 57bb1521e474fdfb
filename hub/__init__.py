"""A hub of greenlets: gevent's meaning under gevent's names, in plain Python.

    import hub

    def fetch(host):
        with hub.Timeout(10):
            sock = hub.socket.create_connection((host, 80))
            ...

    jobs = [hub.spawn(fetch, host) for host in hosts]
    hub.joinall(jobs)

Greenlets look like threads, and all of them run in one native thread. A greenlet gives
up control only in a call that waits. README.md says what each file holds.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from greenlet import GreenletExit, getcurrent

from hub.current import get_hub
from hub.deadlines import (
    current_effective_deadline,
    current_scope,
    current_time,
    fail_after,
    fail_at,
    move_on_after,
    move_on_at,
)
from hub.errors import (
    BlockingSwitchOutError,
    Cancelled,
    ConcurrentObjectUseError,
    ForkError,
    HubError,
    InvalidSwitchError,
    LoopExit,
    NoSwitchError,
    TooSlowError,
)
from hub.greenlet import Greenlet
from hub.hub import Hub, idle, sleep, spawn_raw
from hub.joining import joinall, kill, killall
from hub.links import iwait, wait
from hub.noswitch import no_switch
from hub.nursery import Nursery, TaskStatus
from hub.scope import CancelScope
from hub.signal import signal_handler
from hub.timeout import Timeout, with_timeout
from hub.waiter import Waiter

if TYPE_CHECKING:
    from hub import (
        aio,
        debug,
        event,
        local,
        lock,
        patch,
        pool,
        queue,
        select,
        server,
        signal,
        socket,
        ssl,
        threadpool,
    )
    from hub.patch import patch_all, patched

if TYPE_CHECKING:
    # A function is required here, unlike in Greenlet.spawn; so mypy can say which
    # argument is wrong.
    P = ParamSpec("P")
    T = TypeVar("T")

    def spawn(
        run: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Greenlet[P, T]: ...

    def spawn_later(
        seconds: float, run: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Greenlet[P, T]: ...
else:
    spawn = Greenlet.spawn
    spawn_later = Greenlet.spawn_later

_MODULES = {
    "aio",
    "debug",
    "event",
    "local",
    "lock",
    "patch",
    "pool",
    "queue",
    "select",
    "server",
    "signal",
    "socket",
    "ssl",
    "threadpool",
}


def __getattr__(name: str) -> Any:
    """Import a submodule when it is first named.

    A program without TLS does not pay for loading OpenSSL.
    """
    if name in ("patch_all", "patched"):
        return getattr(import_module(f"{__name__}.patch"), name)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")


__all__ = [
    "BlockingSwitchOutError",
    "CancelScope",
    "Cancelled",
    "ConcurrentObjectUseError",
    "ForkError",
    "Greenlet",
    "GreenletExit",
    "Hub",
    "HubError",
    "InvalidSwitchError",
    "LoopExit",
    "NoSwitchError",
    "Nursery",
    "TaskStatus",
    "Timeout",
    "TooSlowError",
    "Waiter",
    "aio",
    "current_effective_deadline",
    "current_scope",
    "current_time",
    "debug",
    "event",
    "fail_after",
    "fail_at",
    "get_hub",
    "getcurrent",
    "idle",
    "iwait",
    "joinall",
    "kill",
    "killall",
    "local",
    "lock",
    "move_on_after",
    "move_on_at",
    "no_switch",
    "patch",
    "patch_all",
    "patched",
    "pool",
    "queue",
    "select",
    "server",
    "signal",
    "signal_handler",
    "sleep",
    "socket",
    "spawn",
    "spawn_later",
    "spawn_raw",
    "ssl",
    "threadpool",
    "wait",
    "with_timeout",
]
