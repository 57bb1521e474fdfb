"""What the greenlets of a hub wait for, read from their stacks.

Nothing is recorded while greenlets run. A waiting greenlet is in `Waiter.get`, and the
frames around that call hold the waiter, the watcher or the queue as local variables. So
a look is slow, and costs nothing until it is made.
"""

import gc
import traceback
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from greenlet import greenlet

from hub.waiter import Waiter

if TYPE_CHECKING:
    from hub.hub import Hub

__all__ = ["Wait", "describe_greenlets", "greenlets_of", "wait_of"]

_PARKED = Waiter.get.__code__


@dataclass(frozen=True)
class Wait:
    """What a greenlet waits for.

    ``kind`` is the call (``Queue.get``, ``sleep``, ``read``), ``subject`` shows the
    object or descriptor, ``since`` is when it began (s, the loop's clock), ``place`` is
    the line outside the hub that made the call.
    """

    kind: str
    subject: str
    since: float
    place: str

    def __str__(self) -> str:
        subject = self.subject and f" of {self.subject}"
        return f"waits for {self.kind}{subject} at {self.place}"


def greenlets_of(hub: greenlet) -> list[greenlet]:
    """Return the greenlets of the hub's thread that run or wait, the main one first.

    After gc.freeze() those that were there before are not found, but for the main one.
    """
    assert hub.parent is not None  # only a main greenlet has no parent
    everything = (thing for thing in gc.get_objects() if isinstance(thing, greenlet))
    mine = [g for g in everything if greenlet.__bool__(g) and _belongs(g, hub)]
    return [hub.parent, *(g for g in mine if g is not hub.parent)]


def _belongs(target: greenlet, hub: greenlet) -> bool:
    """Whether ``target`` ends into ``hub``, or directly into its main greenlet."""
    node: greenlet | None = target
    while node is not None and node is not hub.parent and type(node) is not type(hub):
        node = node.parent
    return target is not hub and (node is hub or node is hub.parent)


def wait_of(target: greenlet) -> Wait | None:
    """Return what ``target`` waits for; None if it runs, or waits outside the hub."""
    frame = target.gr_frame
    while frame is not None and frame.f_code is not _PARKED:
        frame = frame.f_back
    if frame is None:
        return None
    waiter = frame.f_locals["self"]
    kind, subject = "a switch", ""
    caller = frame.f_back
    while caller is not None and _is_hub_code(caller):
        kind, subject = _call_of(caller) or (kind, subject)
        frame, caller = caller, caller.f_back
    return Wait(kind, subject, waiter.since, _place(caller or frame))


def _call_of(frame: FrameType) -> tuple[str, str] | None:
    """Name the call of one frame on the way to the wait; the outermost name counts."""
    name = frame.f_code.co_name
    if name == "sleep":
        return "sleep", f"{frame.f_locals['seconds']} s"
    if "watcher" in frame.f_locals:
        watcher = frame.f_locals["watcher"]
        return getattr(watcher, "name", type(watcher).__name__), repr(watcher)
    subject = frame.f_locals.get("self")
    if subject is None or isinstance(subject, Waiter) or name.startswith("_"):
        return None
    return f"{type(subject).__name__}.{name}", repr(subject)


def _is_hub_code(frame: FrameType) -> bool:
    """Whether a frame runs the hub's code; `Greenlet.run` calls other code."""
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return package == __package__ and frame.f_code.co_name != "run"


def _place(frame: FrameType) -> str:
    entry = traceback.extract_stack(frame, limit=1)[0]
    return f"{entry.filename}:{entry.lineno} in {entry.name}"


def describe_greenlets(hub: "Hub") -> str:
    """Return the text of a LoopExit."""
    lines = [
        "nothing can happen any more: no callback, timer, descriptor or thread is left"
    ]
    for target in greenlets_of(hub):
        name = "the main greenlet" if target is hub.parent else repr(target)
        lines.append(f"  {name} {wait_of(target) or 'does not wait in the hub'}")
    return "\n".join(lines)
