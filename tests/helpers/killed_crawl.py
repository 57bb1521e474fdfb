"""The program crawling a site, ended by signals at moments that a seed decides."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helpers.generated_site import GeneratedSite
from tests.helpers.paths import PROGRAM

RECORD_BYTES = 1000  # roughly, to turn a number of records into bytes
TIMEOUT = 300.0
"""A limit for steps that take a few seconds (s); beyond it the crawl hangs."""


class Crawl:
    """A crawl of a site into a folder, in as many runs as it takes."""

    def __init__(self, site: GeneratedSite, folder: Path, seed: int) -> None:
        self.site = site
        self.folder = folder
        self.records = folder / "records.jsonl"
        self.dice = random.Random(seed)
        self.progress = [self._requests, self._bytes]
        """What is measured: each makes a function that says whether it is enough."""

    def run_until(self, sign: signal.Signals, step: int) -> int:
        """Run until `sign` is sent, and return the exit code.

        It is sent after up to `2 * step` requests or records.
        """
        reached = self.dice.choice(self.progress)(self.dice.randint(1, 2 * step))
        process = self._start()
        with self._held_back(reached):
            deadline = time.monotonic() + TIMEOUT
            while not reached():
                assert process.poll() is None, (
                    f"it ended before its signal:\n{self._messages()}"
                )
                assert time.monotonic() < deadline, f"no progress:\n{self._messages()}"
                time.sleep(0.0005)
            process.send_signal(sign)
        return process.wait(TIMEOUT)

    @contextmanager
    def _held_back(self, reached: Callable[[], bool]) -> Iterator[None]:
        """Hold back all responses after `reached`, until the block ends."""
        over = threading.Event()
        self.site.on_request = lambda target: reached() and over.wait(TIMEOUT)
        try:
            yield
        finally:
            self.site.on_request = None
            over.set()

    def finish(self) -> None:
        """Run to the end."""
        assert self._start().wait(TIMEOUT) == 0, self._messages()

    def lines(self) -> list[dict[str, Any]]:
        text = self.records.read_text()
        assert text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log().open("wb") as log:
            return subprocess.Popen(
                [*PROGRAM, *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _arguments(self) -> list[str]:
        if self.folder.exists():
            return ["resume", str(self.folder)]
        arguments = ["crawl", self.site.url, "-d", str(self.folder)]
        return [*arguments, "-w", "0", "-c", "16", "--per-host", "16"]

    def _requests(self, amount: int) -> Callable[[], bool]:
        goal = len(self.site.requested) + amount
        return lambda: len(self.site.requested) >= goal

    def _bytes(self, amount: int) -> Callable[[], bool]:
        goal = self._size() + amount * RECORD_BYTES
        return lambda: self._size() >= goal

    def _size(self) -> int:
        return self.records.stat().st_size if self.records.exists() else 0

    def _log(self) -> Path:
        return self.folder.with_suffix(".log")

    def _messages(self) -> str:
        return self._log().read_text(errors="replace")
