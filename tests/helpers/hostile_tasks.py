"""Tasks for the extraction process: some misbehave, some report on the process."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from crawler.engine.sandbox.messages import MAX_ANSWER
from crawler.model.errors import ExtractFailure, TooLarge


def echo(payload: bytes) -> bytes:
    return payload


def allocate(_payload: bytes) -> NoReturn:
    """Without end, in pieces as a parser's tree has them."""
    kept: list[bytearray] = []
    while True:
        kept.append(bytearray(2**16))


def allocate_and_wrap(_payload: bytes) -> NoReturn:
    """As a reader that makes one kind of error of all."""
    try:
        allocate(b"")
    except MemoryError as error:
        raise ExtractFailure("no tree") from error


def compute(_payload: bytes) -> NoReturn:
    while True:
        pass


def compute_in_c(_payload: bytes) -> bytes:
    """One call that does not return to the interpreter for years."""
    re.match(rb"(a*)*b", b"a" * 1000)
    return b""


def wait(_payload: bytes) -> NoReturn:
    while True:
        time.sleep(60)


def wait_for_file(payload: bytes) -> bytes:
    """Makes the file named by `payload` with .begun, and waits for the one without."""
    path = Path(payload.decode())
    path.with_suffix(".begun").touch()
    while not path.exists():
        time.sleep(0.01)
    return b"seen"


def kill_itself(payload: bytes) -> NoReturn:
    """By the signal of that number."""
    os.kill(os.getpid(), int(payload))
    raise AssertionError("unreachable")


def ignore_sigprof_and_compute(_payload: bytes) -> NoReturn:
    """What no document can do, but a careless library might."""
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    compute(b"")


def leave(_payload: bytes) -> NoReturn:
    sys.exit(3)


def fail(_payload: bytes) -> NoReturn:
    raise ValueError("not \ud800 this")


def fail_with_a_code(_payload: bytes) -> NoReturn:
    raise TooLarge("too many elements")


def fail_at_length(_payload: bytes) -> NoReturn:
    raise ExtractFailure("not \ud800 this" + "x" * 10**6)


def answer_too_much(_payload: bytes) -> bytes:
    return bytes(MAX_ANSWER + 1)


def answer_nonsense(_payload: bytes) -> bytes:
    """Writes to the process's sockets, on one of which only frames belong."""
    for number in _sockets():
        os.write(number, b"\0" * 7 + b"\3" + b"abc")
    return b""


def close_the_socket(_payload: bytes) -> NoReturn:
    for number in _sockets():
        os.close(number)
    wait(b"")


def fork_and_answer(payload: bytes) -> bytes:
    """Both processes come back from the task."""
    os.fork()
    return payload


def fork_a_sleeper(payload: bytes) -> bytes:
    """Leaves a process behind, whose id is the answer."""
    pid = os.fork()
    if not pid:
        wait(payload)
    return b"%d" % pid


def descriptors(_payload: bytes) -> bytes:
    """What the process's descriptors are, one a line."""
    return "\n".join(_descriptors().values()).encode()


def _descriptors() -> dict[int, str]:
    found = {}
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        with suppress(FileNotFoundError):  # the one by which the folder was listed
            found[number] = os.readlink(f"/proc/self/fd/{number}")
    return found


def _sockets() -> list[int]:
    return [n for n, what in _descriptors().items() if what.startswith("socket:")]


HOSTILE_TASKS = {
    task.__name__: f"{__name__}:{task.__name__}"
    for task in (
        echo, allocate, allocate_and_wrap, compute, compute_in_c, wait, wait_for_file,
        kill_itself, ignore_sigprof_and_compute, leave, fail, fail_with_a_code,
        answer_too_much, answer_nonsense, close_the_socket, fork_and_answer,
        fork_a_sleeper, fail_at_length, descriptors,
    )
}  # fmt: skip
