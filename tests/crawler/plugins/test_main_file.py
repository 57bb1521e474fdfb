"""Programs whose own main file defines the plug-in, which the child process imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.example_site import example_site
from tests.helpers.paths import ROOT
from tests.site.server import Site

PLUGIN = """
from crawler import UsageError, crawl, fetch

class Shout:
    def __init__(self, mark):
        self.mark = mark

    def extract(self, document):
        return {"title": document.title.upper() + self.mark}

def main(url):
    print(fetch(url, plugins=[Shout("!")]).record.data)
    for record in crawl(url, dir="out", wait=0, images=False, plugins=[Shout("?")]):
        if record.type == "page":
            print(record.data)
"""


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    with example_site() as site:
        yield site


def python(folder: Path, *arguments: str, text: str = "") -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, input=text, capture_output=True, text=True, timeout=60,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    return done.stdout, done.stderr


def guarded(web: Site) -> str:
    return f"{PLUGIN}\nif __name__ == '__main__':\n    main({web.url('/')!r})\n"


EXPECTED = "{'title': 'HOME!'}\n{'title': 'HOME?'}\n{'title': 'ABOUT?'}\n"


def test_a_script_may_define_its_plugins(web: Site, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(guarded(web))
    assert python(tmp_path, "script.py") == (EXPECTED, "")


def test_a_module_may_be_the_main_file(web: Site, tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "names.py").write_text("HERE = True\n")
    (package / "run.py").write_text(f"from .names import HERE\n{guarded(web)}")
    assert python(tmp_path, "-m", "shop.run") == (EXPECTED, "")


def test_a_script_without_the_guard_is_told_about_it(web: Site, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"{PLUGIN}\nmain({web.url('/')!r})\n")
    out, err = python(tmp_path, "script.py")
    assert out == ""
    assert 'under `if __name__ == "__main__":`' in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_session_is_told_to_use_a_file(web: Site, tmp_path: Path) -> None:
    out, err = python(tmp_path, "-", text=f"{PLUGIN}\nmain({web.url('/')!r})\n")
    assert out == ""
    assert "put it in a file" in err.splitlines()[-1]
