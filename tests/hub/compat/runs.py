"""Starting child.py, and what came out of it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from tests.helpers.paths import ROOT
from tests.hub.compat.child import FAILED

HUNG = "hung"

_ROOT = ROOT
# Made once, because modules run in threads here, and pytest changes the environment
# with each test.
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(_ROOT)}
_ONE_TEST = 15.0  # seconds, gevent's own on slow machines
_ONE_MODULE = 150.0


class Outcomes(dict[str, str]):
    """Test name: how it ended. ``texts``: why those that failed did; ``dropped``: not
    started."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.dropped: set[str] = set()
        self.complete = False

    def take(self, line: str) -> None:
        """One line that the child wrote."""
        said = json.loads(line)
        name, outcome = said["test"], said["outcome"]
        if outcome == "end":
            self.complete = True
            self.dropped = set(said["dropped"])
        elif outcome == "started":
            self[name] = HUNG  # until it says otherwise
        elif (
            self.get(name) != FAILED
        ):  # a failed subtest or thread is not mended by the rest
            self[name] = outcome
        if outcome == FAILED:
            self.texts[name] = said["text"]

    def named(self, outcome: str) -> set[str]:
        """The tests that ended so."""
        return {name for name, ended in self.items() if ended == outcome}


def run(
    side: str,
    module: str,
    left_out: Collection[str] = (),
    only: Collection[str] = (),
    patience: float = 1.0,
) -> Outcomes:
    """The tests of ``module`` on ``side``, in a process and a working directory of its
    own; ``patience`` times as long as usual."""
    outcomes = Outcomes()
    # CPython's tests write where they are, up to 10 MB, and leave it there when they
    # are ended.
    with tempfile.TemporaryDirectory(prefix="compat-") as folder:
        result = Path(folder, "result.json")
        result.touch()
        order: dict[str, object] = {
            "side": side,
            "module": module,
            "result": str(result),
        }
        order |= {"left_out": sorted(left_out), "only": sorted(only)}
        order |= {"limit": _ONE_TEST * patience}
        said = _child(json.dumps(order), folder, _ONE_MODULE * patience)
        for line in result.read_text(encoding="utf-8").splitlines():
            outcomes.take(line)
    if not outcomes.complete:
        outcomes.texts[""] = f"{module} did not come to its end: {said[-4000:]}"
    return outcomes


def _child(order: str, folder: str, limit: float) -> str:
    """Have child.py carry out ``order`` in ``folder``; what it wrote to standard
    error."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.hub.compat.child"],
            input=order,
            text=True,
            cwd=folder,
            env={**_ENVIRONMENT, "TMPDIR": folder},
            timeout=limit,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return str(error)
    return done.stderr
