"""Shell completion, in a real bash."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.helpers.paths import PROGRAM
from tests.helpers.program import Orbweb


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rec"], {"recrawl"}),
        (["crawl", "--limit"], {"--limit-rate"}),
        (["crawl", "--scope", "p"], {"prefix", "page"}),
        (
            ["crawl", "--with", ""],
            {"links", "images", "headers", "jsonld", "text", "markdown"},
        ),
        (["completion", ""], {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes_commands_options_and_values(
    tmp_path: Path, words: list[str], expected: set[str]
) -> None:
    program = tmp_path / "orbweb"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    script = f"""
        eval "$({program} completion bash)"
        COMP_WORDS=(orbweb {shlex.join(words)}); COMP_CWORD={len(words)}
        _orbweb_completion {program}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=300
    )
    assert set(done.stdout.split()) == expected, done.stderr


def test_the_shell_is_the_one_that_is_used(orbweb: Orbweb) -> None:
    assert (
        "#compdef orbweb"
        in orbweb("completion", environ={"SHELL": "/usr/bin/zsh"}).stdout
    )
    assert orbweb("completion", environ={"SHELL": "/bin/nologin"}).returncode == 2
