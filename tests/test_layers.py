"""The import contracts of pyproject.toml hold, and each of them can be broken.

A contract that no import could break says nothing. So each is shown to fail on a copy
of the tree with one wrong import added.
"""

import re
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

pytest.importorskip("importlinter", reason="import-linter is in the extra 'dev'")

LINTER = Path(sysconfig.get_path("scripts")) / "lint-imports"

# Contract -> the module that sins, and how.
SINS = {
    "hub-knows-no-crawler": ("hub/timers.py", "import crawler.model.url"),
    "hub-rungs": ("hub/timers.py", "import hub.socket"),
    "rooms": ("crawler/extract/__init__.py", "import crawler.fetch.client"),
    "fetch": ("crawler/fetch/http1/parser.py", "import crawler.fetch.connect.pool"),
    "settings": ("crawler/settings/checks.py", "import crawler.settings.load"),
    "concrete-stores": ("crawler/engine/engine.py", "import crawler.frontier.sqlite"),
    "who-may-switch": ("crawler/engine/committer.py", "import hub"),
    "no-io": ("crawler/model/url.py", "import time"),
}


def lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINTER, "--no-logo", "--no-cache", *options],
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the contracts speak about; it keeps all of them."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in ("hub", "crawler"):
        shutil.copytree(
            ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    assert lint(copy).returncode == 0
    return copy


def test_every_contract_is_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_contract_has_a_sin_against_it() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = config["tool"]["importlinter"]["contracts"]
    assert {contract["id"] for contract in contracts} == {*SINS}


@pytest.mark.parametrize("contract", SINS)
def test_a_contract_can_be_broken(contract: str, tree: Path) -> None:
    name, sin = SINS[contract]
    sinner = tree / name
    innocent = sinner.read_text()
    try:
        sinner.write_text(f"{innocent}\n{sin}\n")
        result = lint(tree, "--contract", contract)
    finally:
        sinner.write_text(innocent)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout


def test_no_test_file_imports_from_another() -> None:
    """What several tests need is in tests/helpers."""
    line = re.compile(r"^\s*(?:from|import) tests\.(?:\w+\.)*test_\w+", re.MULTILINE)
    files = [*(ROOT / "tests").rglob("*.py")]
    assert len(files) > 100
    assert [str(path) for path in files if line.search(path.read_text())] == []


def test_no_file_of_the_crawler_is_long() -> None:
    """A file that grows beyond 400 lines has more than one subject."""
    files = [*(ROOT / "crawler").rglob("*.py")]
    assert len(files) > 150
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    assert [str(path) for path, lines in lengths.items() if lines > 400] == []
