"""A crawl by several machines, each with a folder of its own, all on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.helpers.killed_fleet import (
    OPTIONS,
    TIMEOUT_S,
    endings,
    processes_of,
    run,
    start,
    wait_for_requests,
)
from tests.helpers.many_hosts import ManyHosts
from tests.helpers.valkey import ValkeyProcess

EXCHANGE_DOWN = 4
"""The exit code of a machine that did not reach the exchange."""


class Machines:
    """`count` machines crawl `site`, each in a folder of its own in `place`."""

    def __init__(
        self,
        site: ManyHosts,
        place: Path,
        server: ValkeyProcess,
        count: int,
        processes: int = 1,
    ) -> None:
        """`processes`: how many each machine has."""
        self._processes = str(processes)
        self._site = site
        self._server = server
        self._address = server.address("crawl")
        self.folders = [place / f"machine{number}" for number in range(count)]
        self._running: list[subprocess.Popen[bytes]] = []

    def begin(self, shards: int, *more: str) -> None:
        options = ("--exchange", self._address, "--shards", str(shards))
        assert run("crawl", self._site.url(0), *OPTIONS, *options, *more) == 0
        self._most = -(-shards // len(self.folders))
        self.start()

    def start(self) -> None:
        """Start all machines, which have ended, or have never run."""
        self._running = [self._start(folder) for folder in self.folders]

    def _start(self, folder: Path) -> subprocess.Popen[bytes]:
        options = ("--exchange", self._address, "--max-shards", str(self._most))
        return start(
            "work", str(folder), *options, "--processes", self._processes, "-q"
        )

    def fail(self, times: int, chance: Random, *, forgets: bool) -> int:
        """So many faults, each after a number of requests; how many there were.

        Each third one kills the server, which has its data when it is back, or
        `forgets`; each third one a process with shards; and each third one a parent.
        """
        step = max(2, self._site.pages // (times + 2))
        for done in range(times):
            number = chance.randrange(len(self._running))
            more = chance.randint(1, step)
            while not wait_for_requests(self._site, self._running[number], more):
                if not self._start_again():
                    return done
            parent = self._running[number]
            processes = processes_of(parent.pid)
            if done % 3 == 0:
                self._server.kill()
                if forgets:
                    self._server.remove_data()
                self._server.start()
            elif done % 3 == 1 and processes:
                os.kill(chance.choice(processes), signal.SIGKILL)
            else:
                parent.kill()
                parent.wait()
                self._running[number] = self._start(self.folders[number])
        return times

    def wait(self) -> list[int]:
        """The exit codes of the machines, once the crawl has ended.

        One that did not reach the exchange when it began is started again.
        """
        deadline = time.monotonic() + TIMEOUT_S
        while any(one.poll() in (None, EXCHANGE_DOWN) for one in self._running):
            self._start_again()
            assert time.monotonic() < deadline, "a machine does not end"
            time.sleep(0.05)
        return [one.wait() for one in self._running]

    def _start_again(self) -> int:
        """Start machines again that did not reach the exchange, as systemd does."""
        down = [n for n, one in enumerate(self._running) if one.poll() == EXCHANGE_DOWN]
        for number in down:
            self._running[number] = self._start(self.folders[number])
        return len(down)

    def stop(self) -> None:
        """End what still runs."""
        for one in self._running:
            one.terminate()
        for one in self._running:
            one.wait(TIMEOUT_S)

    def endings(self) -> Counter[tuple[str, str, str]]:
        """The terminal records of all machines."""
        return sum(map(endings, self.folders), Counter())
