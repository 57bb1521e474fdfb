"""A crawl by several processes of which some are killed, beside one of one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import IO, Any

from tests.helpers.many_hosts import ManyHosts
from tests.helpers.paths import PROGRAM

TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}
TIMEOUT_S = 300.0
OPTIONS = (
    *("-w", "0", "-c", "16", "--scope", "any", "--allow-net", "127.0.0.0/8", "-q"),
    *("--record", "skips", "--grace", "1s", "-s", "limits.traps=false"),
)
_VARIES = frozenset(
    (
        *("run_id", "seq", "ts", "reused_connection", "new_links_count"),
        *("dup_of", "dup_kind", "path"),
    )
)
"""The fields of a record that depend on the order of the fetches, and on the shard.

Times (`..._ms`) do, too. What is compared of `path` is the file there.
"""


def start(*arguments: str, stdout: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    command = [*PROGRAM, *arguments]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout)


def run(*arguments: str) -> int:
    return start(*arguments).wait(TIMEOUT_S)


def crawl_killed(
    site: ManyHosts, folder: Path, processes: int, kills: int, chance: Random
) -> int:
    """Crawl, with so many kills of processes, and each fifth time of the parent.

    Each comes after a number of requests that is drawn. One of the processes is their
    launcher. Returns how many kills there were.
    """
    done = 0
    command = ["crawl", site.url(0), *OPTIONS, "-d", str(folder)]
    step = max(2, site.pages // (kills + 2))
    while True:
        parent = start(*command, "--processes", str(processes))
        while parent.poll() is None and done < kills:
            if not wait_for_requests(site, parent, chance.randint(1, step)):
                break
            victims = [*children_of(parent.pid), *processes_of(parent.pid)]
            whole = done % 5 == 4 or not victims
            os.kill(parent.pid if whole else chance.choice(victims), signal.SIGKILL)
            done += 1
            if whole:
                break
        code = parent.wait(TIMEOUT_S)
        if code != -signal.SIGKILL:
            assert code == 0, code
            return done
        command = ["resume", str(folder), "-q"]
        processes = chance.randint(1, processes)


def wait_for_requests(
    site: ManyHosts, parent: subprocess.Popen[bytes], more: int
) -> bool:
    """Wait for so many requests more; False if the crawl ends before."""
    goal, deadline = len(site.requested) + more, time.monotonic() + TIMEOUT_S
    while len(site.requested) < goal:
        if parent.poll() is not None:
            return False
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.001)
    return True


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started (proc(5))."""
    try:
        tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in tasks.split()]


def processes_of(pid: int) -> list[int]:
    """The processes that run the crawl of `pid`, which its launcher has started."""
    return [process for child in children_of(pid) for process in children_of(child)]


def endings(folder: Path) -> Counter[tuple[str, str, str]]:
    """The terminal records of the crawl in `folder`: type, URL, and all other fields.

    Those that vary between two crawls are left out; a picture has the digest of its
    file.
    """
    return Counter(
        (record["type"], record["url"], _compared(record, folder))
        for record in _records(folder)
        if record["type"] in TERMINAL
    )


def _compared(record: dict[str, Any], folder: Path) -> str:
    fields = {
        name: value
        for name, value in record.items()
        if name not in _VARIES and not name.endswith("_ms")
    }
    if record.get("path"):
        file = folder / record["path"]
        fields["file"] = sha256(file.read_bytes()).hexdigest() if file.exists() else ""
    return json.dumps(fields, sort_keys=True)


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    files = [*folder.glob("records.jsonl"), *folder.glob("records/part-*.jsonl")]
    lines = (line for file in files for line in file.read_bytes().splitlines())
    return map(json.loads, lines)


def missing_files(folder: Path) -> list[str]:
    """The images of records that are not in the folder."""
    paths = [one["path"] for one in _records(folder) if one["type"] == "image"]
    return [path for path in paths if not (folder / path).is_file()]
