"""Lets clients that are written for the standard library wait cooperatively.

    with hub.patched("socket", "ssl"):
        urllib.request.urlopen(url)         # the other greenlets run

    patch = hub.patch_all()                 # until patch.undo()

Nothing is patched unless it is asked for, and all of it is taken back at the end of the
block. The names are those of `MODULES`; some include others, because one is made of the
other:

* ``socket``: sockets, name look-ups. With ``ssl`` that is enough for http.client,
  urllib, smtplib, ftplib, imaplib, poplib, xmlrpc and for libraries such as requests.
* ``ssl``: ``SSLContext.wrap_socket`` for a cooperative socket, on any context. A plain
  socket gets the standard library's TLS, as before.
* ``select`` (and ``selectors``): select, poll, epoll, the selectors; socketserver.
* ``threading``: Lock, RLock, Condition, Thread, Timer, local, and what the standard
  library makes of these: Event, Semaphore, Barrier, Queue, ThreadPoolExecutor. A thread
  is a greenlet then: code in it that blocks blocks all. An instance of a class that was
  derived from Thread before is a native thread, which keeps the standard library; to
  join it is cooperative.
* ``queue`` (and ``threading``): SimpleQueue.
* ``subprocess``: ``Popen.wait`` and ``Popen.communicate``, and so ``run`` and
  ``check_output``.
* ``time``: sleep.

**What is promised.** The replacement takes place in the module itself and in every
loaded module that has imported the name from it: ``from time import sleep`` and
``import time`` are the same, before the block and inside it. Each call asks whether its
thread has a hub. In a thread that has none (a worker of a `ThreadPool`, an asyncio
loop) everything stays as it was. Blocks may be nested and may overlap. Objects that
were made inside go on working outside.

**What is not.** Objects that were made before (a socket, a lock, a queue) still block,
and so does a name that was stored elsewhere before: in a closure, a default argument,
an attribute of a class or of an object, a base class. `hub.debug.Watchdog` names such a
call. Not replaced at all: files and pipes (``os.read``, ``open``), since the kernel has
no readiness for files; ``os.fork``, which the hub refuses; ``os.waitpid``; ``signal``,
because a handler that waits would be another program (`hub.signal_handler`);
``asyncio``, which has its own loop (`hub.aio`).
"""

import atexit
import queue
import select
import selectors
import socket
import ssl
import subprocess  # nosec B404  # its waits are replaced
import sys
import threading
import time
from abc import ABCMeta
from collections.abc import Callable
from functools import cache, cached_property, wraps
from types import ModuleType
from typing import Any, TypeVar

import hub.select
import hub.socket
import hub.ssl
from hub import threadlocks, threads
from hub.current import get_hub
from hub.hub import sleep
from hub.local import local
from hub.native import cooperative
from hub.threadpool import ThreadPool

__all__ = ["MODULES", "Patch", "patch_all", "patched"]

T = TypeVar("T")

_Names = dict[str, Any]


