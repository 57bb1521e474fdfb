"""What the greenlets of a hub wait for, read off their stacks.

Nothing is recorded while greenlets run: a waiting one stands in `Waiter.get`, and the frames
above it hold the waiter, the watcher or the queue as locals. Looking is slow, and free otherwise.
"""

import gc
import traceback
from types import FrameType

from greenlet import greenlet

from hub.waiter import Waiter

__all__ = ["describe_greenlets", "greenlets_of", "waits_for"]

_PARKED = Waiter.get.__code__


def greenlets_of(hub: greenlet) -> list[greenlet]:
    """The hub's thread's greenlets that have begun and not ended, the main one first."""
    main = hub.parent
    found = [
        thing
        for thing in gc.get_objects()
        if isinstance(thing, greenlet) and thing is not hub and (thing is main or bool(thing))
    ]
    mine = [g for g in found if g is main or _root(g) is main]
    mine.sort(key=lambda g: g is not main)
    return mine


def _root(start: greenlet) -> greenlet:
    while start.parent is not None:
        start = start.parent
    return start


def waits_for(target: greenlet) -> str:
    """One phrase: what ``target`` waits for and where, by its stack."""
    frame = target.gr_frame
    if frame is None:
        return "runs"
    while frame.f_back is not None and frame.f_code is not _PARKED:
        frame = frame.f_back
    if frame.f_code is not _PARKED:
        return f"switched away at {_place(target.gr_frame)}"
    return _phrase(frame)


def _phrase(parked: FrameType) -> str:
    """Walk from `Waiter.get` outwards: the first object that is not the hub's own is the answer."""
    kind = "a switch"
    frame: FrameType | None = parked
    while frame is not None and _is_ours(frame):
        subject = frame.f_locals.get("watcher") or frame.f_locals.get("self")
        name = frame.f_code.co_name
        if name == "sleep":
            kind = "sleep"
        elif subject is not None and not isinstance(subject, Waiter | greenlet):
            kind = f"{type(subject).__name__}.{name} of {subject!r}"
        elif isinstance(subject, greenlet) and name in ("join", "get"):
            kind = f"{name} of {subject!r}"
        frame = frame.f_back
    return f"waits for {kind} at {_place(frame or parked)}"


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "hub"


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return "an unknown place"
    entry = traceback.extract_stack(frame, limit=1)[0]
    return f"{entry.filename}:{entry.lineno} in {entry.name}"


def describe_greenlets(hub: greenlet) -> str:
    """The text of a LoopExit."""
    lines = ["nothing can happen any more: no callback, timer, descriptor or thread is left"]
    lines += [f"  {target!r} {waits_for(target)}" for target in greenlets_of(hub)]
    return "\n".join(lines)
