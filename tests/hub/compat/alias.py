"""The hub under gevent's names.

After `install`, ``import gevent`` gives the hub. Only these parts of the real package
are loaded: its tests, its test support, and modules that are plain Python on top of the
hub and not under test (``gevent.server``, ``gevent.pywsgi``...).

What is not as a user of the hub finds it: the hub is an `AliasHub`; `patches` lists the
names that are added or replaced in the hub's modules; the modules that `_modules` makes
have no more than other names for what the hub has; the loop's callbacks are declared to
implement gevent's interface, which the tests then verify.
"""

import gc
import importlib.machinery
import importlib.util
import os
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import greenlet

import hub
import hub.current
import hub.errors
import hub.greenlet
import hub.links
import hub.loop
import hub.timeout
import hub.watchers
from hub.hub import Hub
from tests.hub.compat import stdlib

_REAL = (
    "gevent._compat",
    "gevent._config",
    "gevent._interfaces",
    "gevent._util",
    "gevent.baseserver",
    "gevent.events",
    "gevent.pywsgi",
    "gevent.selectors",
    "gevent.server",
    "gevent.testing",
    "gevent.tests",
    "gevent.util",
)


class _OnlyTests:
    """Finds the real modules named in _REAL, and refuses the rest of gevent."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith("gevent."):
            return None
        if any(name == real or name.startswith(f"{real}.") for real in _REAL):
            return importlib.machinery.PathFinder.find_spec(name, path)
        raise ModuleNotFoundError(f"{name} has no counterpart in the hub", name=name)


class AliasHub(Hub):
    """The hub with a few more names that gevent's test support overrides or calls."""

    name = ""
    wait = Hub.wait_for_watcher

    def _normalize_exception(
        self, kind: Any, value: Any, trace: Any
    ) -> tuple[Any, Any, Any]:
        if isinstance(value, type):
            value = value()
        return kind, value, trace

    @property
    def threadpool(self) -> Any:
        return self.service(hub.threadpool.ThreadPool)

    def destroy(self, destroy_loop: bool = True) -> None:
        super().destroy()


class AliasWaiter(hub.Waiter):
    """A Waiter with gevent's name for `resume`."""

    __slots__ = ()

    switch = hub.Waiter.resume


_hub_class: type[Hub] = AliasHub


def _set_default_hub_class(kind: type[Hub]) -> None:
    global _hub_class
    _hub_class = kind
    hub.current.set_hub_factory(kind)


class _NoTimeout:
    """Takes the place of gevent's limit on each test: child.py has its own."""

    def __init__(self, *args: object) -> None: ...

    def __enter__(self) -> "_NoTimeout":
        return self

    def __exit__(self, *exc: object) -> None: ...


def _made(name: str, **names: Any) -> types.ModuleType:
    module = types.ModuleType(f"gevent.{name}")
    vars(module).update(names)
    return module


def _accept_ref(method: Callable[..., Any]) -> Callable[..., Any]:
    def accepting(
        *args: Any, ref: bool = True, priority: int = -1, **kwargs: Any
    ) -> Any:
        return method(*args, **kwargs)

    return accepting


class _Saved(dict[str, dict[str, Any]]):
    """monkey.saved: which modules have been patched."""


_patched: set[str] = set()


def _patch(*names: str) -> Callable[..., None]:
    def patch(*args: object, **kwargs: object) -> None:
        _patched.update(names)
        stdlib.replace()

    return patch


def _get_original(module: str, name: Any) -> Any:
    original = _ORIGINALS[module]
    if isinstance(name, str):
        return getattr(original, name)
    return [getattr(original, each) for each in name]


_ORIGINALS = {
    name: importlib.import_module(name)
    for name in (*stdlib.REPLACEMENTS, "os", "sys", "signal", "subprocess")
}


def _monkey() -> types.ModuleType:
    parts = (
        "socket",
        "ssl",
        "select",
        "selectors",
        "thread",
        "time",
        "queue",
        "os",
        "signal",
    )
    every = {*parts, "threading", "_thread"}
    patches = {
        f"patch_{part}": _patch(part) for part in (*parts, "sys", "subprocess", "dns")
    }
    return _made(
        "monkey",
        patch_all=_patch(*every),
        get_original=_get_original,
        is_module_patched=lambda name: name in _patched,
        is_object_patched=lambda module, name: module in _patched,
        is_anything_patched=lambda: bool(_patched),
        saved=_Saved(),
        **patches,
    )


def _core() -> types.ModuleType:
    return _made(
        "core",
        loop=hub.loop.Loop,
        READ=hub.loop.READ,
        WRITE=hub.loop.WRITE,
        callback=hub.watchers.Callback,
        time=_ORIGINALS["time"].monotonic,
    )


