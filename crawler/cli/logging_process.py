"""A process of a crawl by several, with a log (`-v`): it formats its lines itself.

The parent reads them, and writes them into the log of the crawl. Where it is late, the
process waits for it, as a crawl of one process waits for its log.
"""

from __future__ import annotations

import os
import time

import hub
from crawler.cli.terminal.log import JsonLog, TextLog, Write
from crawler.fleet import worker
from crawler.fleet.messages import WorkerSettings


def main(settings: WorkerSettings, socket: hub.socket.socket, log: int) -> None:
    """Run the process, as `worker.main`; `log` is where it writes, a descriptor."""
    assert settings.log is not None
    write = _writer(log)
    clock, form, pid = time.time, settings.log.form, os.getpid()
    worker.main(
        settings,
        socket,
        JsonLog(write, clock, settings.log.job, pid)
        if form == "json"
        else TextLog(write, clock if form == "timed" else None, pid),
    )


def _writer(descriptor: int) -> Write:
    os.set_blocking(descriptor, True)

    def write(lines: list[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        data = text.encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            return  # the parent has died, which the worker finds

    return write
