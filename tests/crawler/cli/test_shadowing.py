"""Another package named `hub` or `crawler`: one sentence and exit code 2, no traceback.

Each test starts the program as a user does: by `cli.py`, by `python -m crawler`, and by
a script as pip writes it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.cli.shadowing import overwriting_error
from tests.helpers.paths import PROGRAM, ROOT

SCRIPT = "import sys\nfrom crawler.cli import main\nsys.exit(main())\n"
"""The script `orbweb` that pip writes, without its first line."""


def start(
    folder: Path, command: list[str], *path: Path | str
) -> subprocess.CompletedProcess[str]:
    """Run `command` in `folder` with PYTHONPATH made of `path`."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300
    )


def refused(done: subprocess.CompletedProcess[str], name: str, found: Path) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"orbweb: another package named {name!r} was found at {found} instead of "
        f"{ROOT / name / '__init__.py'}; take its folder off PYTHONPATH"
    )


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with a module hub.py, a package crawler and a folder of data."""
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hub.py").write_text("raise RuntimeError('was imported')")
    (tmp_path / "crawler" / "crawler").mkdir(parents=True)
    (tmp_path / "crawler" / "crawler" / "__init__.py").write_text("x = 1")
    return tmp_path


@pytest.fixture
def script(tmp_path: Path) -> list[str]:
    path = tmp_path / "bin" / "orbweb"
    path.parent.mkdir()
    path.write_text(SCRIPT)
    return [sys.executable, str(path)]


def test_a_foreign_hub_on_the_path_of_python_m(foreign: Path) -> None:
    folder = foreign / "hub"
    done = start(folder, [sys.executable, "-m", "crawler", "-V"], ROOT)
    refused(done, "hub", folder / "hub.py")


def test_a_foreign_hub_on_the_path_of_the_script(
    foreign: Path, script: list[str]
) -> None:
    folder = foreign / "hub"
    done = start(folder, [*script, "-V"], folder, ROOT)
    refused(done, "hub", folder / "hub.py")


def test_a_foreign_hub_in_the_current_folder_alone_is_harmless(
    foreign: Path, script: list[str]
) -> None:
    for command, path in ((script, [ROOT]), (list(PROGRAM), [])):
        done = start(foreign / "hub", [*command, "-V"], *path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("orbweb ")


def test_a_folder_of_data_is_no_package(foreign: Path, script: list[str]) -> None:
    """`foreign` holds a folder hub/ without __init__.py."""
    done = start(foreign, [*script, "-V"], foreign, ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_foreign_package_before_the_checkout(foreign: Path) -> None:
    """With -P Python does not begin with the folder of `cli.py`."""
    safe = [sys.executable, "-P", PROGRAM[1], "-V"]
    folder = foreign / "crawler"
    done = start(foreign, safe, folder, ROOT)
    refused(done, "crawler", folder / "crawler" / "__init__.py")
    done = start(foreign, safe, foreign / "hub", ROOT)
    refused(done, "hub", foreign / "hub" / "hub.py")


@pytest.mark.parametrize(
    ("name", "words"),
    [("hub", ["fetch", "http://127.0.0.1:9/"]), ("crawler", ["-V"])],
)
def test_a_distribution_installed_over_ours(
    tmp_path: Path, script: list[str], name: str, words: list[str]
) -> None:
    site = tmp_path / "site"
    for package in ("hub", "crawler"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, site / package, ignore=ignored)
    (site / name / "__init__.py").write_text("theirs = 1\n")
    done = start(tmp_path, [*script, *words], site)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    where = site / name / "__init__.py"
    assert line.startswith(
        f"orbweb: the package {name!r} at {where} does not belong to orbweb; install"
    )


def test_our_own_errors_are_not_taken_for_it() -> None:
    import hub

    with pytest.raises(AttributeError) as missing:
        hub.no_such_name  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError) as unknown:
        from hub import no_such_name  # type: ignore[attr-defined]  # noqa: F401
    for error in (missing.value, unknown.value, ValueError("x")):
        assert overwriting_error(error) == ""
