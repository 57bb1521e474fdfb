"""The hub beside gevent: CPU time of the same work, and system calls.

    python -m tests.benchmarks.hub                    # 5 rounds of everything
    python -m tests.benchmarks.hub --rounds 3 --only sleep_0,spawn_join

Each round runs both libraries one after the other, in a process each; they take turns
to be first. It prints the medians of all rounds, and the median of the rounds' ratios:
the machine's speed drifts, but a ratio within one round drifts much less. strace counts
the system calls in runs of two lengths; their difference leaves out what a process does
at its start and end.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.hub_work import WORKS
from tests.helpers.paths import ROOT

LIBRARIES = ("hub", "gevent")
CHECKOUT = ROOT
LIMIT = 300.0  # seconds for one process

COUNTED = {"ping_pong_1": (200, 1200), "get": (100, 600)}
"""The works whose system calls are counted, and the two lengths."""


def _command(library: str, *names: str) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.hub_work", library, *names]


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, timeout=LIMIT
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


@contextmanager
def server() -> Iterator[None]:
    """The server of the work `get`, for processes that are started inside the block."""
    command = _command("server")
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        os.environ["HUB_WORK_SERVER"] = process.stdout.readline().strip()
        yield
        process.stdin.close()


def rounds(count: int, names: list[str]) -> dict[str, list[dict[str, float]]]:
    """What each library measured, one dict for each round."""
    results: dict[str, list[dict[str, float]]] = {library: [] for library in LIBRARIES}
    for number in range(count):
        for library in LIBRARIES if number % 2 else reversed(LIBRARIES):
            found = {}
            for name in names:  # a process each: no work inherits the memory of another
                found |= {name: json.loads(_run(_command(library, name)))}
            results[library].append(
                {name: result[name] for name, result in found.items()}
            )
            results[library][-1]["rss"] = max(
                result["rss_mib"] for result in found.values()
            )
    return results


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """The medians as text."""
    lines = [f"{'CPU microseconds of one':24} {'hub':>9} {'gevent':>9} {'ratio':>6}"]
    for name in results["hub"][0]:
        ours, theirs = (
            [found[name] for found in results[library]] for library in LIBRARIES
        )
        ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
        medians = f"{statistics.median(ours):9.2f} {statistics.median(theirs):9.2f}"
        label = "largest process, MiB" if name == "rss" else name
        lines.append(f"{label:24} {medians} {ratio:6.2f}")
    return "\n".join(lines)


def _calls(library: str, name: str, count: int) -> int:
    """The system calls of a whole process that does ``count`` operations."""
    with tempfile.NamedTemporaryFile("r") as log:
        _run(
            [
                "strace",
                "-f",
                "-c",
                "-o",
                log.name,
                *_command(library, f"{name}={count}"),
            ]
        )
        total = re.search(
            r"^100\.00\s+\S+\s+(?:\d+\s+)?(\d+)\s.*total$", log.read(), re.MULTILINE
        )
    if total is None:
        raise SystemExit("strace printed no total")
    return int(total[1])


def system_calls(library: str, name: str) -> float:
    """The system calls of one operation."""
    few, many = COUNTED[name]
    return (_calls(library, name, many) - _calls(library, name, few)) / (many - few)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", default="", help="names of works, separated by commas"
    )
    chosen = parser.parse_args()
    names = chosen.only.split(",") if chosen.only else list(WORKS)
    with server():
        report(chosen.rounds, names)


def report(count: int, names: list[str]) -> None:
    """Measure and print."""
    print(table(rounds(count, names)), flush=True)
    counted = [name for name in COUNTED if name in names]
    if counted and shutil.which("strace") is None:
        print("system calls not counted: strace is not installed")
        return
    for name in counted:
        ours, theirs = (system_calls(library, name) for library in LIBRARIES)
        print(
            f"{'system calls of one':24} {ours:9.2f} {theirs:9.2f}"
            f" {theirs / ours:6.2f}  {name}"
        )


if __name__ == "__main__":
    main()
