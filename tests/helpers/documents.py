"""Runs the shell lines of a document, in this process where they call only orbweb."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from crawler.cli import run
from crawler.settings.seed_input import default_name
from tests.helpers.paths import PROGRAM, ROOT

HASTE = {"ORBWEB_POLITENESS_WAIT": "0", "ORBWEB_POLITENESS_PER_HOST": "8"}
SITE = "https://example.com/"


def blocks(document: str) -> list[list[str]]:
    """The lines of each block of shell code in a file of docs/."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    found = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    whole = [block.replace("\\\n", " ") for block in found]
    return [
        [line for line in block.splitlines() if line and not line.startswith("#")]
        for block in whole
    ]


def files(document: str) -> list[tuple[str, str]]:
    """The files that it shows: blocks of text whose first line is `# NAME`."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    return re.findall(r"```text\n# (\S+)\n(.*?)```", text, re.DOTALL)


class Shell:
    """A folder with the program in it; `site` stands for https://example.com/."""

    def __init__(
        self, folder: Path, site: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._folder = folder
        self._site = site
        self._monkeypatch = monkeypatch
        self._programs = folder / "bin"
        self._programs.mkdir()
        self.program("orbweb", f'exec {" ".join(PROGRAM)} "$@"')
        for name, value in {**HASTE, "TERM": "dumb"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PATH", f"{self._programs}:{os.environ['PATH']}")

    def program(self, name: str, script: str) -> None:
        """Put a script of this name before the programs of the machine."""
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def enter(self, name: str) -> Path:
        """Go into a new folder of this name."""
        folder = self._folder / name
        folder.mkdir()
        self._monkeypatch.chdir(folder)
        return folder

    def run(self, line: str) -> int:
        """The exit code of a line."""
        line = line.replace(SITE, self._site)
        line = re.sub(r"\bexample\.com\b", default_name(self._site), line)
        words = shlex.split(line, comments=True)
        if words[0] == "export" and len(words) == 2:
            name, _, value = words[1].partition("=")
            self._monkeypatch.setenv(name, value)
            return 0
        if words[0] == "orbweb" and not re.search(r"[|;&<>$]", line):
            return run(words[1:])
        return subprocess.run(["bash", "-c", line], timeout=300).returncode
