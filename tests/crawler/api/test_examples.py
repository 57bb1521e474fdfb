"""The examples in docstrings of public names and in docs/api.md give what they show."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import crawler
from tests.helpers.example_site import example_site, localise
from tests.helpers.paths import ROOT
from tests.site.server import Site

UNIONS = {"AnyRecord", "Document", "Plugin", "TerminalRecord"}
"""Names that are types put together, and so have no docstring of their own."""


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    with example_site() as site:
        yield site


def run_examples(name: str, text: str, site: Site) -> doctest.TestResults:
    test = doctest.DocTestParser().get_doctest(
        localise(text, site), {}, name, name, None
    )
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    results = runner.run(test, out=told.append)
    assert results.failed == 0, "".join(told)
    return results


@pytest.mark.parametrize("name", sorted({*crawler.__all__} - UNIONS))
def test_every_public_name_has_an_example_that_runs(
    name: str, web: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = inspect.getdoc(getattr(crawler, name)) or ""
    assert run_examples(name, text, web).attempted > 0


def test_the_examples_of_the_document(
    web: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert run_examples("api.md", text, web).attempted > 10


def test_these_tests_can_fail(web: Site) -> None:
    with pytest.raises(AssertionError, match="Expected:"):
        run_examples("wrong", ">>> 1 + 1\n3\n", web)


def test_public_names_are_complete() -> None:
    assert crawler.__all__ == sorted(crawler.__all__)
    listed: set[str] = set()
    for names in crawler._NAMES.values():
        listed.update(names)
    assert listed == {*crawler.__all__}
    for name in crawler.__all__:
        assert name in dir(crawler)
        value: Any = getattr(crawler, name)
        assert value is not None


def test_an_import_of_the_package_loads_nothing() -> None:
    script = (
        "import sys, crawler; print(len([m for m in sys.modules if 'crawler' in m]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "1"


def test_fetch_is_the_function_whatever_was_imported() -> None:
    import crawler.fetch.client  # binds the room `fetch`, which has that name too

    assert inspect.isfunction(crawler.fetch)
    assert sys.modules["crawler.fetch"].__name__ == "crawler.fetch"


def test_help_reads_as_a_manual() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import crawler; help(crawler)"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    for words in (
        "A first crawl",
        "for record in crawl(",
        "Plug-ins",
        "Where to go on",
    ):
        assert words in done.stdout
