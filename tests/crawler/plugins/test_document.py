"""The plug-ins of docs/plugins.md, each as the one file that the document shows."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.crawling import records
from tests.helpers.example_site import example_site
from tests.helpers.paths import ROOT
from tests.site.server import Site

TEXT = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", TEXT, re.DOTALL))


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    with example_site() as site:
        yield site


class Folder:
    """A working directory with the plug-ins of the document."""

    def __init__(self, path: Path, web: Site) -> None:
        self.path = path
        self._web = web
        for name, code in FILES.items():
            (path / name).write_text(code)

    def orbweb(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        script = f"import sys; sys.path.append({str(ROOT)!r}); "
        script += "sys.path.remove(''); from crawler.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=self.path, capture_output=True, text=True,
        )  # fmt: skip

    def crawl(self, *arguments: str) -> list[dict[str, Any]]:
        url = self._web.url("/")
        done = self.orbweb("crawl", url, "-d", "out", "-w", "0", "-q", *arguments)
        assert done.returncode == 0, done.stderr
        return records(self.path / "out")


@pytest.fixture
def folder(tmp_path: Path, web: Site) -> Folder:
    return Folder(tmp_path, web)


def test_the_document_has_four_plugins() -> None:
    assert sorted(FILES) == [
        "blocklist.py", "headings.py", "pages_csv.py", "traffic.py"
    ]  # fmt: skip


def test_a_check_refuses_urls_by_a_list(folder: Folder, web: Site) -> None:
    (folder.path / "blocked.txt").write_text(f"{web.url('/about')}\n")
    (folder.path / "c.toml").write_text(
        '[[plugin]]\nuse = "blocklist:Blocklist"\nfile = "blocked.txt"\n'
    )
    found = folder.crawl("--config", "c.toml", "--record", "skips")
    (skip,) = [one for one in found if one["type"] == "skip"]
    assert (skip["url"], skip["reason"]) == (web.url("/about"), "plugin")
    assert skip["rule"] == "plug-in blocklist:Blocklist: on the blocklist"
    told = folder.orbweb("explain", web.url("/about"), "out")
    assert "plug-in blocklist:Blocklist: on the blocklist" in told.stdout
    (folder.path / "blocklist.py").unlink()
    told = folder.orbweb("explain", web.url("/data.csv"), "out")
    assert told.returncode == 0
    assert "unknown   plug-in 'blocklist:Blocklist' can't be imported" in told.stdout
    told = folder.orbweb("resume", "out")
    assert told.returncode == 2
    assert "plug-in 'blocklist:Blocklist' can't be imported" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_field_from_the_first_heading(folder: Folder) -> None:
    found = folder.crawl("--plugin", "headings:FirstHeading")
    pages = {one["title"]: one["data"] for one in found if one["type"] == "page"}
    assert pages == {"Home": {"h1": "Welcome"}, "About": {"h1": "About us"}}


def test_a_listener_counts_bytes_per_host(folder: Folder) -> None:
    found = folder.crawl("--plugin", "traffic:BytesPerHost")
    counted = json.loads((folder.path / "bytes_per_host.json").read_text())
    (host,) = counted
    wire_bytes = sum(one.get("wire_bytes", 0) for one in found if one["type"] != "run")
    assert counted[host] >= wire_bytes > 0


def test_a_sink_writes_csv_and_goes_back(folder: Folder, web: Site) -> None:
    folder.crawl("--plugin", "pages_csv:PagesCsv", "-n", "1")
    table = folder.path / "pages.csv"
    assert list(csv.reader(table.read_text().splitlines())) == [
        [web.url("/"), "200", "Home"]
    ]
    with table.open("a") as file:
        file.write("written,but not,committed\n")
    done = folder.orbweb("resume", "out", "-q")
    assert done.returncode == 0, done.stderr
    assert [row[2] for row in csv.reader(table.read_text().splitlines())] == [
        "Home"
    ]  # still at 1 page
