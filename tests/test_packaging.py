"""The wheel: complete, with the command, and without a top-level module `cli`.

The wheel is built by the setuptools of the test environment: no network is used.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.helpers.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def can_build() -> bool:
    """The form of `license` in pyproject.toml needs setuptools 77."""
    try:
        return int(version("setuptools").partition(".")[0]) >= 77
    except ImportError:
        return False


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    if not can_build():
        pytest.skip("setuptools 77 is in the extra 'test'")
    tree = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("crawler", "hub", "tests"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "cli.py"):
        shutil.copy(ROOT / name, tree)
    code = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return ZipFile(tree / done.stdout.splitlines()[-1])


def metadata(wheel: ZipFile, file: str) -> str:
    folder = f"{PROJECT['name']}-{PROJECT['version']}.dist-info"
    return wheel.read(f"{folder}/{file}").decode()


def test_the_wheel_holds_every_file_of_the_packages(wheel: ZipFile) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for package in ("crawler", "hub")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".md")
    }
    assert {"crawler/py.typed", "hub/py.typed", "crawler/__main__.py"} < files
    assert files - set(wheel.namelist()) == set()


def test_the_wheel_has_two_packages_and_no_module_beside_them(wheel: ZipFile) -> None:
    tops = {Path(name).parts[0] for name in wheel.namelist()}
    info = f"{PROJECT['name']}-{PROJECT['version']}.dist-info"
    assert tops == {"crawler", "hub", info}
    assert metadata(wheel, "top_level.txt").split() == ["crawler", "hub"]


def test_the_command_is_in_the_wheel(wheel: ZipFile) -> None:
    scripts = ConfigParser()
    scripts.read_string(metadata(wheel, "entry_points.txt"))
    assert dict(scripts["console_scripts"]) == {"orbweb": "crawler.cli:main"}


def test_the_license_is_in_the_wheel(wheel: ZipFile) -> None:
    assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text("utf-8")


def test_the_wheel_runs(wheel: ZipFile, tmp_path: Path) -> None:
    """As pip unpacks it, with nothing of the checkout on the module path."""
    wheel.extractall(tmp_path)
    for words in (["-V"], ["schema"], ["config", "init"]):
        done = subprocess.run(
            [sys.executable, "-m", "crawler", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_no_address_is_given_that_is_not_ours() -> None:
    """The project has no public address yet, so none may be claimed."""
    assert "urls" not in PROJECT
    text = (ROOT / "crawler" / "fetch" / "http1" / "request.py").read_text("utf-8")
    assert "pypi.org" not in text


def test_the_versions_agree() -> None:
    from crawler import __version__

    assert PROJECT["version"] == __version__
