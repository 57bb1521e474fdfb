"""The examples of hub/README.md run, and its table agrees with the files."""

import re
import tomllib

import pytest

from tests.helpers.paths import ROOT

TEXT = (ROOT / "hub" / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
TABLE = TEXT.partition("## The files")[2].partition("\n## ")[0]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 12


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_example_runs(example: str) -> None:
    exec(compile(example, "hub/README.md", "exec"), {"__name__": "example"})


def test_every_file_is_in_the_tables_once() -> None:
    hub = ROOT / "hub"
    files = {
        str(path.relative_to(hub).with_suffix(""))
        for path in hub.rglob("*.py")
        if path.stem != "__init__"
    }
    packages = {str(path.parent.relative_to(hub)) for path in hub.glob("*/__init__.py")}
    named = re.findall(r"^\| (?:\d+ \| )?`([a-z/]+)` \|", TABLE, flags=re.MULTILINE)
    assert sorted(named) == sorted(files | packages)


def test_the_rungs_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    (rungs,) = (
        contract["layers"]
        for contract in contracts["importlinter"]["contracts"]
        if contract["id"] == "hub-rungs"
    )
    expected = {
        name: number
        for number, rung in enumerate(reversed(rungs), start=1)
        for name in rung.split(" | ")
    }
    rows = re.findall(r"^\| (\d+) \| `([a-z]+)` \|", TABLE, flags=re.MULTILINE)
    assert {name: int(number) for number, name in rows} == expected


def test_the_functions_named_in_the_walk_exist() -> None:
    import hub.hub
    import hub.loop
    import hub.poller
    import hub.socketobject
    import hub.sslsocket
    import hub.waiter

    assert hub.socketobject.socket.recv
    assert hub.socketobject.socket._wait_readable
    assert hub.sslsocket.SSLSocket._read_tls
    assert hub.hub.Hub.wait_for_watcher
    assert hub.waiter.Waiter.get
    assert hub.loop.Loop.turn
    assert hub.loop.MAX_CALLBACKS == 100
    assert hub.poller.EpollPoller.take
    assert hub.poller.Direction
    assert hub.poller.Registration
