"""Cookies and credentials from files and from the store, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.fetch.cookies.cookie import RequestContext
from crawler.fetch.cookies.jar import CookieJar
from crawler.frontier.memory import MemoryStore
from crawler.model.config import Config
from crawler.model.errors import OutputError, UsageError
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import PolitenessConfig
from crawler.workspace.credential_files import open_jar, open_session_auth, write_jar
from tests.site.server import Site

NOW = 1_700_000_000.0
A = RequestContext("a.example", "/", True)
FILE = "a.example\tFALSE\t/\tFALSE\t0\tfrom\tfile\n"


def test_cookies_are_kept_in_the_store(tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text(FILE)
    store = MemoryStore()
    jar = open_jar(str(file), store, NOW)
    jar.receive(["b=2", "c=3; Max-Age=60"], A, NOW)
    again = open_jar(str(file), store, NOW + 30)
    assert again.header(A, NOW + 30) == "from=file; b=2; c=3"
    again.receive(["from=; Max-Age=0"], A, NOW + 30)
    assert open_jar(str(file), store, NOW + 100).header(A, NOW + 100) == "b=2"


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    """A new session for a resume; JSON is told from the first character."""
    file = tmp_path / "cookies.json"
    cookie = {"name": "from", "domain": "a.example", "secure": True}
    file.write_text(json.dumps([cookie | {"value": "extension"}]))
    store = MemoryStore()
    jar = open_jar(str(file), store, NOW)
    jar.receive(["from=server; Secure", "b=2"], A, NOW)
    kept = open_jar(str(file), store, NOW)
    assert kept.header(A, NOW) == "from=server; b=2"
    file.write_text(json.dumps({"cookies": [cookie | {"value": "playwright"}]}))
    assert open_jar(str(file), store, NOW).header(A, NOW) == "from=playwright; b=2"


def test_a_jar_is_for_its_owner(tmp_path: Path) -> None:
    jar = CookieJar()
    jar.receive(["a=1"], A, NOW)
    path = tmp_path / "jar.txt"
    write_jar(str(path), jar)
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_jar(str(path), MemoryStore(), NOW).header(A, NOW) == "a=1"
    assert [file.name for file in tmp_path.iterdir()] == ["jar.txt"]


def test_files_that_can_not_be_used(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    for http in (HttpConfig(cookies=missing), HttpConfig(netrc=missing)):
        with pytest.raises(UsageError, match="missing: No such file"):
            open_session_auth(http, [], MemoryStore(), lambda: NOW)
    with pytest.raises(UsageError, match="missing/jar: there is no folder "):
        open_session_auth(
            HttpConfig(cookie_jar=f"{missing}/jar"), [], MemoryStore(), lambda: NOW
        )
    with pytest.raises(OutputError, match="missing/jar: No such file"):
        write_jar(f"{missing}/jar", CookieJar())


def test_a_crawl_lets_itself_in_and_remembers(tmp_path: Path, site: Site) -> None:
    config = Config(
        seeds=(site.base + "/bounce", site.base + "/set-cookie", site.base + "/basic"),
        dir=str(tmp_path / "crawl"),
        http=HttpConfig(cookie_jar=str(tmp_path / "jar.txt"), auth="user:secret"),
        politeness=PolitenessConfig(wait=0.0),
    )
    counts = open_crawl(config, mode="new").run().counts
    assert (counts["page"], counts["redirect"], counts["error"]) == (3, 1, 0)
    assert "known\tyes" in (tmp_path / "jar.txt").read_text()
    site.forget()
    more = replace(config, seeds=(*config.seeds, site.base + "/echo"))
    crawl = open_crawl(more, mode="resume")
    crawl.add_seeds(more.seeds)
    crawl.run()
    assert "visit=1" in site.hits("/echo")[0].headers["cookie"]
    assert (tmp_path / "crawl" / "state").stat().st_mode & 0o777 == 0o700
    assert "user:secret" not in (tmp_path / "crawl" / "records.jsonl").read_text()
