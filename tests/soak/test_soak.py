"""A few crawls through faults: each leaves as many resources as the one before."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.testing import steady_time
from tests.soak import day
from tests.soak.crawls import crawl, faults
from tests.soak.faults import PAGES


def test_nothing_is_left_over(tmp_path: Path) -> None:
    with steady_time(), faults(7) as url:
        runs = [crawl(url, tmp_path / str(number)) for number in range(4)]
    assert len({run.resources for run in runs[1:]}) == 1
    for run in runs:
        # How many succeed in time depends on the machine; most do on an idle one.
        assert run.types["page"] >= PAGES * 0.3
        assert run.types["image"] >= PAGES * 0.3
    assert runs[-1].resident_kb - runs[1].resident_kb < 8_000


def test_half_an_hour_of_virtual_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert day.main(0.5) == 0
