"""Any statement of the commit path fails, in any way.

Nothing of that batch is made durable by this process, and a resume is exact.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.failing_commit import Fault, Place, crawl
from tests.helpers.killable import BATCHES
from tests.helpers.sinks import read_batch_folder

KINDS: tuple[type[BaseException], ...] = (
    OSError,
    MemoryError,
    RuntimeError,
    KeyboardInterrupt,
)


TWICE = ("engine/committer.py", "frontier/lease.py", "frontier/sqlite/store.py")
"""Files of which a statement fails the first time, and again in a later crawl."""


def contents(folder: Path) -> list[tuple[Any, ...]]:
    """What a crawl has left, with the files of its pictures checked."""
    _, *lines = (folder / "r.jsonl").read_bytes().splitlines()
    records = [json.loads(line) for line in lines]
    seqs = [record["seq"] for record in records]
    assert seqs == list(range(1, len(seqs) + 1))
    assert read_batch_folder(folder / BATCHES) == seqs
    files = {str(p.relative_to(folder)) for p in (folder / "images").rglob("*.png")}
    assert files == {record["path"] for record in records if record.get("path")}
    return sorted((record["type"], record["url"]) for record in records)


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Counter[Place], list[tuple[Any, ...]]]:
    """What a crawl without a fault executes, and what it leaves."""
    folder = tmp_path_factory.mktemp("whole")
    fault = Fault()
    crawl(folder, fault)
    return fault.executed, contents(folder)


def test_a_resume_is_exact_whatever_statement_has_failed(
    whole: tuple[Counter[Place], list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    executed, expected = whole
    assert len(executed) > 300
    kinds = itertools.cycle(KINDS)
    wrong = []
    for number, (place, times) in enumerate(sorted(executed.items())):
        for time in {1, times // 2 + 1} if place[0] in TWICE else {times // 2 + 1}:
            folder = tmp_path / f"{number}-{time}"
            folder.mkdir()
            kind = next(kinds)
            with suppress(kind, Exception):
                crawl(folder, Fault(place, time, kind))
            try:
                crawl(folder)
                assert contents(folder) == expected
            except Exception as error:
                wrong.append((place, time, kind.__name__, str(error)[:200]))
    assert wrong == []
