"""A crawl of several processes at a limit: what it says, and when it is restarted."""

from __future__ import annotations

import json
import shlex
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


def shown(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """What a command prints."""
    assert run([*command]) == 0
    return capsys.readouterr().out


def test_machines_that_have_reached_the_quota(site, tmp_path, valkey_process, capsys):
    """The exchange knows what their folders have, and a restart fetches nothing.

    The command that is shown raises the limit beyond what all have used.
    """
    valkey_process.command("FLUSHALL")
    machines = Machines(site, tmp_path, valkey_process, 2)
    address = valkey_process.address("crawl")
    status = ["status", "--exchange", address]
    machines.begin(2, "--quota", str(QUOTA), "-w", "0.1")
    try:
        assert machines.wait() == [0, 0]
        told = json.loads(shown(capsys, *status, "--json"))
        assert told["counts"]["pages"] == pages(machines)
        requests = len(site.requested)
        machines.start()
        assert machines.wait() == [0, 0]
        assert len(site.requested) == requests

        raising = told["next_command"]
        assert raising.startswith(f"orbweb crawl --exchange {address} --quota ")
        text = shown(capsys, *status)
        assert f"`{raising}` raises it, and `orbweb work DIR --exchange" in text
        for folder in map(str, machines.folders):
            work = f"orbweb work {folder} --exchange {address}"
            text = shown(capsys, "status", folder, "--why")
            assert f"`{raising}` raises it, and `{work}` continues then" in text
            assert "orbweb resume" not in text
        assert run(shlex.split(raising)[1:]) == 0
        assert (
            f"`orbweb work DIR --exchange {address}` takes" in capsys.readouterr().err
        )
        assert json.loads(shown(capsys, *status, "--json"))["next_command"] is None
    finally:
        machines.stop()
