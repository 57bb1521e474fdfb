"""Names the call that keeps the loop from polling, for the watchdog.

Reads the stack of a thread that is running. It looks at local variables and at the
dictionaries of objects, and runs no code of theirs.
"""

import linecache
import re
import select
import selectors
import socket
import subprocess  # nosec B404  # only its names are compared
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from queue import SimpleQueue
from types import FrameType, ModuleType
from typing import Any

__all__ = ["describe_call"]

_FUNCTIONS = {
    "time": {"sleep"},
    "select": {"select"},
    "socket": {
        "getaddrinfo",
        "gethostbyaddr",
        "gethostbyname",
        "gethostbyname_ex",
        "getnameinfo",
    },
}
"""Blocking functions in C, by what `hub.patched` calls their module."""

_CLASSES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (socket.socket, "socket"),
    ((select.epoll, type(select.poll())), "select"),
    (selectors.BaseSelector, "select"),
    ((type(threading.Lock()), type(threading.RLock())), "threading"),
    ((threading.Condition, threading.Event, threading.Thread), "threading"),
    (SimpleQueue, "queue"),
    (subprocess.Popen, "subprocess"),
)

_FRAMES = {"socket", "ssl", "select", "threading", "queue", "subprocess"}
"""Modules whose code calls blocking functions; the outermost of them counts."""

_NEEDED = {"ssl": ("socket", "ssl")}

_CALL = re.compile(r"([A-Za-z_][\w.]*)\(")
_MAX_TEXT = 80  # characters of a call that are shown


def describe_call(frame: FrameType | None) -> str:
    """Return a sentence on what the thread with this frame does, and what helps."""
    frames = list(_outward(frame))
    if not frames:
        return "it has no Python code."
    theirs = [each for each in frames if not _is_standard(each)]
    outer = theirs[0] if theirs else frames[-1]
    text = f"it is in {_text(frames[0])}"
    if outer is not frames[0]:
        text += f", called by {_text(outer)}"
    text += f" at {outer.f_code.co_filename}:{outer.f_lineno} in {outer.f_code.co_name}"
    name = _module_of_stack(frames) or _module_of_call(frames[0])
    if name is None:
        return f"{text}; work that computes or blocks belongs in a hub.threadpool."
    names = ", ".join(f'"{each}"' for each in _NEEDED.get(name, (name,)))
    return (
        f"{text}; inside `with hub.patched({names}):` it lets others run (hub.patch)."
    )


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _is_standard(frame: FrameType) -> bool:
    name = _module(frame)
    return name != "__main__" and name.partition(".")[0] in sys.stdlib_module_names


def _module_of_stack(frames: list[FrameType]) -> str | None:
    found = None
    for frame in frames:
        if not _is_standard(frame):
            break
        name = _module(frame)
        name = "select" if name == "selectors" else name
        found = name if name in _FRAMES else found
    return found


def _text(frame: FrameType) -> str:
    """The source of the call that the frame is in; its line if that is unknown."""
    code = frame.f_code
    position = next(islice(code.co_positions(), frame.f_lasti // 2, None), None)
    line, end, column, end_column = position or (None,) * 4
    if line is None or end is None or column is None or end_column is None:
        source = linecache.getline(code.co_filename, frame.f_lineno)
    else:
        lines = [
            linecache.getline(code.co_filename, number).encode()
            for number in range(line, end + 1)
        ]
        lines[-1] = lines[-1][:end_column]
        lines[0] = lines[0][column:]
        source = b"".join(lines).decode(errors="replace")
    source = " ".join(source.split()) or f"{code.co_name}()"
    short = source if len(source) <= _MAX_TEXT else f"{source[:_MAX_TEXT]}..."
    return f"`{short}`"


def _module_of_call(frame: FrameType) -> str | None:
    """What the called object of the innermost frame belongs to, if it is known."""
    match = _CALL.match(_text(frame).strip("`"))
    if match is None:
        return None
    first, *attributes = match[1].split(".")
    value = frame.f_locals.get(first, frame.f_globals.get(first))
    for attribute in attributes:
        for kind, name in _CLASSES:
            if isinstance(value, kind):
                return _kind(value, name)
        value = _attribute(value, attribute)
    module = str(getattr(value, "__module__", "")).lstrip("_")
    known = _FUNCTIONS.get(module, set())
    return module if getattr(value, "__name__", None) in known else None


def _kind(value: Any, name: str) -> str:
    tls = sys.modules.get("ssl")
    return "ssl" if tls is not None and isinstance(value, tls.SSLSocket) else name


def _attribute(value: Any, name: str) -> Any:
    """An attribute, without running code: of a module, or of an object's dictionary."""
    if isinstance(value, ModuleType):
        return vars(value).get(name)
    try:
        return object.__getattribute__(value, "__dict__").get(name)
    except AttributeError:
        return None
