"""What the greenlets of a hub wait for, read off their stacks.

Nothing is recorded while greenlets run: a waiting one stands in `Waiter.get`, and the
frames around it hold the waiter, the watcher or the queue as locals. Looking is slow;
not looking is free.
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
    """What a greenlet waits for: ``kind`` is the call (``Queue.get``, ``sleep``,
    ``read``), ``subject`` shows the object or descriptor, ``since`` is by the loop's
    clock, ``place`` is the line outside the hub that made the call."""

    kind: str
    subject: str
    since: float
    place: str

    def __str__(self) -> str:
        return f"waits for {self.kind}{self.subject and ' of '}{self.subject} at {self.place}"


def greenlets_of(hub: greenlet) -> list[greenlet]:
    """The greenlets of the hub's thread that have begun and not ended, the main one
    first."""
    everything = (thing for thing in gc.get_objects() if isinstance(thing, greenlet))
    mine = [g for g in everything if greenlet.__bool__(g) and _belongs(g, hub)]
    mine.sort(key=lambda g: g is not hub.parent)
    return mine


def _belongs(target: greenlet, hub: greenlet) -> bool:
    """Whether it would end into ``hub``, or into its main greenlet without a hub in
    between."""
    node: greenlet | None = target
    while node is not None and node is not hub.parent and type(node) is not type(hub):
        node = node.parent
    return target is not hub and (node is hub or node is hub.parent)


def wait_of(target: greenlet) -> Wait | None:
    """What ``target`` waits for; None if it runs, or does not stand in a wait of the
    hub."""
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
    """One call on the way to the wait; the outermost that says anything is what
    counts."""
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
    """Whether it is the hub's code; `Greenlet.run` is where a greenlet's own begins."""
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return package == __package__ and frame.f_code.co_name != "run"


def _place(frame: FrameType) -> str:
    entry = traceback.extract_stack(frame, limit=1)[0]
    return f"{entry.filename}:{entry.lineno} in {entry.name}"


def describe_greenlets(hub: "Hub") -> str:
    """The text of a LoopExit."""
    lines = [
        "nothing can happen any more: no callback, timer, descriptor or thread is left"
    ]
    for target in greenlets_of(hub):
        name = "the main greenlet" if target is hub.parent else repr(target)
        lines.append(f"  {name} {wait_of(target) or 'does not wait in the hub'}")
    return "\n".join(lines)
