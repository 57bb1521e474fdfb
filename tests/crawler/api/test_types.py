"""A type checker finds the types of the API in a user's script, and the mistakes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT

pytest.importorskip("mypy", reason="mypy is in the extra 'dev'")

GOOD = '''
"""A user's script."""

from collections.abc import Sequence

from crawler import (
    Candidate, Config, Exchange, ImageRecord, Page, PluginDocument, Record, Skip,
    TerminalRecord, crawl, fetch,
)


class Mine:
    def check(self, candidate: Candidate) -> str | None:
        return "deep" if candidate.depth > 3 else None

    def extract(self, document: PluginDocument) -> dict[str, int]:
        return {"letters": len(document.text), "links": len(document.links)}

    def on_exchange(self, exchange: Exchange) -> None:
        print(exchange.url)

    def on_record(self, record: TerminalRecord) -> None:
        if record.type == "image":
            print(record.path)


class Sink:
    def rewind(self, position: int | None) -> None: ...
    def write(self, records: Sequence[Record]) -> None: ...
    def flush(self) -> int: return 0
    def close(self) -> None: ...


def titles(url: str) -> list[str]:
    found: list[str] = []
    records = crawl(url, dir="out", max_pages=3, plugins=[Mine(), Sink()])
    for record in records:
        if record.type == "page":
            reveal_type(record)
            found.append(record.title or "")
        elif isinstance(record, ImageRecord):
            found.append(record.path or "a duplicate")
    if records.summary is not None:
        print(records.summary.exit_code)
    return found


def one(url: str) -> str | None:
    page = fetch(url, timeout=3.0)
    if page.record.type == "error":
        return page.record.error_message
    reveal_type(page.document)
    return page.document.title if isinstance(page.document, Page) else None


for each in crawl(config=Config(seeds=("https://example.com/",)), resume=True):
    print(each.seq, each.type)
'''

WRONG = {
    "for r in crawl('u'):\n    print(r.title)": 'has no attribute "title"',
    "for r in crawl('u'):\n    if r.type == 'page':\n        print(r.path)": '"path"',
    "crawl('u', max_page=1)": 'Unexpected keyword argument "max_page"',
    "crawl('u', max_pages='many')": 'incompatible type "str"',
    "crawl('u', scope='hots')": "incompatible type",
    "crawl(3)": 'incompatible type "int"',
    "crawl('u', plugins=[object()])": "incompatible type",
    "fetch('u').title": 'has no attribute "title"',
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What mypy says about both scripts, by file."""
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "good.py").write_text(GOOD)
    code = "\n".join(WRONG)
    (folder / "wrong.py").write_text(f"from crawler import crawl, fetch\n{code}\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=",
         "--follow-imports=silent", f"--cache-dir={folder}", "good.py", "wrong.py"],
        cwd=folder, capture_output=True, text=True,
        env={"MYPYPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    return {
        name: [line for line in lines if line.startswith(f"{name}:")]
        for name in ("good.py", "wrong.py")
    }


def test_a_script_finds_its_types(told: dict[str, list[str]]) -> None:
    text = "\n".join(told["good.py"])
    assert ": error:" not in text
    assert 'Revealed type is "crawler.model.records.PageRecord"' in text
    assert "crawler.model.documents.Page" in text


def test_mistakes_are_found(told: dict[str, list[str]]) -> None:
    errors = [line for line in told["wrong.py"] if ": error:" in line]
    by_line = {int(line.split(":")[1]): line for line in errors}
    number = 1
    for code, message in WRONG.items():
        number += code.count("\n") + 1
        assert message in by_line.pop(number, ""), (code, errors)
    assert by_line == {}


def test_the_packages_say_that_they_are_typed() -> None:
    assert (ROOT / "crawler" / "py.typed").is_file()
    assert (ROOT / "hub" / "py.typed").is_file()
