"""A hub whose clock jumps to the next timer as soon as everybody waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hub.current import get_hub_if_any, set_hub
from hub.hub import Hub
from hub.loop import Loop
from hub.poller import Callback, EpollPoller

START = 1_000_000.0


class _JumpingPoller(EpollPoller):
    """Polls without waiting; what would have been waited for is added to the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START

    def poll(self, timeout: float | None, schedule: Callable[[Callback], object]) -> None:
        self.now += timeout or 0.0
        super().poll(0.0, schedule)


@contextmanager
def virtual_time() -> Iterator[Callable[[], float]]:
    """A hub of its own for the block; gives its clock, which serves as wall clock as well."""
    before = get_hub_if_any()
    set_hub(None)
    poller = _JumpingPoller()
    hub = Hub(Loop(lambda: poller.now, poller))
    set_hub(hub)
    try:
        yield lambda: poller.now
    finally:
        hub.destroy()
        set_hub(before)