class _Either(ABCMeta):
    """The class of a class that stands for two: the hub's, and the original.

    It makes an instance of the first where a call may wait, and of the second
    elsewhere. Instances of both are its instances.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        kinds = cls.__dict__.get("_kinds")  # a subclass of it has none
        if kinds is not None and not cooperative():
            return kinds[1](*args, **kwargs)
        return super().__call__(*args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        kinds = cls.__dict__.get("_kinds")
        if kinds is not None:
            return not _kinds_of(type(instance)).isdisjoint(kinds)
        return super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        kinds = cls.__dict__.get("_kinds")
        if kinds is not None:
            return not _kinds_of(subclass).isdisjoint(kinds)
        return super().__subclasscheck__(subclass)


def _kinds_of(kind: type) -> set[type]:
    """Return the classes that ``kind`` is derived from.

    An abstract base class asks all its subclasses, and so `_Either` again: to ask it
    would have no end.
    """
    return set(kind.__mro__)


def _either(ours: Any, original: Any) -> Any:
    """Return what is ``ours`` where a call may wait, and the ``original`` elsewhere."""
    if isinstance(ours, type) and isinstance(original, type):
        return _class(_Either, ours, original, _kinds=(ours, original))

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return (ours if cooperative() else original)(*args, **kwargs)

    return call


def _always(ours: Any, original: Any) -> Any:
    """Return what is ``ours`` everywhere.

    It is another object than ours, so that `undo` finds only what a patch has given.
    """
    if isinstance(ours, type):
        return _class(type, ours, original)

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return ours(*args, **kwargs)

    return call


def _class(meta: type, ours: type, original: Any, **names: Any) -> Any:
    names |= {"__slots__": (), "__module__": original.__module__}
    return meta(original.__name__, (ours,), names)


_standard_wrap = ssl.SSLContext.wrap_socket


def _wrap_socket(
    self: ssl.SSLContext, sock: Any, *args: Any, **kwargs: Any
) -> ssl.SSLSocket | hub.ssl.SSLSocket:
    """`ssl.SSLContext.wrap_socket`: the socket decides whose TLS it gets."""
    if isinstance(sock, hub.socket.socket):
        return hub.ssl.wrap_with(self, sock, *args, **kwargs)
    return _standard_wrap(self, sock, *args, **kwargs)


class Popen(subprocess.Popen[Any]):
    """subprocess.Popen; what waits does so in a thread of its own."""

    def wait(self, timeout: float | None = None) -> int:
        """As the original; other greenlets run meanwhile."""
        if self.returncode is None and cooperative():
            return _in_thread(super().wait, timeout)
        return super().wait(timeout)

    def communicate(
        self, input: Any = None, timeout: float | None = None
    ) -> tuple[Any, Any]:
        """As the original; other greenlets run meanwhile."""
        if cooperative():
            return _in_thread(super().communicate, input, timeout)
        return super().communicate(input, timeout)


def _in_thread(function: Callable[..., T], *args: Any) -> T:
    pool = ThreadPool(1, "hub-waiter")
    try:
        return pool.spawn(function, *args).get()
    finally:
        pool.kill()


def _socket() -> _Names:
    return _of(
        _either,
        hub.socket,
        socket,
        "socket create_connection create_server fromfd socketpair getaddrinfo "
        "gethostbyname gethostbyname_ex gethostbyaddr getnameinfo",
    )


def _ssl() -> _Names:
    return {"wrap_socket": _wrap_socket}


def _select() -> _Names:
    return _of(_either, hub.select, select, "select poll epoll")


def _selectors() -> _Names:
    names = "EpollSelector PollSelector SelectSelector"
    found = _of(_either, hub.select, selectors, names)
    return found | {"DefaultSelector": found["EpollSelector"]}


def _threading() -> _Names:
    found = _of(_always, threadlocks, threading, "Lock RLock Condition")
    found |= _of(_always, threads, threading, "current_thread get_ident active_count")
    found |= _of(_either, threads, threading, "Thread Timer")
    found["enumerate"] = _always(threads.enumerate_threads, threading.enumerate)
    found["local"] = _always(local, threading.local)
    return found


_standard_join = threading.Thread.join


def _join(self: threading.Thread, timeout: float | None = None) -> None:
    """`threading.Thread.join`, of a native thread."""
    if cooperative() and self.is_alive() and self is not threading.current_thread():
        _in_thread(_standard_join, self, timeout)
    else:
        _standard_join(self, timeout)


def _thread() -> _Names:
    return {"join": _join}


def _queue() -> _Names:
    return _of(_always, threadlocks, queue, "SimpleQueue")


def _subprocess() -> _Names:
    return {"Popen": _either(Popen, subprocess.Popen)}


def _time() -> _Names:
    return {"sleep": _either(sleep, time.sleep)}


def _of(kind: Callable[..., Any], ours: Any, original: Any, names: str) -> _Names:
    return {
        name: kind(getattr(ours, name), getattr(original, name))
        for name in names.split()
    }


class _Part:
    """What is replaced in one module or class; counts who wants it."""

    def __init__(self, owner: Any, make: Callable[[], _Names]) -> None:
        self._owner = owner
        self._make = make
        self._wanted = 0

    @cached_property
    def _pairs(self) -> list[tuple[str, Any, Any]]:
        """(name, original, replacement); made once, so that they stay the same."""
        return [
            (name, getattr(self._owner, name), ours)
            for name, ours in self._make().items()
        ]

    def apply(self) -> None:
        self._wanted += 1
        if self._wanted == 1:
            pairs = self._pairs
            for name, _, ours in pairs:
                setattr(self._owner, name, ours)
            if isinstance(self._owner, ModuleType):
                self._replace({id(old): (old, new) for _, old, new in pairs}, False)

    def undo(self) -> None:
        self._wanted -= 1
        if not self._wanted:
            for name, original, ours in self._pairs:
                if self._owner.__dict__.get(name) is ours:  # not changed by another
                    setattr(self._owner, name, original)
            if isinstance(self._owner, ModuleType):
                # Where two names have one replacement, the first is its original.
                back = {id(new): (new, old) for _, old, new in reversed(self._pairs)}
                self._replace(back, True)

    def _replace(self, pairs: dict[int, tuple[Any, Any]], any_name: bool) -> None:
        """Replace the names that other modules have imported from the owner.

        An original under another name is kept on purpose, except in the standard
        library.
        """
        for module in list(sys.modules.values()):
            if not isinstance(module, ModuleType) or module is self._owner:
                continue
            package = module.__name__.partition(".")[0]
            if package in _KEPT:
                continue
            everywhere = any_name or package in sys.stdlib_module_names
            for name, value in list(vars(module).items()):
                pair = pairs.get(id(value))
                if pair is not None and (everywhere or name == value.__name__):
                    setattr(module, name, pair[1])


_KEPT = {"hub", "greenlet", "_thread", "_queue", "_socket", "_threading_local"}
"""Packages and modules that keep the originals."""

_PARTS = {
    "socket": [_Part(socket, _socket)],
    "ssl": [_Part(ssl.SSLContext, _ssl)],
    "select": [_Part(select, _select)],
    "selectors": [_Part(selectors, _selectors)],
    "threading": [_Part(threading, _threading), _Part(threading.Thread, _thread)],
    "queue": [_Part(queue, _queue)],
    "subprocess": [_Part(subprocess, _subprocess)],
    "time": [_Part(time, _time)],
}

_INCLUDED = {"select": ["selectors"], "queue": ["threading"]}

MODULES = tuple(_PARTS)
"""The names that `patched` takes."""

_changing = threading.Lock()


class Patch:
    """Modules to patch: ``with``, or `apply` and `undo`."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        unknown = [name for name in modules if name not in _PARTS]
        if unknown or not modules:
            raise ValueError(
                f"can't patch {', '.join(map(repr, unknown)) or 'nothing'}; "
                f"the modules are {', '.join(MODULES)}"
            )
        wanted = dict.fromkeys(modules)
        for name in modules:
            wanted |= dict.fromkeys(_INCLUDED.get(name, ()))
        self.modules = tuple(wanted)
        """What is patched, with all that is included."""
        self._applied = False

    def apply(self) -> "Patch":
        """Patch; a second call does nothing."""
        get_hub()  # the calls of this thread may wait from now on
        with _changing:
            if not self._applied:
                self._applied = True
                for name in self.modules:
                    for part in _PARTS[name]:
                        part.apply()
        if "threading" in self.modules:
            _join_at_exit()
        return self

    def undo(self) -> None:
        """Take it back, unless another patch wants it; a second call does nothing."""
        with _changing:
            if self._applied:
                self._applied = False
                for name in self.modules:
                    for part in _PARTS[name]:
                        part.undo()

    def __enter__(self) -> "Patch":
        return self.apply()

    def __exit__(self, *exc: object) -> None:
        self.undo()

    def __repr__(self) -> str:
        state = "applied" if self._applied else "not applied"
        return f"<Patch of {', '.join(self.modules)}: {state}>"


@cache
def _join_at_exit() -> None:
    atexit.register(threads.join_at_exit)


def patched(*modules: str) -> Patch:
    """Patch these modules for a ``with`` block; ValueError for other names."""
    return Patch(modules)


def patch_all() -> Patch:
    """Patch all of `MODULES` at once, until ``undo()`` of the result."""
    return Patch(MODULES).apply()
