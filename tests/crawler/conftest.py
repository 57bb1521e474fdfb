"""Fixtures for the tests of the crawler."""

from collections.abc import Iterator

import pytest

from hub.testing import VirtualClock, virtual_time
from tests.helpers.crawling import serve
from tests.helpers.simulated_hosts import START

__all__ = ["clock", "serve"]


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    """Virtual time, from START on."""
    with virtual_time(START) as clock:
        yield clock
