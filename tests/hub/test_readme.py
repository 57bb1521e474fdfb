"""The examples of hub/README.md run, and its table names every file."""

import re

import pytest

from tests.helpers.paths import ROOT

TEXT = (ROOT / "hub" / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 7


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_example_runs(example: str) -> None:
    exec(compile(example, "hub/README.md", "exec"), {"__name__": "example"})


def test_every_file_is_in_the_table() -> None:
    table = TEXT.partition("## The files")[2].partition("## ")[0]
    files = {path.stem for path in (ROOT / "hub").glob("*.py")} - {"__init__"}
    files |= {"testing"}
    assert files == set(re.findall(r"`([a-z]+)`", table)) - {"pyproject", "waiter.py"}


def test_the_functions_named_in_the_walk_exist() -> None:
    import hub.hub
    import hub.loop
    import hub.poller
    import hub.socketobject
    import hub.waiter

    assert hub.socketobject.socket._wait_readable
    assert hub.hub.Hub.wait
    assert hub.waiter.Waiter.get
    assert hub.loop.Loop.turn
    assert hub.loop.BUDGET == 100
    assert hub.poller.EpollPoller.take
