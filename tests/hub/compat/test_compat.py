"""What passes on gevent passes on the hub; table.toml lists the rest, with reasons.

These tests measure time, and several modules run at once here. So a failure that the
table does not list is tried again when no other module runs, with longer limits each
time, and counts if it fails each time. A pass that the table lists as a failure is an
error of the table.
"""

import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.helpers.paths import ROOT
from tests.hub.compat.child import FAILED, PASSED
from tests.hub.compat.runs import HUNG, Outcomes, run
from tests.hub.compat.table import CPYTHON, GEVENT, MODULES, RECORDED, Recorded, listed

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("gevent") is None, reason="gevent is not installed"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("test.test_socket") is None,
        reason="this Python has no test package",
    ),
    pytest.mark.skipif(
        not RECORDED.exists(),
        reason="how gevent does on this version of Python is not recorded",
    ),
]

_ROOT = ROOT
_AT_ONCE = 6  # they sleep most of the time
_AGAIN = (1.0, 2.0, 4.0, 8.0, 8.0)  # the limits of each further try
SLOWEST = (
    "test.test_socket",
    "gevent.tests.test__pool",
    "gevent.tests.test__makefile_ref",
    "gevent.tests.test__threadpool",
    "gevent.tests.test__ssl",
)


@dataclass
class Result:
    """The tests of one module on the hub."""

    outcomes: Outcomes
    unexpected: dict[str, str]
    """Name: what is wrong with it."""

    @property
    def passed(self) -> set[str]:
        return self.outcomes.named(PASSED)


def _run_once(module: str) -> Outcomes:
    return run("hub", module, left_out=listed("left_out", module))


def _retried(module: str, outcomes: Outcomes) -> Result:
    fails = listed("fails", module)
    for slowness in _AGAIN:
        if not outcomes.complete:
            outcomes = run("hub", module, listed("left_out", module), slowness=slowness)
        elif again := (outcomes.named(FAILED) | outcomes.named(HUNG)) - fails.keys():
            retried = run("hub", module, only=again, slowness=slowness)
            outcomes.update(retried)
            outcomes.texts |= retried.texts
    wrong = {
        name: outcomes.texts.get(name, outcome)
        for name, outcome in outcomes.items()
        if outcome in (FAILED, HUNG) and name not in fails
    }
    wrong |= {
        name: f"passes, but table.toml has it as failing: {fails[name]}"
        for name in outcomes.named(PASSED) & fails.keys()
    }
    if not outcomes.complete:
        wrong[module] = outcomes.texts[""]
    return Result(outcomes, wrong)


def _files() -> set[str]:
    """What is in the checkout's own folder, without caches."""
    return {name for name in os.listdir(_ROOT) if not name.startswith(".")}


@pytest.fixture(scope="module")
def files_before() -> set[str]:
    return _files()


@pytest.fixture(scope="module")
def results(files_before: set[str]) -> dict[str, Result]:
    order = sorted(MODULES, key=lambda module: module not in SLOWEST)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = dict(zip(order, pool.map(_run_once, order), strict=True))
    return {module: _retried(module, outcomes) for module, outcomes in found.items()}


@pytest.mark.parametrize("module", MODULES)
def test_module(module: str, results: dict[str, Result]) -> None:
    wrong = results[module].unexpected
    assert not wrong, "\n\n".join(f"{name}: {text}" for name, text in wrong.items())


def test_of_what_passes_on_gevent_nearly_all_passes(
    results: dict[str, Result],
) -> None:
    """97 % at least, not counting what is left out by name."""
    asked = passed = 0
    for module in GEVENT:
        ours = results[module]
        theirs = ours.outcomes.keys() - Recorded(module).others()
        asked += len(theirs)
        passed += len(theirs & ours.passed)
    print(f"{passed} of {asked} tests that pass on gevent pass on the hub")
    assert passed >= 0.97 * asked


@pytest.mark.parametrize("module", CPYTHON)
def test_of_cpythons_tests_as_many_pass_as_on_gevent(
    module: str, results: dict[str, Result]
) -> None:
    passed, theirs = len(results[module].passed), Recorded(module).passed
    print(f"{module}: {passed} pass on the hub, {theirs} on gevent")
    assert passed >= theirs


@pytest.mark.parametrize("module", MODULES)
def test_the_table_names_tests_that_exist(
    module: str, results: dict[str, Result]
) -> None:
    """An entry for a test that does not exist excuses nothing, and misleads."""
    outcomes = results[module].outcomes
    assert listed("fails", module).keys() <= outcomes.keys()
    assert listed("left_out", module).keys() == outcomes.dropped


def test_nothing_is_left_in_the_checkout(
    files_before: set[str], results: dict[str, Result]
) -> None:
    """CPython's tests write files where they run; those that hang leave them."""
    assert _files() <= files_before
