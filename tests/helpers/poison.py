"""A crawl that dies of what it reads: `python -m tests.helpers.poison FOLDER URL`.

A body of the type `application/x-poison` kills the process, as a defect in a C library
would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from crawler.engine.builder import open_crawl
from crawler.extract.extractor import InlineExtractor
from crawler.extract.registry import READERS
from crawler.extract.tasks import document_task
from crawler.model.config import Config
from crawler.model.policy_config import PolitenessConfig

POISON_TYPE = "application/x-poison"


def die(_body: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


EXTRACTOR = InlineExtractor({**READERS, POISON_TYPE: die})
document = document_task(EXTRACTOR)
"""The task of an extraction process that dies of such a body."""


def crawl_on(folder: Path, url: str) -> int:
    """Begin the crawl, or go on with it, in a process of its own; its return code."""
    return subprocess.run(
        [sys.executable, "-m", __name__, str(folder), url], timeout=300
    ).returncode


def main(folder: str, url: str) -> None:
    config = Config(
        seeds=(url,), dir=folder, politeness=PolitenessConfig(per_host=8, wait=0.0)
    )
    begun = (Path(folder) / "state").is_dir()
    open_crawl(config, mode="resume" if begun else "new", extractor=EXTRACTOR).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
