"""What starts the processes of a crawl, and tells how they have ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Protocol

import pytest

from crawler.fleet.launcher import Launcher, StartedProcess, exit_code
from crawler.fleet.messages import Reopen, frame
from tests.helpers.killed_fleet import children_of
from tests.helpers.paths import ROOT

WAIT_S = 60.0


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with closing(Launcher()) as launcher:
        yield launcher


class Start(Protocol):
    def __call__(self, *, has_stdout: bool = False) -> StartedProcess: ...


@pytest.fixture
def start(launcher: Launcher) -> Iterator[Start]:
    """Starts a process with sockets that are closed after the test."""
    with ExitStack() as stack:

        def start(*, has_stdout: bool = False) -> StartedProcess:
            process = launcher.start(has_stdout=has_stdout)
            for one in (process.socket, process.stdout, process.log, process.exit):
                one.settimeout(WAIT_S)
                stack.enter_context(one)
            return process

        yield start


def code_of(process: StartedProcess) -> int:
    return exit_code(process.exit.recv(16))


def pids(launcher: Launcher, number: int) -> list[int]:
    """The processes of the launcher, once there are so many."""
    deadline = time.monotonic() + WAIT_S
    while len(found := children_of(launcher.pid)) != number:
        assert time.monotonic() < deadline, found
        time.sleep(0.001)
    return found


def descriptors(pid: int) -> dict[int, str]:
    found = {}
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            found[int(one.name)] = os.readlink(one)
    return found


def wait_for_its_hub(pid: int) -> None:
    """Wait until a process waits for its settings: its hub has a poller by then."""
    deadline = time.monotonic() + WAIT_S
    while not any("eventpoll" in one for one in descriptors(pid).values()):
        assert time.monotonic() < deadline, descriptors(pid)
        time.sleep(0.001)


def test_a_process_ends_with_the_parent_that_gives_it_no_settings(start):
    process = start()
    process.socket.close()
    assert code_of(process) == 0
    assert process.log.recv(1) == b""


def test_processes_outlive_the_launcher_and_then_no_exit_code_is_known(launcher, start):
    process = start()
    (pid,) = pids(launcher, 1)
    launcher.close()
    assert code_of(process) == -signal.SIGKILL
    assert Path(f"/proc/{pid}").exists()
    process.socket.close()
    assert process.log.recv(1) == b""  # it has ended


def test_what_has_ended_a_process_is_told(launcher, start):
    killed, broken, sound = (start() for _ in range(3))
    os.kill(pids(launcher, 3)[0], signal.SIGKILL)
    assert code_of(killed) == -signal.SIGKILL
    broken.socket.sendall(frame(Reopen()))  # no settings
    assert code_of(broken) == 1
    sound.socket.close()
    assert code_of(sound) == 0


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_does_not_end_the_launcher_and_ends_a_process(launcher, start, signum):
    process = start()
    (pid,) = pids(launcher, 1)
    wait_for_its_hub(pid)
    launching = launcher.pid
    os.kill(launching, signum)
    os.kill(pid, signum)
    assert code_of(process) == -signum
    another = start()
    assert launcher.pid == launching
    another.socket.close()
    assert code_of(another) == 0


def test_a_launcher_that_was_killed_is_started_again(launcher, start):
    before = start()
    pids(launcher, 1)
    killed = launcher.pid
    os.kill(killed, signal.SIGKILL)
    assert code_of(before) == -signal.SIGKILL
    after = start()
    assert launcher.pid != killed
    after.socket.close()
    assert code_of(after) == 0


def test_a_launcher_ends_with_its_parent():
    script = (
        "import os; from crawler.fleet.launcher import Launcher;"
        "print(Launcher().pid, flush=True); os._exit(0)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=WAIT_S)
    deadline = time.monotonic() + WAIT_S
    while Path(f"/proc/{int(done.stdout)}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_process_has_no_descriptor_of_another_one(launcher, start):
    processes = [start(has_stdout=index > 0) for index in range(3)]
    found = []
    for pid in pids(launcher, 3):
        wait_for_its_hub(pid)
        found.append(descriptors(pid))
    sockets = [
        {target for target in one.values() if target.startswith("socket:")}
        for one in found
    ]
    assert [len(one) for one in sockets] == [2, 3, 3]  # its socket, its log, its stdout
    assert not sockets[0] & sockets[1]
    assert not sockets[1] & sockets[2]
    assert found[0][0] == found[0][1] == found[1][0] == "/dev/null"
    assert found[1][1].startswith("socket:")
    for process in processes:
        process.socket.close()
        assert code_of(process) == 0
        assert process.exit.recv(1) == b""  # the launcher has closed it
    kept = [
        one for one in descriptors(launcher.pid).values() if one.startswith("socket:")
    ]
    assert len(kept) == 3  # its own, and two for the signal that a process has ended


def test_little_is_loaded_before_the_launcher_begins():
    script = (
        "import sys; from crawler.fleet.launcher import Launcher;"
        "from crawler.cli.commands import crawl;"
        "print(*{'hub', 'sqlite3', 'crawler.engine.engine'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("", "")
