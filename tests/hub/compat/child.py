"""Run one test module in this process, and write how each of its tests ended.

runs.py starts it with a JSON object on standard input: ``library`` (``hub`` or
``gevent``); ``module`` (``gevent.tests.test__queue``, ``test.test_queue``);
``left_out`` and ``only``, the tests that must not start or that alone start; ``limit``,
seconds for one test, after which the process ends; ``result``, a file that gets one
line of JSON for each test as it ends, so that a test that hangs does not lose the
others' results.
"""

import faulthandler
import importlib
import json
import os
import sys
import unittest
from collections.abc import Iterator
from contextlib import nullcontext
from time import monotonic
from typing import Any, TextIO

from test import support

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Outcomes(unittest.TestResult):
    """Writes each test's name and how it ended."""

    def __init__(self, stream: TextIO, prefix: str, limit: float) -> None:
        super().__init__()
        self._stream = stream
        self._prefix = prefix
        self._limit = limit
        self._written: dict[str, str] = {}

    def _name(self, test: Any) -> str:
        name: str = getattr(test, "test_case", test).id()
        return name.removeprefix(self._prefix)

    def _write(self, test: Any, outcome: str, text: str = "") -> None:
        line = {
            "test": self._name(test),
            "outcome": outcome,
            "text": text,
            "at": monotonic(),
        }
        print(json.dumps(line), file=self._stream, flush=True)

    def startTest(self, test: Any) -> None:
        faulthandler.dump_traceback_later(self._limit, exit=True)
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


def single(suite: Any) -> Iterator[unittest.TestCase]:
    """The tests of ``suite``, one by one."""
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from single(each)
        else:
            yield each


def prepare_stdlib_tests() -> None:
    """Make the changes that gevent's own runner of these tests makes, too.

    No fresh copies of modules, and no counts of threads.
    """
    from test.support import import_helper, threading_helper

    support.use_resources = ["network"]
    support.verbose = False
    import_helper.import_fresh_module = lambda name, *rest, **more: (
        importlib.import_module(name)
    )
    threading_helper.threading_setup = lambda: ()
    threading_helper.threading_cleanup = lambda *values: None
    threading_helper.wait_threads_exit = lambda timeout=None: nullcontext()


def prepare(library: str, module: str) -> None:
    """Put the modules of ``library`` in place."""
    if library == "hub":
        from tests.hub.compat import alias, stdlib

        alias.install()
        if not module.startswith("gevent."):
            stdlib.replace()
    elif not module.startswith("gevent."):
        from gevent import monkey

        monkey.patch_all()


def main(
    library: str,
    module: str,
    result: str,
    left_out: list[str],
    only: list[str],
    limit: float,
) -> None:
    """See the module's docstring."""
    prepare(library, module)
    if module.startswith("test."):
        prepare_stdlib_tests()
    prefix = f"{module}."

    def wanted(name: str) -> bool:
        name = name.removeprefix(prefix)
        return name in only if only else name not in left_out

    with open(result, "w", encoding="utf-8") as stream:
        loaded = importlib.import_module(module)
        tests = list(single(unittest.defaultTestLoader.loadTestsFromModule(loaded)))
        dropped = [
            test.id().removeprefix(prefix) for test in tests if not wanted(test.id())
        ]
        unittest.TestSuite(test for test in tests if wanted(test.id())).run(
            Outcomes(stream, prefix, limit)
        )
        print(
            json.dumps({"test": "", "outcome": "end", "dropped": dropped}), file=stream
        )
    os._exit(0)  # threads and greenlets that a test left behind are not waited for


if __name__ == "__main__":
    main(**json.load(sys.stdin))
