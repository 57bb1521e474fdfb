"""The modules that are run, the known failures, and how the tests end on gevent."""

import sys
import tomllib
from pathlib import Path

_HERE = Path(__file__).parent

_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

RECORDED = _HERE / "recorded" / f"{_VERSION}.toml"

GEVENT = [
    f"gevent.tests.test__{name}"
    for names in (
        "api api_timeout contextvars core_callback event exc_info greenio greenlet",
        "greenletset hub hub_join hub_join_timeout issue230 issue330 issue467 issue600",
        "issue607 issue639 issue1864 issue2013 issues461_471 iwait joinall local lock",
        "loop_callback makefile_ref monkey_queue monkey_select order pool pywsgi queue",
        "real_greenlet refcount select semaphore server signal socket socket_close",
        "socket_errors socket_ex socket_send_memoryview socket_timeout socketpair ssl",
        "systemerror threadpool timeout",
    )
    for name in names.split()
]
CPYTHON = [
    f"test.test_{name}"
    for names in ("poll queue select selectors socket", "socketserver ssl timeout")
    for name in names.split()
]
MODULES = [*GEVENT, *CPYTHON]


def listed(kind: str, module: str) -> dict[str, str]:
    """Test name: reason, of the tests of ``module`` under ``left_out`` or ``fails``."""
    table = tomllib.loads((_HERE / "table.toml").read_text())
    return {
        name: reason
        for part in (table, table.get(_VERSION, {}))
        for reason, names in part.get(kind, {}).get(module, {}).items()
        for name in names
    }


class Recorded:
    """How the tests of one module ended on gevent."""

    def __init__(self, module: str) -> None:
        self._found = tomllib.loads(RECORDED.read_text())[module]
        self.passed: int = self._found["passed"]

    def others(self) -> set[str]:
        """Those that did not pass."""
        return {
            name
            for key, names in self._found.items()
            if key != "passed"
            for name in names
        }
