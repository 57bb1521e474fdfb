"""Killed at any moment and opened again: every URL in one record, every picture once on disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.crawler.killable import IMAGES, PAGES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("first_seed", [0, 1000])
def test_no_url_is_lost_and_none_is_written_twice(tmp_path: Path, first_seed: int) -> None:
    killed = 0
    for seed in range(first_seed, first_seed + 200):
        ended = subprocess.run(
            [sys.executable, "-m", "tests.crawler.killable", str(tmp_path), str(seed)],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        if ended.returncode == 0:
            break
        assert ended.returncode in (-signal.SIGKILL, -signal.SIGPROF), ended.stderr.decode()
        killed += 1
    assert ended.returncode == 0
    assert killed  # the first one always; how many more depends on the machine's speed

    lines = (tmp_path / "records.jsonl").read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    records = [msgspec.json.decode(line) for line in lines]
    assert [record["seq"] for record in records] == list(range(len(records)))
    urls = Counter(record["url"] for record in records[1:])
    assert set(urls.values()) == {1}
    assert len(urls) == PAGES + IMAGES + 50

    pictures = [path.read_bytes() for path in (tmp_path / "images").rglob("*") if path.is_file()]
    assert len(pictures) == len(set(pictures)) == IMAGES // 2
