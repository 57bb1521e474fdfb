"""crawler/engine/sandbox/pool.py: several processes, each replaced alone.

In real time, as `test_worker.py`, which has what holds for one process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import hub
from crawler.engine.sandbox.pool import AHEAD_ORDERS, ExtractionPool
from crawler.engine.sandbox.process import MB, WorkerLimits
from crawler.model.errors import ExtractFailure
from tests.helpers.hostile_tasks import HOSTILE_TASKS
from tests.helpers.paths import ROOT

LIMITS = WorkerLimits(memory_bytes=300 * MB, cpu_s=1.0)
PROCESSES = 3


@pytest.fixture
def pool() -> Iterator[ExtractionPool]:
    with closing(ExtractionPool(HOSTILE_TASKS, LIMITS, PROCESSES)) as subject:
        yield subject


def ask(pool: ExtractionPool, task: str, payload: bytes = b"") -> bytes | str:
    """The answer, or the message of the failure."""
    try:
        return pool.run(task, payload)
    except ExtractFailure as failure:
        return failure.message


def spawn(
    pool: ExtractionPool, orders: list[tuple[str, bytes]]
) -> list[hub.Greenlet[[ExtractionPool, str, bytes], bytes | str]]:
    return [hub.spawn(ask, pool, task, payload) for task, payload in orders]


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        hub.sleep(0.01)


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_second_process_is_started_only_for_what_the_first_cannot_do(
    pool: ExtractionPool,
) -> None:
    assert pool.statistics().starts == 0
    for number in range(10):
        assert ask(pool, "echo", b"%d" % number) == b"%d" % number
    assert pool.statistics().starts == 1
    orders = [("echo", b"%d" % number) for number in range(100)]
    assert [one.get() for one in spawn(pool, orders)] == [text for _, text in orders]
    assert pool.statistics().starts == len(pool.statistics().pids) == PROCESSES
    assert pool.statistics().answers == 110


def test_one_long_document_holds_up_none_but_those_behind_it(
    pool: ExtractionPool, tmp_path: Path
) -> None:
    """Orders go to the process that has the fewest."""
    path = tmp_path / "file"
    blocked = spawn(pool, [("wait_for_file", str(path).encode())])
    wait_for(path.with_suffix(".begun"))
    others = spawn(pool, [("echo", b"%d" % number) for number in range(200)])
    hub.joinall(others, timeout=60, count=200 - AHEAD_ORDERS)
    late = [one for one in others if not one.ready()]
    assert 0 < len(late) <= AHEAD_ORDERS
    assert not blocked[0].ready()
    path.touch()
    assert [one.get() for one in others] == [b"%d" % number for number in range(200)]
    assert blocked[0].get() == b"seen"


def test_each_death_costs_the_document_that_it_was_in_and_no_other(
    pool: ExtractionPool,
) -> None:
    orders = [("echo", b"%d" % number) for number in range(60)]
    for place in (50, 30, 10, 0):
        orders.insert(place, ("kill_itself", b"%d" % signal.SIGKILL))
    found = [one.get() for one in spawn(pool, orders)]
    assert found == [
        "the extraction process crashed: Killed" if task == "kill_itself" else text
        for task, text in orders
    ]
    assert ask(pool, "echo", b"next") == b"next"


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("allocate", "more than 300 MB of memory were needed"),
        ("compute_in_c", "more than 1 seconds of CPU time were needed"),
    ],
)
def test_each_process_has_the_limits(
    pool: ExtractionPool, task: str, message: str
) -> None:
    """Behind it are documents that another process reads."""
    echoes = [("echo", b"%d" % number) for number in range(20)]
    found = [one.get() for one in spawn(pool, [(task, b""), *echoes, (task, b"")])]
    assert found == [message, *(text for _, text in echoes), message]


def test_a_process_that_is_killed_in_the_middle_loses_one_document(
    pool: ExtractionPool, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    (blocked,) = spawn(pool, [("wait_for_file", str(path).encode())])
    wait_for(path.with_suffix(".begun"))
    (pid,) = pool.statistics().pids
    behind = spawn(pool, [("echo", b"%d" % number) for number in range(3)])
    hub.sleep(0)  # they are with the process that is blocked
    os.kill(pid, signal.SIGKILL)
    assert blocked.get() == "the extraction process crashed: Killed"
    assert [one.get() for one in behind] == [b"0", b"1", b"2"]
    assert pid not in pool.statistics().pids


def test_a_killed_caller_takes_nothing_from_those_behind_it(
    pool: ExtractionPool, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    (blocked,) = spawn(pool, [("wait_for_file", str(path).encode())])
    wait_for(path.with_suffix(".begun"))
    behind = spawn(pool, [("echo", b"%d" % number) for number in range(3)])
    hub.sleep(0)
    behind[1].kill()
    blocked.kill()
    assert [behind[0].get(), behind[2].get()] == [b"0", b"2"]
    assert pool.statistics().waiting == 0


def test_what_is_waiting_is_not_sent_beyond_what_a_process_has_ahead(
    tmp_path: Path,
) -> None:
    """So the memory that a process takes does not grow with the queue."""
    path = tmp_path / "file"
    with closing(ExtractionPool(HOSTILE_TASKS, LIMITS)) as pool:
        (blocked,) = spawn(pool, [("wait_for_file", str(path).encode())])
        wait_for(path.with_suffix(".begun"))
        large = spawn(pool, [("echo", bytes(MB)) for _ in range(10)])
        hub.sleep(0)
        hub.sleep(0)
        assert pool.statistics().waiting == 8
        path.touch()
        assert {one.get() for one in large} == {bytes(MB)}
        assert blocked.get() == b"seen"


def test_answers_larger_than_the_socket_and_the_orders_behind_them(
    pool: ExtractionPool,
) -> None:
    orders = [("echo", os.urandom(size)) for size in (5 * MB, 1, 2**16, 3 * MB) * 3]
    assert [one.get() for one in spawn(pool, orders)] == [text for _, text in orders]


def test_closing_while_all_are_busy(pool: ExtractionPool, tmp_path: Path) -> None:
    orders = [("wait_for_file", str(tmp_path / f"{n}").encode()) for n in range(30)]
    waiting = spawn(pool, orders)
    wait_for(tmp_path / "0.begun")
    pids = pool.statistics().pids
    pool.close()
    assert {one.get() for one in waiting} == {"the extraction process was closed"}
    assert pids
    assert not any(map(is_running, pids))
    assert ask(pool, "echo") == "the extraction process was closed"


def test_a_process_that_cannot_start_is_an_error_of_each_order() -> None:
    with closing(ExtractionPool({"x": "tests.helpers.missing:x"}, LIMITS, 2)) as pool:
        found = {one.get() for one in spawn(pool, [("x", b"")] * 20)}
    assert len(found) == 1
    assert "can't start: ModuleNotFoundError" in str(found)


def test_all_processes_end_with_a_crawl_that_is_killed(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    command = [sys.executable, "-m", "tests.helpers.orphaned_worker"]
    with subprocess.Popen(
        [*command, "wait_for_file", path, "3"], stdout=subprocess.PIPE, cwd=ROOT
    ) as crawl:
        assert crawl.stdout is not None
        pids = [int(pid) for pid in crawl.stdout.readline().split()]
        assert len(pids) == PROCESSES
        assert all(map(is_running, pids))
        crawl.send_signal(signal.SIGKILL)
    end = time.monotonic() + 60
    while any(map(is_running, pids)):
        assert time.monotonic() < end
        hub.sleep(0.01)
