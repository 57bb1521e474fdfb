"""Starting child.py, and what came out of it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from tests.hub.compat.child import FAILED

HUNG = "hung"

_ROOT = Path(__file__).resolve().parents[3]
_LIMIT = 150.0  # seconds for one module; each test in it has its own limit


class Outcomes(dict[str, str]):
    """Test name: how it ended. ``texts``: why those that failed did."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.complete = False

    def take(self, line: str) -> None:
        """One line that the child wrote."""
        said = json.loads(line)
        name, outcome = said["test"], said["outcome"]
        if outcome == "end":
            self.complete = True
        elif outcome == "started":
            self[name] = HUNG  # until it says otherwise
        elif self.get(name) != FAILED:  # a failed subtest or thread is not mended by the rest
            self[name] = outcome
        if outcome == FAILED:
            self.texts[name] = said["text"]

    def named(self, outcome: str) -> set[str]:
        """The tests that ended so."""
        return {name for name, ended in self.items() if ended == outcome}


def run(
    side: str, module: str, left_out: Collection[str] = (), only: Collection[str] = ()
) -> Outcomes:
    """The tests of ``module`` on ``side``, in a process of its own."""
    outcomes = Outcomes()
    with tempfile.NamedTemporaryFile("r", suffix=".json") as result:
        order = {"side": side, "module": module, "result": result.name}
        order |= {"left_out": sorted(left_out), "only": sorted(only)}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tests.hub.compat.child"],
                input=json.dumps(order),
                text=True,
                cwd=_ROOT,
                timeout=_LIMIT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
            )
            said = done.stderr
        except subprocess.TimeoutExpired as error:
            said = str(error)
        for line in result:
            outcomes.take(line)
    if not outcomes.complete:
        outcomes.texts[""] = f"{module} did not come to its end: {said[-4000:]}"
    return outcomes
