"""What the end of a crawl says where a login is missing, or a session has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.cli.running import run_tasks
from crawler.cli.task import Task
from crawler.cli.terminal.verbosity import Verbosity
from crawler.engine.builder import Crawl, open_crawl
from crawler.model.config import Config
from crawler.model.http_config import LoginConfig
from tests.helpers.crawling import config
from tests.helpers.members import PASSWORD, USER, Members, members_site
from tests.site.server import Site


@pytest.fixture
def members() -> Members:
    return Members()


@pytest.fixture
def site(members: Members) -> Iterator[Site]:
    running = members_site(members)
    yield running
    running.stop()


def shown(capsys: pytest.CaptureFixture[str], made: Config, opener: Any) -> str:
    run_tasks([Task(made, "new", opener)], Verbosity())
    return capsys.readouterr().err


def test_a_seed_that_redirects_to_a_login(
    tmp_path: Path, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    err = shown(capsys, config(site, tmp_path / "c", "/account"), open_crawl)
    assert f"the seed redirects to {site.url('/login')}, which looks like" in err


@pytest.mark.parametrize("ends", [True, False])
def test_a_session_that_ends_meanwhile(
    tmp_path: Path,
    site: Site,
    members: Members,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    ends: bool,
) -> None:
    def open_and_end(config: Config, *, mode: Any) -> Crawl:
        crawl = open_crawl(config, mode=mode)
        if ends:
            members.sessions.clear()
        return crawl

    monkeypatch.setenv("PASS", PASSWORD)
    written = site.url("/login").replace("http:", "HTTP:")
    login = LoginConfig(written, {"user": USER, "pass": "env:PASS"})
    made = config(site, tmp_path / "c", "/account", login=login)
    err = shown(capsys, made, open_and_end)
    says = "1 URL redirected to the login page: the session seems to have ended"
    assert (says in err) is ends
    assert "looks like a login" not in err
