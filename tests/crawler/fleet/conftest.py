"""A server of Valkey for the tests that need one, and a crawl there named `news`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from crawler.fleet.address import parse_address
from crawler.fleet.valkey_server import ValkeyServer
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


@pytest.fixture
def address(valkey_process: ValkeyProcess) -> str:
    valkey_process.command("FLUSHALL")
    return valkey_process.address("news")


@pytest.fixture
def server(address: str) -> Iterator[ValkeyServer]:
    server = ValkeyServer(parse_address(address, {}))
    yield server
    server.close()
