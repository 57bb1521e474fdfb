"""A crawl's process that is about to be killed.

`python -m tests.helpers.orphaned_worker TASK PATH` starts an extraction process, prints
its id, and has it run TASK with PATH.
"""

from __future__ import annotations

import sys

import hub
from crawler.engine.sandbox.process import ExtractionWorker
from tests.helpers.hostile_tasks import HOSTILE_TASKS


def main(task: str, path: str) -> None:
    worker = ExtractionWorker(HOSTILE_TASKS)
    worker.run("echo", b"")
    print(worker.statistics().pid, flush=True)
    worker.run(task, path.encode())
    hub.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
