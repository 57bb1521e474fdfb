"""The standard library's modules with the hub's cooperative versions in their place.

`replace` puts them into ``sys.modules`` of this process, and into the modules that have
imported the originals already. The hub itself keeps the originals, which it imported
before.

The hub has no version of ``threading``: a program that moves to greenlets spawns them.
Tests that are written for threads get one here, with as much as they need.
"""

import importlib
import socket as _socket
import sys
import threading as _threading
import time as _time
import types
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import hub
from hub import local, lock, queue, select, socket, ssl
from hub.event import Event
from hub.greenlet import Greenlet

_numbers = count(1)


class Thread:
    """threading.Thread on a greenlet."""

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Any = (),
        kwargs: Any = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        self.name = name or f"Thread-{next(_numbers)}"
        self.daemon = bool(daemon)
        self.ident: int | None = None
        self._target, self._args, self._kwargs = target, args, kwargs or {}
        self._greenlet: Greenlet | None = None

    native_id = None

    def start(self) -> None:
        if self._greenlet is not None:
            raise RuntimeError("threads can only be started once")
        self._greenlet = Greenlet(self._bootstrap)
        self.ident = id(self._greenlet)
        self._greenlet.start()
        hub.sleep(0)

    def _bootstrap(self) -> None:
        _threads[hub.getcurrent()] = self
        try:
            self.run()
        except BaseException as error:
            hook = sys.modules["threading"].excepthook
            hook(
                _threading.ExceptHookArgs(
                    (type(error), error, error.__traceback__, None)
                )
            )
        finally:
            del _threads[hub.getcurrent()]

    def run(self) -> None:
        if self._target is not None:
            self._target(*self._args, **self._kwargs)

    def join(self, timeout: float | None = None) -> None:
        if self._greenlet is None:
            raise RuntimeError("cannot join thread before it is started")
        self._greenlet.join(timeout)

    def is_alive(self) -> bool:
        return self._greenlet is not None and not self._greenlet.dead


_threads: dict[Any, Thread] = {}


def _current_thread() -> Any:
    return _threads.get(hub.getcurrent()) or _threading.main_thread()


def _enumerate() -> list[Any]:
    return [_threading.main_thread(), *_threads.values()]


def _get_ident() -> int:
    return id(hub.getcurrent())


def _start_new_thread(
    function: Callable[..., object], args: Any = (), kwargs: Any = None
) -> int:
    def run() -> None:
        with suppress(SystemExit):  # which ends a thread, and no more
            function(*args, **(kwargs or {}))

    return id(Greenlet.spawn(run))


class _Lock(lock.Semaphore):
    """threading.Lock: a time-out of -1 means none, and an extra release is an error."""

    def acquire(self, blocking: bool = True, timeout: float | None = -1) -> bool:
        return super().acquire(blocking, None if timeout == -1 else timeout)

    def release(self, n: int = 1) -> None:
        if self.counter:
            raise RuntimeError("release unlocked lock")
        super().release()

    def _at_fork_reinit(self) -> None: ...

    def __enter__(self) -> bool:
        return self.acquire()


def module(name: str, original: types.ModuleType, **names: Any) -> types.ModuleType:
    """A module with ``names``, and otherwise what ``original`` has."""
    made = types.ModuleType(name)
    made.__file__ = getattr(original, "__file__", None)
    made.__getattr__ = lambda item: getattr(original, item)
    made.__dir__ = lambda: sorted({*dir(original), *names})
    vars(made).update(names)
    return made


threading = module(
    "threading",
    _threading,
    Thread=Thread,
    Event=Event,
    Lock=_Lock,
    RLock=lock.RLock,
    Condition=lock.Condition,
    Semaphore=lock.Semaphore,
    BoundedSemaphore=lock.BoundedSemaphore,
    local=local.local,
    current_thread=_current_thread,
    enumerate=_enumerate,
    get_ident=_get_ident,
    active_count=lambda: len(_enumerate()),
    excepthook=_threading.excepthook,
)
_thread = module(
    "_thread",
    importlib.import_module("_thread"),
    start_new_thread=_start_new_thread,
    allocate_lock=_Lock,
    get_ident=_get_ident,
)
time = module("time", _time, sleep=hub.sleep)

REPLACEMENTS: dict[str, types.ModuleType] = {
    "_thread": _thread,
    "queue": queue,
    "select": select,
    "selectors": select,
    "socket": socket,
    "ssl": ssl,
    "threading": threading,
    "time": time,
}

_USERS = ("socketserver", "subprocess", "http.client", "http.server")
"""Modules of the standard library that are loaded again, to use the replacements."""

_KEPT = (
    "__main__",
    "hub",
    "tests.hub.compat",
    "greenlet",
    "importlib",
    "test.support.socket_helper",
)


def replace() -> None:
    """Put the replacements in place."""
    originals = {
        id(sys.modules[name]): replacement
        for name, replacement in REPLACEMENTS.items()
        if name in sys.modules
    }
    for loaded in list(sys.modules.values()):
        if not isinstance(loaded, types.ModuleType) or _is_kept(loaded.__name__):
            continue
        for name, value in list(vars(loaded).items()):
            if id(value) in originals and isinstance(value, types.ModuleType):
                setattr(loaded, name, originals[id(value)])
    sys.modules.update(REPLACEMENTS)
    _name_private_parts()
    for name in _USERS:
        sys.modules.pop(name, None)


class _FileWithoutDescriptor:
    """A file that the kernel can't send."""

    def __init__(self, file: Any) -> None:
        self.read, self.seek, self.mode = (
            file.read,
            file.seek,
            getattr(file, "mode", "b"),
        )


def _name_private_parts() -> None:
    """Give our modules the private names of the standard library that its tests use."""
    there: Any = queue
    there._PySimpleQueue = queue.SimpleQueue
    kind: Any = socket.socket
    kind._sendfile_use_sendfile = kind.sendfile
    kind._sendfile_use_send = lambda sock, file, **rest: sock.sendfile(
        _FileWithoutDescriptor(file), **rest
    )
    secure: Any = ssl.SSLSocket
    secure._sslobj = property(lambda sock: sock._tls and sock._tls._sslobj)
    if hasattr(_socket, "_fallback_socketpair"):  # from Python 3.13 on
        sockets: Any = socket
        sockets._fallback_socketpair = _with_our_names(_socket._fallback_socketpair)


def _with_our_names(function: types.FunctionType) -> types.FunctionType:
    """A function of the standard library's socket module, with our sockets."""
    names = vars(_socket) | vars(socket)
    return types.FunctionType(function.__code__, names, None, function.__defaults__)


def _is_kept(name: str) -> bool:
    return any(name == kept or name.startswith(f"{kept}.") for kept in _KEPT)
