"""A server of Valkey for the tests that need one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.helpers.valkey import SERVER, ValkeyProcess


@pytest.fixture(scope="session")
def valkey_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    """A server of its own. Only where nothing is installed by CI, it may be missing."""
    if SERVER is None:
        assert not os.environ.get("CI"), "neither valkey-server nor redis-server"
        pytest.skip("neither valkey-server nor redis-server is installed")
    process = ValkeyProcess(tmp_path_factory.mktemp("valkey"))
    yield process
    process.kill()
