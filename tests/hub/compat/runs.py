"""Starts child.py and reads its results."""

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
    """Test name: how it ended.

    ``texts``: why a test failed; ``dropped``: the tests that were not started.
    """

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.dropped: set[str] = set()
        self.complete = False

    def take(self, line: str) -> None:
        """Read one line that the child wrote."""
        event = json.loads(line)
        name, outcome = event["test"], event["outcome"]
        if outcome == "end":
            self.complete = True
            self.dropped = set(event["dropped"])
        elif outcome == "started":
            self[name] = HUNG  # until its outcome comes
        elif self.get(name) != FAILED:  # a failed subtest or thread stays a failure
            self[name] = outcome
        if outcome == FAILED:
            self.texts[name] = event["text"]

    def named(self, outcome: str) -> set[str]:
        """The tests that ended with ``outcome``."""
        return {name for name, ended in self.items() if ended == outcome}


def run(
    library: str,
    module: str,
    left_out: Collection[str] = (),
    only: Collection[str] = (),
    slowness: float = 1.0,
) -> Outcomes:
    """Run the tests of ``module`` on ``library``, in a process and folder of their own.

    All limits are ``slowness`` times the usual ones.
    """
    outcomes = Outcomes()
    # CPython's tests write where they are, up to 10 MB, and leave it there when they
    # are ended.
    with tempfile.TemporaryDirectory(prefix="compat-") as folder:
        result = Path(folder, "result.json")
        result.touch()
        job: dict[str, object] = {
            "library": library,
            "module": module,
            "result": str(result),
        }
        job |= {"left_out": sorted(left_out), "only": sorted(only)}
        job |= {"limit": _ONE_TEST * slowness}
        stderr = _child(json.dumps(job), folder, _ONE_MODULE * slowness)
        for line in result.read_text(encoding="utf-8").splitlines():
            outcomes.take(line)
    if not outcomes.complete:
        outcomes.texts[""] = f"{module} did not come to its end: {stderr[-4000:]}"
    return outcomes


def _child(job: str, folder: str, limit: float) -> str:
    """Run child.py in ``folder`` with ``job`` as its input.

    Return its standard error.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.hub.compat.child"],
            input=job,
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
