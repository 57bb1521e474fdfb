"""A crawl of several processes at a limit: what it says, and when it is restarted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from crawler.cli import run
from tests.helpers.machines import Machines
from tests.helpers.many_hosts import ManyHosts

QUOTA = 400_000


@pytest.fixture
def site() -> Iterator[ManyHosts]:
    site = ManyHosts(hosts=12, pages=3000, filler=4000)
    yield site
    site.stop()


def pages(machines: Machines) -> int:
    return sum(n for key, n in machines.endings().items() if key[0] == "page")


def test_machines_that_have_reached_the_quota(site, tmp_path, valkey_process, capsys):
    """The exchange knows what their folders have, and a restart fetches nothing."""
    valkey_process.command("FLUSHALL")
    machines = Machines(site, tmp_path, valkey_process, 2)
    status = ["status", "--exchange", valkey_process.address("crawl")]
    machines.begin(2, "--quota", str(QUOTA), "-w", "0.1")
    try:
        assert machines.wait() == [0, 0]
        assert run([*status, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["counts"]["pages"] == pages(machines)
        requests = len(site.requested)
        machines.start()
        assert machines.wait() == [0, 0]
        assert len(site.requested) == requests
    finally:
        machines.stop()
