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


_PREFIX = "gevent.tests.test__"
_PASSING = 0.95  # of gevent's tests


@dataclass
class _Share:
    """How many tests of all pass."""

    passed: int = 0
    all: int = 0

    def __add__(self, other: "_Share") -> "_Share":
        return _Share(self.passed + other.passed, self.all + other.all)

    def __str__(self) -> str:
        return f"{self.passed:>4} of {self.all:>4}"


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
    """The share of all: a test that is left out counts as one that does not pass."""
    every = _Share()
    for module in GEVENT:
        ours = results[module]
        outcomes = ours.outcomes
        theirs = (outcomes.keys() | outcomes.dropped) - Recorded(module).others()
        share = _Share(len(theirs & ours.passed), len(theirs))
        every += share
        print(f"{module.removeprefix(_PREFIX):<24} {share}")
    print(f"{'all of gevent':<24} {every}")
    assert every.passed >= _PASSING * every.all


@pytest.mark.parametrize("module", CPYTHON)
def test_of_cpythons_tests_as_many_pass_as_on_gevent(
    module: str, results: dict[str, Result]
) -> None:
    """Those that the table leaves out with a reason are counted and shown."""
    recorded = Recorded(module)
    passed, theirs = len(results[module].passed), recorded.passed
    without = len(results[module].outcomes.dropped - recorded.others())
    print(
        f"{module}: {passed} pass on the hub, {theirs} on gevent, "
        f"{without} of which are left out here"
    )
    assert passed >= theirs - without


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
