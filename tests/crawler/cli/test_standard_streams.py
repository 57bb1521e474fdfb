"""Standard streams that are closed or full when the program starts, or not read."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from crawler.demo.server import DemoServer
from tests.helpers.paths import PROGRAM
from tests.helpers.program import QUICK, kinds, records


def without(
    redirection: str, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[bytes]:
    """The program, started by a shell that closes one of its standard descriptors."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *PROGRAM, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=300)


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_descriptor_is_not_reused_for_a_file(
    server: DemoServer, tmp_path: Path, redirection: str
) -> None:
    """If the state or the records got its number, messages would be written there."""
    done = without(
        redirection, tmp_path, "crawl", server.url, *QUICK, "-d", "out", "-v"
    )
    assert done.returncode == 0
    rows = records(tmp_path / "out" / "records.jsonl")
    assert kinds(rows)["page"] > 5
    asked = without(redirection, tmp_path, "urls", "out")
    assert asked.returncode == (3 if ">&-" in redirection.replace("2>&-", "") else 0)


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_output_that_cannot_be_written_is_an_error(
    tmp_path: Path, redirection: str
) -> None:
    done = without(redirection, tmp_path, "schema")
    assert done.returncode == 3
    assert re.fullmatch(rb"orbweb: stdout can't be written: [ \w]+\n", done.stderr)


def test_records_for_a_closed_stdout_are_an_error(
    server: DemoServer, tmp_path: Path
) -> None:
    done = without(">&-", tmp_path, "crawl", server.url, *QUICK, "-d", "out", "-o", "-")
    assert done.returncode == 3
    assert b"stdout can't be written" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["robots", "{site}/storeroom/"], 9),
        (["robots", "{site}/", "--json"], 0),
        (["fetch", "{site}/no-such-page"], 10),
        (["fetch", "{site}/", "--json"], 0),
        (["doctor", "/proc/none"], 3),
    ],
)
def test_a_reader_that_has_left_does_not_change_the_exit_code(
    server: DemoServer, tmp_path: Path, words: list[str], code: int
) -> None:
    """`set -o pipefail; orbweb robots URL | head -1` tells what was asked."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [*PROGRAM, *(word.format(site=server.url.rstrip("/")) for word in words)],
        cwd=tmp_path,
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=300,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (code, b"")
