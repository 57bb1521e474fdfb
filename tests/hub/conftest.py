"""Every test of the hub has a hub of its own, and must leave nothing behind in it."""

from collections.abc import Iterator

import pytest

from hub.hub import Hub
from hub.testing import VirtualClock, fresh_hub, virtual_time


@pytest.fixture(autouse=True)
def own_hub() -> Iterator[Hub]:
    with fresh_hub() as hub:
        yield hub
        hub.join(timeout=0)
        assert len(hub.loop.timers) == 0, "a timer is left over"
        assert not hub.loop.ready, "a callback is left over"
        assert not hub.loop.poller.waited_for(), (
            "a greenlet still waits for a descriptor"
        )
        assert hub.loop.external == 0, "a thread's work or a watcher is left over"


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    """Virtual time, for tests that must not depend on the machine's speed."""
    with virtual_time() as virtual:
        yield virtual
