"""crawler/extract/README.md: its files exist, and its examples can be imported."""

from __future__ import annotations

import re

import pytest

from tests.helpers.paths import ROOT

ROOM = ROOT / "crawler" / "extract"
TEXT = (ROOM / "README.md").read_text(encoding="utf-8")


def test_the_files_of_the_table_are_those_of_the_room() -> None:
    named = set(re.findall(r"^\| `([\w.]+(?:/|\.py))` \|", TEXT, re.MULTILINE))
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in ROOM.iterdir()
        if not path.name.startswith("__") and path.name != "README.md"
    }
    assert named == there


@pytest.mark.parametrize("line", re.findall(r"^from .+ import .+$", TEXT, re.MULTILINE))
def test_an_import_of_an_example_works(line: str) -> None:
    exec(line, {})
