"""crawler/engine/sandbox/process.py: a faulty task costs its own document only.

In real time: no clock of ours drives another process. All waits have an end that is far
beyond what a loaded machine needs.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

import hub
from crawler.engine.sandbox.pool import ExtractionPool
from crawler.engine.sandbox.process import MB, WorkerLimits
from crawler.model.errors import ExtractFailure, TooLarge
from tests.helpers.hostile_tasks import HOSTILE_TASKS
from tests.helpers.paths import ROOT

LIMITS = WorkerLimits(memory_bytes=300 * MB, cpu_s=1.0)
PATIENCE_S = 60.0


@pytest.fixture
def worker() -> Iterator[ExtractionPool]:
    with closing(ExtractionPool(HOSTILE_TASKS, LIMITS)) as subject:
        yield subject


def pid_of(worker: ExtractionPool) -> int:
    (pid,) = worker.statistics().pids
    return pid


def is_running(pid: int) -> bool:
    """Whether there is such a process; a zombie counts, so that none is overlooked."""
    return Path(f"/proc/{pid}").exists()


def is_zombie(pid: int) -> bool:
    """Whether a process has ended, and nobody of ours may reap it."""
    with suppress(FileNotFoundError):
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        )
    return False


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        hub.sleep(0.01)


def test_a_process_is_started_when_it_is_needed_and_kept(
    worker: ExtractionPool,
) -> None:
    assert worker.statistics().pids == ()
    assert worker.run("echo", b"one") == b"one"
    pid = pid_of(worker)
    assert worker.run("echo", b"two") == b"two"
    assert pid_of(worker) == pid
    assert (worker.statistics().starts, worker.statistics().answers) == (1, 2)


@pytest.mark.parametrize("size", [0, 1, 2**16, 30 * MB])
def test_bytes_of_any_size_pass_whole(worker: ExtractionPool, size: int) -> None:
    payload = os.urandom(size)
    assert worker.run("echo", payload) == payload


@pytest.mark.parametrize(
    ("task", "payload", "message"),
    [
        ("allocate", b"", "more than 300 MB of memory were needed"),
        ("allocate_and_wrap", b"", "more than 300 MB of memory were needed"),
        ("compute", b"", "more than 1 seconds of CPU time were needed"),
        ("compute_in_c", b"", "more than 1 seconds of CPU time were needed"),
        ("kill_itself", b"%d" % signal.SIGKILL, "process crashed: Killed"),
        ("kill_itself", b"%d" % signal.SIGSEGV, "process crashed: Segmentation fault"),
        ("leave", b"", "the extraction process ended with status 3"),
        ("answer_too_much", b"", "the extraction process sent a message of .* bytes"),
        ("answer_nonsense", b"", "the extraction process sent "),
        ("close_the_socket", b"", "the extraction process crashed: Killed"),
    ],
)  # fmt: skip
def test_a_task_that_ends_its_process_loses_its_own_answer_and_no_other(
    worker: ExtractionPool, task: str, payload: bytes, message: str
) -> None:
    worker.run("echo", b"")
    first = pid_of(worker)
    with pytest.raises(ExtractFailure, match=message):
        worker.run(task, payload)
    assert worker.statistics().pids == ()
    assert worker.run("echo", b"next") == b"next"
    assert pid_of(worker) != first
    assert worker.statistics().starts == 2
    wait_until(lambda: worker.run("echo", b"") == b"" and not is_running(first))


@pytest.mark.parametrize("task", ["wait", "ignore_sigprof_and_compute"])
def test_a_task_that_never_ends_and_escapes_the_limit_on_cpu_time(task: str) -> None:
    limits = WorkerLimits(cpu_s=0.5, wall_s=3.0)
    with closing(ExtractionPool(HOSTILE_TASKS, limits)) as worker:
        with pytest.raises(ExtractFailure, match="no answer within 3 seconds"):
            worker.run(task, b"")
        assert worker.run("echo", b"next") == b"next"


def test_an_exception_is_an_error_of_its_document_and_the_process_is_kept(
    worker: ExtractionPool,
) -> None:
    with pytest.raises(ExtractFailure, match=r"ValueError: not \? this"):
        worker.run("fail", b"")
    with pytest.raises(TooLarge, match="too many elements"):
        worker.run("fail_with_a_code", b"")
    with pytest.raises(ExtractFailure, match=r"^not \? thisx+$") as caught:
        worker.run("fail_at_length", b"")
    assert len(caught.value.message) <= 1000
    assert worker.run("echo", b"next") == b"next"
    assert worker.statistics().starts == 1


def test_a_task_that_forks_gives_one_answer(worker: ExtractionPool) -> None:
    for number in range(20):
        assert worker.run("fork_and_answer", b"%d" % number) == b"%d" % number
        assert worker.run("echo", b"next") == b"next"


def test_what_a_task_has_started_ends_with_the_process(
    worker: ExtractionPool,
) -> None:
    pid = int(worker.run("fork_a_sleeper", b""))
    assert is_running(pid)
    worker.close()
    wait_until(lambda: not is_running(pid) or is_zombie(pid))


def test_cpu_time_is_counted_for_each_order_anew() -> None:
    """A process that lives for long is not at the end of a budget."""
    limits = WorkerLimits(cpu_s=0.5)
    with closing(ExtractionPool(HOSTILE_TASKS, limits)) as worker:
        payload = bytes(20 * MB)
        started = time.process_time()
        while time.process_time() - started < 1.0:  # what it costs here, it costs there
            assert len(worker.run("echo", payload)) == len(payload)
        assert worker.statistics().starts == 1


def test_an_order_for_an_unknown_task_is_a_mistake_of_the_caller(
    worker: ExtractionPool,
) -> None:
    with pytest.raises(KeyError):
        worker.run("missing", b"")
    assert worker.statistics().starts == 0


@pytest.mark.parametrize(
    "where", ["tests.helpers.no_such_module:x", "tests.helpers.hostile_tasks:missing"]
)
def test_a_process_that_cannot_load_its_tasks_says_why(where: str) -> None:
    with closing(ExtractionPool({"x": where})) as worker:
        for _ in range(2):
            with pytest.raises(
                ExtractFailure, match=r"can't start: (ModuleNotFound|Attribute)Error: "
            ):
                worker.run("x", b"")


def test_other_greenlets_run_while_one_waits(
    worker: ExtractionPool, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    waiting = hub.spawn(worker.run, "wait_for_file", str(path).encode())
    wait_until(path.with_suffix(".begun").exists)
    assert not waiting.ready()
    path.touch()
    assert waiting.get() == b"seen"


def test_two_greenlets_take_turns(worker: ExtractionPool) -> None:
    order: list[str] = []

    def ask(name: str) -> None:
        for number in range(5):
            payload = f"{name}{number}".encode()
            assert worker.run("echo", payload) == payload
            order.append(name)

    hub.joinall([hub.spawn(ask, name) for name in "ab"], raise_error=True)
    assert order == ["a", "b"] * 5
    assert worker.statistics().starts == 1


def begun(worker: ExtractionPool, path: Path) -> hub.Greenlet[bytes]:
    """A greenlet that waits for an answer that does not come."""
    waiting = hub.spawn(worker.run, "wait_for_file", str(path).encode())
    wait_until(path.with_suffix(".begun").exists)
    return waiting


def test_a_killed_greenlet_leaves_no_stale_answer(
    worker: ExtractionPool, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    waiting = begun(worker, path)
    late = hub.spawn(worker.run, "echo", b"mine")  # waits for its turn already
    hub.sleep(0)
    waiting.kill()
    path.touch()  # the answer would come now
    assert late.get() == b"mine"
    assert worker.run("echo", b"next") == b"next"


def test_a_timeout_around_an_order_leaves_no_stale_answer(
    worker: ExtractionPool, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    worker.run("echo", b"")
    with pytest.raises(hub.Timeout), hub.Timeout(0.2):
        worker.run("wait_for_file", str(path).encode())
    path.touch()
    assert worker.run("echo", b"next") == b"next"
    assert worker.statistics().starts == 2


def test_a_greenlet_killed_before_its_turn_costs_no_process(
    worker: ExtractionPool, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    waiting = begun(worker, path)
    second = hub.spawn(worker.run, "echo", b"")
    hub.sleep(0)
    second.kill()
    path.touch()
    assert waiting.get() == b"seen"
    assert worker.run("echo", b"next") == b"next"
    assert worker.statistics().starts == 1


def test_closing_leaves_no_process_and_no_descriptor(tmp_path: Path) -> None:
    hub.sleep(0)  # the hub's own descriptors are there
    before = sorted(os.listdir("/proc/self/fd"))
    worker = ExtractionPool(HOSTILE_TASKS, LIMITS)
    pids = []
    for task in ("echo", "leave", "fail"):
        worker.run("echo", b"")
        pids.append(pid_of(worker))
        if task != "echo":
            with pytest.raises(ExtractFailure):
                worker.run(task, b"")
    waiting = begun(worker, tmp_path / "file")
    pids.append(pid_of(worker))
    waiting.kill()
    worker.run("echo", b"")
    pids.append(pid_of(worker))
    worker.close()
    assert len(set(pids)) == 3
    assert not any(map(is_running, pids))
    assert sorted(os.listdir("/proc/self/fd")) == before
    worker.close()  # again: nothing


def test_closing_under_an_order(worker: ExtractionPool, tmp_path: Path) -> None:
    waiting = begun(worker, tmp_path / "file")
    second = hub.spawn(worker.run, "echo", b"")
    hub.sleep(0)
    worker.close()
    for asking in (waiting, second):
        with pytest.raises(ExtractFailure):
            asking.get()
    with pytest.raises(ExtractFailure, match="was closed"):
        worker.run("echo", b"")


def test_the_process_has_no_descriptor_but_its_own(worker: ExtractionPool) -> None:
    with open("/dev/zero", "rb") as inheritable:
        os.set_inheritable(inheritable.fileno(), True)
        found = worker.run("descriptors", b"").decode().splitlines()
    assert found[:3] == ["/dev/null"] * 3
    assert len(found) == 5
    assert all(re.fullmatch(r"socket:\[\d+\]", one) for one in found[3:])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_for_the_crawl_do_not_end_the_process(
    worker: ExtractionPool, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C goes to the process group of the terminal, which is not its own either."""
    path = tmp_path / "file"
    waiting = begun(worker, path)
    pid = pid_of(worker)
    assert os.getpgid(pid) == pid
    os.kill(pid, number)
    path.touch()
    assert waiting.get() == b"seen"
    assert pid_of(worker) == pid


@pytest.mark.parametrize("task", ["echo", "wait", "compute_in_c"])
def test_the_process_ends_with_a_crawl_that_is_killed(
    task: str, tmp_path: Path
) -> None:
    """Whether it is idle, waits, or computes."""
    command = [sys.executable, "-m", "tests.helpers.orphaned_worker", task, "x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as crawl:
        assert crawl.stdout is not None
        pid = int(crawl.stdout.readline())
        assert is_running(pid)
        crawl.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_running(pid))
