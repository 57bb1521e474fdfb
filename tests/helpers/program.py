"""The program as a user runs it, and what its crawls leave behind."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from tests.helpers.paths import PROGRAM

QUICK = ["--wait", "0", "--per-host", "8", "--exclude", "slow|busy"]
"""Options for a crawl of the demo's site that takes no time."""


class Orbweb:
    """Calls of the program in one folder, on a dumb terminal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(
        self, *arguments: str, environ: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self._folder,
            env={**os.environ, "TERM": "dumb", **(environ or {})},
            capture_output=True,
            text=True,
            timeout=300,
        )


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def kinds(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(row["type"] for row in rows)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]
