"""Checks for tests: blocks that must not wait, or must leave nothing behind."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hub.current import get_hub
from hub.errors import NoSwitchError
from hub.introspect import greenlets_of
from hub.noswitch import no_switch

__all__ = ["ResourceCounts", "assert_no_switch", "count_resources", "no_leaks"]


@contextmanager
def assert_no_switch() -> Iterator[None]:
    """As `no_switch`, but raise AssertionError if the block waits."""
    try:
        with no_switch():
            yield
    except NoSwitchError as error:
        raise AssertionError("the block waited, and others may have run") from error


@dataclass(frozen=True)
class ResourceCounts:
    """Greenlets, timers and ready callbacks of a hub; descriptors of the process."""

    greenlets: int
    timers: int
    callbacks: int
    descriptors: int


def count_resources() -> ResourceCounts:
    """Collect garbage, then count what this thread's hub and the process hold."""
    gc.collect()
    hub = get_hub()
    loop = hub.loop
    return ResourceCounts(
        greenlets=len(greenlets_of(hub)),
        timers=len(loop.timers),
        callbacks=len(loop.ready),
        descriptors=len(os.listdir("/proc/self/fd")),
    )


@contextmanager
def no_leaks() -> Iterator[None]:
    """Raise AssertionError if the block leaves more or fewer resources than before.

    Resources: greenlets, timers, callbacks, descriptors. Greenlets that were killed or
    asked to end get one turn of the loop to do so.
    """
    before = count_resources()
    yield
    get_hub().join(timeout=0)
    after = count_resources()
    assert after == before, f"left over: before {before}, after {after}"
