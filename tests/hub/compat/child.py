"""Run one test module in this process and write how each of its tests ended.

    python -m tests.hub.compat.child SIDE MODULE RESULT [LEFT_OUT ...]

SIDE: ``hub`` or ``gevent``. MODULE: ``gevent.tests.test__queue``, ``test.test_queue``. RESULT: a
file that gets one line of JSON a test, as it ends, so that what was known before a test that
hangs is not lost. LEFT_OUT: tests that shall not even start.
"""

import importlib
import json
import os
import sys
import unittest
from typing import Any, TextIO

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Outcomes(unittest.TestResult):
    """Writes each test's name and how it ended."""

    def __init__(self, stream: TextIO, prefix: str) -> None:
        super().__init__()
        self._stream = stream
        self._prefix = prefix
        self._told: dict[str, str] = {}

    def _name(self, test: Any) -> str:
        name: str = getattr(test, "test_case", test).id()
        return name.removeprefix(self._prefix)

    def _write(self, test: Any, outcome: str, text: str = "") -> None:
        line = {"test": self._name(test), "outcome": outcome, "text": text}
        print(json.dumps(line), file=self._stream, flush=True)

    def startTest(self, test: Any) -> None:
        self._write(test, "started")
        super().startTest(test)

    def addSuccess(self, test: Any) -> None:
        self._write(test, PASSED)

    def addError(self, test: Any, err: Any) -> None:
        self._write(test, FAILED, self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

    addFailure = addError

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.addError(test, err)

    def addSkip(self, test: Any, reason: str) -> None:
        self._write(test, SKIPPED, reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self._write(test, PASSED)

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._write(test, FAILED, "unexpected success")


def chosen(suite: Any, prefix: str, left_out: set[str]) -> unittest.TestSuite:
    """``suite`` without those left out."""
    kept = unittest.TestSuite()
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            kept.addTest(chosen(each, prefix, left_out))
        elif each.id().removeprefix(prefix) not in left_out:
            kept.addTest(each)
    return kept


def prepare(side: str, module: str) -> None:
    """Put the modules of ``side`` in place."""
    if side == "hub":
        from tests.hub.compat import alias, twins

        alias.install()
        if not module.startswith("gevent."):
            twins.replace()
    elif not module.startswith("gevent."):
        from gevent import monkey

        monkey.patch_all()


def main(side: str, module: str, result: str, *left_out: str) -> None:
    """See the module's docstring."""
    prepare(side, module)
    sys.argv[1:] = []
    if module.startswith("test."):
        from test import support

        support.use_resources = []
    prefix = f"{module}."
    with open(result, "w", encoding="utf-8") as stream:
        loaded = importlib.import_module(module)
        suite = unittest.defaultTestLoader.loadTestsFromModule(loaded)
        chosen(suite, prefix, set(left_out)).run(Outcomes(stream, prefix))
        print(json.dumps({"test": "", "outcome": "end", "text": ""}), file=stream, flush=True)
    os._exit(0)  # threads and greenlets that a test left behind are not waited for


if __name__ == "__main__":
    main(*sys.argv[1:])