def _hub_module() -> types.ModuleType:
    names = {name: getattr(hub, name) for name in hub.__all__}
    names |= {
        "Hub": AliasHub,
        "Waiter": AliasWaiter,
        "signal": hub.signal_handler,
    }
    return _made(
        "hub",
        **names,
        set_default_hub_class=_set_default_hub_class,
        _get_hub=hub.current.get_hub_if_any,
        _get_hub_noargs=hub.get_hub,
        reinit=lambda *args: None,
    )


def _os() -> types.ModuleType:
    return stdlib.module(
        "gevent.os", os, make_nonblocking=lambda fd: os.set_blocking(fd, False)
    )


def _hub_local() -> types.ModuleType:
    return _made(
        "_hub_local",
        get_hub=hub.get_hub,
        get_hub_if_exists=hub.current.get_hub_if_any,
        get_hub_noargs=hub.get_hub,
        get_hub_class=lambda: _hub_class,
        set_hub=hub.current.set_hub,
    )


def _exceptions() -> types.ModuleType:
    errors = {name: getattr(hub.errors, name) for name in hub.errors.__all__}
    return _made("exceptions", **errors)


def _greenlet_primitives() -> types.ModuleType:
    return _made(
        "_greenlet_primitives",
        get_reachable_greenlets=lambda: [
            thing for thing in gc.get_objects() if isinstance(thing, greenlet.greenlet)
        ],
    )


def _modules() -> dict[str, types.ModuleType]:
    return {
        "core": _core(),
        "event": hub.event,
        "exceptions": _exceptions(),
        "greenlet": hub.greenlet,
        "_greenlet_primitives": _greenlet_primitives(),
        "hub": _hub_module(),
        "_hub_local": _hub_local(),
        "local": hub.local,
        "os": _os(),
        "lock": hub.lock,
        "monkey": _monkey(),
        "pool": hub.pool,
        "queue": hub.queue,
        "select": hub.select,
        "signal": hub.signal,
        "socket": hub.socket,
        "ssl": hub.ssl,
        "thread": stdlib._thread,
        "threading": stdlib.threading,
        "threadpool": hub.threadpool,
        "time": stdlib.time,
        "timeout": hub.timeout,
    }


def _package(parts: dict[str, types.ModuleType]) -> types.ModuleType:
    spec = importlib.util.find_spec("gevent")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("gevent is not installed", name="gevent")
    package = types.ModuleType("gevent")
    package.__path__ = list(spec.submodule_search_locations)
    package.__file__ = os.path.join(package.__path__[0], "__init__.py")
    taken = {*parts, *(real.removeprefix("gevent.") for real in _REAL)}
    names = {name: getattr(hub, name) for name in hub.__all__ if name not in taken}
    vars(package).update(
        names,
        **parts,
        fork=os.fork,
        reinit=lambda: None,
        version_info=(26, 9, 0, "", 0),
    )
    return package


class Patch(NamedTuple):
    """A change of what the hub or gevent's test support has."""

    owner: Any
    name: str
    value: Any
    why: str


def patches() -> list[Patch]:
    """All changes that `install` makes, beside gevent's module names.

    stdlib.py names those that CPython's tests need, too.
    """
    limit: Any = hub.Timeout
    without_ref = "ref= and priority= are accepted, and have no effect"
    start_new = classmethod(_accept_ref(limit.start_new.__func__))
    functions = [
        name
        for name, value in vars(hub.socket).items()
        if isinstance(value, types.FunctionType)
        and name in _ORIGINALS["socket"].__all__
    ]
    return [
        Patch(limit, "__init__", _accept_ref(limit.__init__), without_ref),
        Patch(limit, "start_new", start_new, without_ref),
        Patch(limit, "_start_new_or_dummy", start_new, "gevent's private name"),
        Patch(hub.socket, "__implements__", functions, "which signatures are compared"),
        Patch(
            importlib.import_module("gevent.testing.testcase"),
            "TestTimeout",
            _NoTimeout,
            "child.py has a limit for each test",
        ),
    ]


def install() -> None:
    """Make ``gevent`` mean the hub from now on."""
    parts = _modules()
    package = _package(parts)
    sys.meta_path.insert(0, _OnlyTests())  # type: ignore[arg-type]
    sys.modules["gevent"] = package
    sys.modules.update({f"gevent.{name}": module for name, module in parts.items()})
    hub.current.set_hub_factory(AliasHub)
    package.config = importlib.import_module("gevent._config").config
    for patch in patches():
        setattr(patch.owner, patch.name, patch.value)
    zope: Any = importlib.import_module("zope.interface")
    interfaces = importlib.import_module("gevent._interfaces")
    zope.classImplements(hub.watchers.Callback, interfaces.ICallback)
