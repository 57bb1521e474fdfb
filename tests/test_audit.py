""".ci/advisories.py: which page of the package index it reads for a release."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest

from tests.helpers.paths import ROOT

pytest.importorskip("pip_audit", reason="pip-audit is in the extra 'dev'")

PROGRAM = ROOT / ".ci" / "advisories.py"


@pytest.fixture(scope="module")
def advisories() -> ModuleType:
    spec = importlib.util.spec_from_file_location("advisories", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Page:
    def __init__(self, status_code: int, version: str = "") -> None:
        self.status_code = status_code
        self.ok = status_code < 400
        self._version = version

    def json(self) -> Any:
        return {"info": {"version": self._version}, "vulnerabilities": []}


class Index:
    """A package index with these pages, which logs the requests."""

    def __init__(self, **pages: Page) -> None:
        self._pages = {name.replace("_", "/"): page for name, page in pages.items()}
        self.requested: list[str] = []

    def get(self, url: str, timeout: float | None) -> Page:
        path = url.removeprefix("https://index.example/").removesuffix("/json")
        self.requested.append(path)
        return self._pages.get(path, Page(404))


def get_page(advisories: ModuleType, index: Index, release: str) -> Any:
    return advisories.OrLatest(index).get(
        f"https://index.example/lxml/{release}/json", 1.0
    )


def test_a_page_of_the_release_is_enough(advisories: ModuleType) -> None:
    index = Index(lxml_2=Page(200), lxml=Page(200, "2"))
    assert get_page(advisories, index, "2").ok
    assert index.requested == ["lxml/2"]


def test_the_projects_page_answers_for_its_latest_release(
    advisories: ModuleType,
) -> None:
    index = Index(lxml=Page(200, "2"))
    assert get_page(advisories, index, "2").ok
    assert index.requested == ["lxml/2", "lxml"]


@pytest.mark.parametrize(
    "index", [Index(lxml=Page(200, "3")), Index(lxml=Page(503)), Index()]
)
def test_no_page_answers_for_another_release(
    advisories: ModuleType, index: Index
) -> None:
    assert get_page(advisories, index, "2").status_code == 404


def test_a_server_that_fails_gets_no_second_request(advisories: ModuleType) -> None:
    index = Index(lxml_2=Page(503), lxml=Page(200, "2"))
    assert get_page(advisories, index, "2").status_code == 503
    assert index.requested == ["lxml/2"]


def test_no_answer_is_a_failure(
    advisories: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> None:
        raise advisories.requests.ConnectionError("no route")

    monkeypatch.setattr(advisories._cli, "audit", unreachable)
    monkeypatch.setattr("sys.argv", ["advisories.py"])
    with pytest.raises(SystemExit, match="does not answer, nothing is known"):
        advisories.main()
