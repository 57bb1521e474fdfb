"""A crawl's process that is about to be killed.

`python -m tests.helpers.orphaned_worker TASK PATH [PROCESSES]` starts extraction
processes, prints their ids, and has them run TASK with PATH.
"""

from __future__ import annotations

import sys

import hub
from crawler.engine.sandbox.pool import START_BACKLOG, ExtractionPool
from tests.helpers.hostile_tasks import HOSTILE_TASKS


def main(task: str, path: str, processes: str = "1") -> None:
    pool = ExtractionPool(HOSTILE_TASKS, processes=int(processes))
    echoes = START_BACKLOG * int(processes)
    hub.joinall([hub.spawn(pool.run, "echo", b"") for _ in range(echoes)])
    print(*pool.statistics().pids, flush=True)
    pool.run(task, path.encode())
    hub.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
