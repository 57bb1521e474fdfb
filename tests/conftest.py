"""Fixtures for all tests, and the same examples in every run."""

import gc
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from hub.testing import SteadyClock, steady_time
from tests.site.fixtures import (
    authority,
    ca_file,
    running_site,
    running_tls_site,
    site,
    tls_site,
)

__all__ = [
    "authority",
    "ca_file",
    "running_site",
    "running_tls_site",
    "site",
    "tls_site",
]

# A loaded machine is not a failure, and a failure must be reproducible.
settings.register_profile(
    "orbweb",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("orbweb")


# A shell script that runs `pytest &` has it ignore Ctrl-C, and so would every program
# that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def steady() -> Iterator[SteadyClock]:
    """Give tests without a hub of their own one whose time-outs ignore stalls."""
    with steady_time() as clock:
        yield clock


@pytest.fixture(scope="module", autouse=True)
def frozen() -> None:
    """Spare the collector what others have left.

    The tests that were collected, and the modules that were read, stay for good: some
    hundred megabytes, which each full collection would look through.
    """
    gc.freeze()
