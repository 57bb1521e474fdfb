"""A program that is killed in its loop: the next loop is given all that is left."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.crawling import link, page
from tests.helpers.paths import ROOT
from tests.site.server import Site

LOOP = """
import sys
from crawler import crawl

url, resume = sys.argv[1], sys.argv[2] == "resume"
for record in crawl(
    url, dir="out", resume=resume, wait=0, per_host=4, traps=False, robots=False,
    concurrency=4,
):
    print(record.seq, flush=True)
"""


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    site = Site({"": page(*[link(f"/p/{n}") for n in range(600)]), "p": page("x")})
    yield site
    site.stop()


def loop(folder: Path, url: str, how: str, kill_after: int | None = None) -> list[int]:
    """The `seq` of the records that a loop was given, until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP, url, how],
        cwd=folder, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    given = []
    with process.stdout as lines:
        for line in lines:
            given.append(int(line))
            if len(given) == kill_after:
                process.send_signal(signal.SIGKILL)
                break
    process.wait(timeout=60)
    return given


def test_nothing_is_missed_when_the_program_is_killed(
    web: Site, tmp_path: Path
) -> None:
    given = [loop(tmp_path, web.url("/"), "new", kill_after=100)]
    for number in (50, 200):
        given.append(loop(tmp_path, web.url("/"), "resume", kill_after=number))
    given.append(loop(tmp_path, web.url("/"), "resume"))
    for before, after in itertools.pairwise(given):
        assert after[0] <= before[-1] + 1
        assert after == list(range(after[0], after[-1] + 1))
    ended = {one for part in given for one in part}
    assert ended == set(range(1, max(ended) + 1))
    assert len(ended) >= 601
