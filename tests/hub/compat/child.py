"""Run one test module in this process and write how each of its tests ended.

    python -m tests.hub.compat.child SIDE MODULE RESULT [LEFT_OUT ...]

SIDE: ``hub`` or ``gevent``. MODULE: ``gevent.tests.test__queue``, ``test.test_queue``. RESULT: a
file that gets one line of JSON a test, as it ends, so that what was known before a test that
hangs is not lost. LEFT_OUT: tests that shall not even start.
"""

import faulthandler
import importlib
import json
import os
import signal
import sys
import threading
import unittest
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from time import monotonic
from typing import Any, TextIO

from test import support

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

LIMIT = 15.0  # seconds for one test; gevent's own limit is the same on slow machines


class Watchdog:
    """Interrupts a test that takes too long; ends the process if that does not help."""

    def __init__(self, interrupt: Callable[[], object]) -> None:
        self._interrupt = interrupt
        self._next_test = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            if self._next_test.wait(LIMIT):
                self._next_test.clear()
                continue
            self._interrupt()
            if not self._next_test.wait(LIMIT / 3):
                faulthandler.dump_traceback(all_threads=True)
                os._exit(1)

    def next_test(self) -> None:
        """A test begins."""
        self._next_test.set()


class Outcomes(unittest.TestResult):
    """Writes each test's name and how it ended."""

    def __init__(self, stream: TextIO, prefix: str, watchdog: Watchdog) -> None:
        super().__init__()
        self._watchdog = watchdog
        self._stream = stream
        self._prefix = prefix
        self._told: dict[str, str] = {}

    def _name(self, test: Any) -> str:
        name: str = getattr(test, "test_case", test).id()
        return name.removeprefix(self._prefix)

    def _write(self, test: Any, outcome: str, text: str = "") -> None:
        line = {"test": self._name(test), "outcome": outcome, "text": text, "at": monotonic()}
        print(json.dumps(line), file=self._stream, flush=True)

    def startTest(self, test: Any) -> None:
        self._watchdog.next_test()
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


def prepare_stdlib_tests() -> None:
    """What gevent's own runner of these tests does, too: no fresh copies of modules, no counting
    of threads."""
    from test.support import import_helper, threading_helper

    support.use_resources = []
    support.verbose = False
    import_helper.import_fresh_module = lambda name, *rest, **more: importlib.import_module(name)
    threading_helper.threading_setup = lambda: ()
    threading_helper.threading_cleanup = lambda *values: None
    threading_helper.wait_threads_exit = lambda timeout=None: nullcontext()


def prepare(side: str, module: str) -> Callable[[], object]:
    """Put the modules of ``side`` in place; returns what interrupts a test that hangs."""
    if side == "hub":
        from tests.hub.compat import alias, twins

        alias.install()
        if not module.startswith("gevent."):
            twins.replace()
        signal.signal(signal.SIGUSR2, _interrupted)
        return lambda: signal.pthread_kill(_MAIN_THREAD, signal.SIGUSR2)
    if not module.startswith("gevent."):
        from gevent import monkey

        monkey.patch_all()
    return lambda: None


class TestHangs(Exception):
    """A test took longer than LIMIT."""


_MAIN_THREAD = threading.get_ident()


def _interrupted(signum: int, frame: object) -> None:
    """Raise in the main greenlet: at once, or from the loop if that runs."""
    import hub
    from hub.current import get_hub_if_any

    current = get_hub_if_any()
    if current is None or hub.getcurrent() is not current:
        raise TestHangs
    assert current.parent is not None
    current.loop.call_soon(partial(current.parent.throw, TestHangs))


def main(side: str, module: str, result: str, *left_out: str) -> None:
    """See the module's docstring."""
    watchdog = Watchdog(prepare(side, module))
    sys.argv[1:] = []
    if module.startswith("test."):
        prepare_stdlib_tests()
    prefix = f"{module}."
    with open(result, "w", encoding="utf-8") as stream:
        loaded = importlib.import_module(module)
        suite = unittest.defaultTestLoader.loadTestsFromModule(loaded)
        chosen(suite, prefix, set(left_out)).run(Outcomes(stream, prefix, watchdog))
        print(json.dumps({"test": "", "outcome": "end", "text": ""}), file=stream, flush=True)
    os._exit(0)  # threads and greenlets that a test left behind are not waited for


if __name__ == "__main__":
    main(*sys.argv[1:])
