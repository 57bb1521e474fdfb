"""The Dockerfile and the systemd units name what exists in this project."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.engine.exit_status import DONE, URLS_WAIT
from crawler.model.errors import (
    OutOfMemoryError,
    OutputError,
    StateError,
    UsageError,
)
from tests.helpers.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
UNITS = sorted((ROOT / "docs" / "systemd").glob("*.service"))


def instructions() -> Iterator[tuple[str, str]]:
    """The instructions of the Dockerfile with their arguments, lines joined."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, text.splitlines()):
        name, _, rest = line.partition(" ")
        yield name, rest.strip()


def given(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def test_what_is_copied_exists_and_is_sent_to_the_builder() -> None:
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for rest in given("COPY"):
        words = rest.split()
        if words[0].startswith("--from"):
            continue
        for source in words[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignore
    readme = PROJECT["readme"]
    assert readme in shlex.split(" ".join(given("COPY")))


def test_what_is_installed_is_declared() -> None:
    [extras] = [rest.removeprefix("EXTRAS=") for rest in given("ARG")]
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert "text" in extras.split(",")  # the tour of the README uses it; no pip there
    [installed] = [rest for rest in given("RUN") if " install --no-cache-dir" in rest]
    wheels = re.search(r"/wheels/(\w+)-\*\.whl", installed)
    assert wheels is not None
    assert wheels[1] == PROJECT["name"]
    assert f'"{PROJECT["name"]}[$EXTRAS] @ file://' in installed
    wheel = [rest for rest in given("RUN") if " wheel " in rest]
    assert len(wheel) == 1
    assert "--wheel-dir /wheels ." in wheel[0]


def test_the_images_python_is_a_supported_one() -> None:
    for image in given("FROM"):
        version = re.match(r"python:(\d\.\d+)-slim\b", image)
        assert version is not None
        supported = f"Programming Language :: Python :: {version[1]}"
        assert supported in PROJECT["classifiers"]


def test_the_entry_point_is_our_script_and_no_root_runs_it() -> None:
    [[program]] = [json.loads(rest) for rest in given("ENTRYPOINT")]
    folder, name = program.rsplit("/", 1)
    assert name in PROJECT["scripts"]
    venv = folder.removesuffix("/bin")
    assert f"python3 -m venv {venv}" in given("RUN")
    assert f"--from=build {venv} {venv}" in given("COPY")
    [user] = given("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert given("VOLUME") == given("WORKDIR")[-1:]
    names = [name for name, _ in instructions()]
    assert names.index("USER") < names.index("ENTRYPOINT")


def settings(unit: Path) -> dict[str, str]:
    text = unit.read_text("utf-8").replace("\\\n", " ")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def test_a_crawl_is_restarted_after_what_a_restart_can_mend() -> None:
    found = settings(ROOT / "docs" / "systemd" / "orbweb@.service")
    never = {int(code) for code in found["RestartPreventExitStatus"].split()}
    assert {UsageError.exit_code, OutputError.exit_code, StateError.exit_code} < never
    assert not never & {DONE, 1, 4, OutOfMemoryError.exit_code, URLS_WAIT}
    assert str(URLS_WAIT) in found["SuccessExitStatus"].split()
    assert found["RestartForceExitStatus"] == str(URLS_WAIT)
    assert found["KillMode"] == "mixed"  # SIGTERM is for the crawl alone


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_call_commands_that_exist(unit: Path) -> None:
    from crawler.cli import COMMANDS

    calls = re.findall(r"/opt/orbweb/bin/orbweb (\w+)", unit.read_text("utf-8"))
    assert calls
    assert set(calls) <= set(COMMANDS)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text("utf-8").replace("/opt/orbweb/bin/orbweb", "/bin/true")
    copy = tmp_path / unit.name
    copy.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_unit_begins_a_crawl_and_then_resumes_it(tmp_path: Path) -> None:
    """Its command is run by the shell, with a program that says what it is called for.

    There is a crawl once that has been begun.
    """
    found = settings(ROOT / "docs" / "systemd" / "orbweb@.service")["ExecStart"]
    program = tmp_path / "orbweb"
    program.write_text(
        "#!/bin/sh\n"
        'case $1 in status) test -e begun;; *) echo "$1"; touch begun;; esac\n'
    )
    program.chmod(0o755)
    command = shlex.split(found.replace("/opt/orbweb/bin/orbweb", str(program)))
    for expected in ("crawl", "resume"):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (done.stdout.strip(), done.stderr) == (expected, "")
