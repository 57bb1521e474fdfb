"""The types of the hub: mypy finds the errors of `typing_cases.py`, and no others."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

pytest.importorskip("mypy")

CASES = Path(__file__).with_name("typing_cases.py")
_ERROR = re.compile(rf"{CASES.name}:(\d+): error: (.*)  \[([a-z-]+)\]$")


def expected() -> set[tuple[int, str]]:
    lines = enumerate(CASES.read_text().splitlines(), start=1)
    marked = ((number, re.search(r"  # E: ([a-z-]+)$", line)) for number, line in lines)
    return {(number, match[1]) for number, match in marked if match}


def test_mypy_finds_what_it_must_and_nothing_else(tmp_path: Path) -> None:
    assert len(expected()) > 30
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--cache-dir",
         str(tmp_path), "--config-file", "", "--follow-imports", "silent", str(CASES)],
        capture_output=True, text=True, cwd=ROOT, timeout=300,
    )  # fmt: skip
    found = [
        match for line in done.stdout.splitlines() if (match := _ERROR.search(line))
    ]
    errors = {(int(match[1]), match[3]): match[2] for match in found}
    assert done.returncode == 1, done.stdout + done.stderr
    missed = expected() - errors.keys()
    wrong = {where: errors[where] for where in errors.keys() - expected()}
    assert (missed, wrong) == (set(), {})


def test_the_package_says_that_it_has_types() -> None:
    assert (ROOT / "hub" / "py.typed").exists()
