"""Logging in by a form, whole crawls: what is sent, what fails, what is kept secret."""

from __future__ import annotations

import gzip
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.cli.running import run_tasks
from crawler.cli.task import Task
from crawler.cli.terminal.verbosity import Verbosity
from crawler.engine.builder import open_crawl
from crawler.model.config import Config
from crawler.model.content_config import OutputConfig, WarcConfig
from crawler.model.errors import LoginError, Stop, UsageError
from crawler.model.http_config import LoginConfig
from crawler.model.policy_config import LimitsConfig, RobotsConfig
from tests.helpers.crawling import config, crawl, endings, of, page
from tests.helpers.members import LOGOUT, PAGES, PASSWORD, USER, Members, members_site
from tests.site.page import reply
from tests.site.server import Exchange, Site

IGNORED = RobotsConfig(obey=False)
FORM = {"user": USER, "pass": "env:MEMBER_PASSWORD"}


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBER_PASSWORD", PASSWORD)


@pytest.fixture
def members() -> Members:
    return Members()


@pytest.fixture
def site(members: Members) -> Iterator[Site]:
    running = members_site(members)
    yield running
    running.stop()


def as_member(site: Site, folder: Path, **changes: Any) -> Config:
    login = LoginConfig(site.url("/login"), changes.pop("form", FORM))
    return config(site, folder, "/account", **{"login": login} | changes)


def test_a_crawl_logs_in_and_stays_so(
    tmp_path: Path, site: Site, members: Members
) -> None:
    """The link that would end the session is a skip that names its rule."""
    told = OutputConfig(record=("skips",))
    opened = open_crawl(as_member(site, tmp_path / "c", records=told), mode="new")
    assert opened.logged_in == f"logged in at {site.base}"
    assert opened.run().exit_code == 0
    found = endings(tmp_path / "c", site)
    assert {path for path, kind in found.items() if kind == "page"} == {
        f"/{name}" for name in PAGES
    }
    assert site.hits("/users") == []
    (skip,) = of(tmp_path / "c", "skip")
    assert (skip["url"], skip["reason"]) == (site.url(LOGOUT), "logout")
    assert skip["rule"] == "login.logout_pattern: auto"
    assert found["/logout-explained"] == "error"  # 404: it was requested
    assert members.sent == [
        [("token", "t1&2"), ("user", USER), ("pass", PASSWORD), ("remember", "1"),
         ("go", "in")],
    ]  # fmt: skip
    (sent,) = site.hits("/session")
    assert sent.headers["origin"] == site.base
    assert sent.headers["referer"] == site.url("/login")


@pytest.mark.parametrize(
    "form",
    ['method="post" action="/session" enctype="multipart/form-data"',
     'action="session"', 'method="get" action="/session?old=1"',
     'METHOD=POST ACTION=/session ENCTYPE=nonsense'],
)  # fmt: skip
def test_methods_and_encodings(tmp_path: Path, members: Members, form: str) -> None:
    members.form = form
    site = members_site(members)
    assert crawl(as_member(site, tmp_path / "c")).counts["page"] == len(PAGES)
    site.stop()
    (sent,) = members.sent
    assert ("pass", PASSWORD) in sent
    assert ("token", "t1&2") in sent


@pytest.mark.parametrize("form", ["method=post action=/session", "action=/session"])
def test_the_password_is_nowhere(tmp_path: Path, members: Members, form: str) -> None:
    """Not even where the form puts it into a URL, and an archive keeps all requests."""
    members.form = form
    site = members_site(members)
    folder = tmp_path / "c"
    made = as_member(site, folder, warc=WarcConfig(write=True), robots=IGNORED)
    assert crawl(made).exit_code == 0
    site.stop()
    with_password = [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and b"s3cr3t" in _plain(path)
    ]
    assert with_password == []
    (archive,) = folder.rglob("*.warc.gz")
    assert b"/account" in _plain(archive)


def _plain(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def test_a_signal_ends_a_login_that_waits(tmp_path: Path) -> None:
    def hang(exchange: Exchange) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        exchange.sleep(300)

    site = answers(login=hang)
    with pytest.raises(Stop, match="stopped before the crawl began") as stop:
        run_tasks([Task(as_member(site, tmp_path / "c"), "new")], Verbosity())
    site.stop()
    assert stop.value.exit_code == 128 + signal.SIGTERM
    assert not (tmp_path / "c").exists()


def fails(made: Config, mode: Any = "new") -> str:
    with pytest.raises(LoginError) as caught:
        open_crawl(made, mode=mode)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.exit_code == 6
    return str(caught.value)


def test_a_wrong_password_leaves_nothing_behind(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "c"
    monkeypatch.setenv("MEMBER_PASSWORD", "wrong")
    why = fails(as_member(site, folder))
    assert "the same form came again" in why
    assert not folder.exists()
    monkeypatch.setenv("MEMBER_PASSWORD", PASSWORD)
    assert crawl(as_member(site, folder)).exit_code == 0
    records = folder / "records.jsonl"
    before = records.read_bytes()
    monkeypatch.setenv("MEMBER_PASSWORD", "wrong")
    fails(as_member(site, folder), "fresh")
    assert records.read_bytes() == before


def test_fields_that_the_page_has_not(tmp_path: Path, site: Site) -> None:
    why = fails(as_member(site, tmp_path / "c", form={"name": "x"}))
    assert "no form has the fields name" in why
    assert "user, pass, remember, news, q" in why


def test_a_literal_password_is_refused(tmp_path: Path, site: Site) -> None:
    """Also under a name that says nothing, as soon as the page says what it is."""
    with pytest.raises(UsageError, match="pass: the field is a password"):
        open_crawl(
            as_member(site, tmp_path / "c", form={"user": "x", "pass": "y"}), mode="new"
        )
    assert not (tmp_path / "c").exists()
    assert site.hits("/session") == []


def answers(**pages: Any) -> Site:
    return Site({"": page(), "robots.txt": reply(status=404), **pages})


LOGIN_FORM = "<form method=post><input name=user><input name=pass type=password></form>"


def by_method(get: str, post: Any) -> Any:
    def answer(exchange: Exchange) -> None:
        post(exchange) if exchange.hit.method == "POST" else exchange.reply(get)

    return answer


@pytest.mark.parametrize(
    ("post", "why"),
    [
        (reply("no", status=403), "answers the form with 403"),
        (reply("<p>Hello"), "the server has set no cookie"),
        (reply(status=307, headers=(("Location", "http://127.0.0.2:9/x"),)),
         "send the form on to http://127.0.0.2:9"),
        (reply(status=302, headers=(("Location", "/login"),)), "the same form came"),
        (reply(status=307, headers=(("Location", "/login"),)), "than 10 redirects"),
    ],
)  # fmt: skip
def test_answers_that_are_no_success(tmp_path: Path, post: Any, why: str) -> None:
    site = answers(login=by_method(LOGIN_FORM, post))
    assert why in fails(as_member(site, tmp_path / "c"))
    site.stop()


@pytest.mark.parametrize(
    ("html", "why"),
    [
        ("<div id=root></div><script></script>", "/login has no form"),
        (LOGIN_FORM.replace("<form", "<form action='http://127.0.0.2:9/'"),
         "its form is on another site, http://127.0.0.2:9"),
        (LOGIN_FORM.replace("<form", "<form action='javascript:send()'"),
         "its form is sent by a script"),
        ("<template>" + LOGIN_FORM + "</template>", "/login has no form"),
    ],
)  # fmt: skip
def test_pages_that_get_no_password(tmp_path: Path, html: str, why: str) -> None:
    site = answers(login=reply(html))
    assert why in fails(as_member(site, tmp_path / "c"))
    assert all(hit.method == "GET" for hit in site.log)
    site.stop()


def test_nothing_says_that_it_worked(tmp_path: Path) -> None:
    """A cookie of before, the same URL, and a login page that shows its form."""
    cookie = (("Set-Cookie", "visitor=1"),)
    form = reply(LOGIN_FORM.replace("<form", "<form action=/in"), headers=cookie)
    site = answers(login=form, **{"in": reply("<p>Try again")})
    assert "nothing has changed" in fails(as_member(site, tmp_path / "c"))
    site.stop()


def test_a_server_that_does_not_answer(tmp_path: Path, site: Site) -> None:
    made = config(
        site, tmp_path / "c", login=LoginConfig("http://127.0.0.1:1/login", FORM)
    )
    with pytest.raises(LoginError, match=r"login at .* failed") as error:
        open_crawl(made, mode="new")
    assert error.value.exit_code == 4


def test_a_resume_logs_in_where_the_session_has_ended(
    tmp_path: Path, site: Site, members: Members
) -> None:
    folder = tmp_path / "c"
    made = as_member(site, folder, limits=LimitsConfig(max_pages=2), concurrency=1)
    assert crawl(made).counts["page"] == 2
    more = as_member(site, folder, limits=LimitsConfig(max_pages=3), concurrency=1)
    opened = open_crawl(more, mode="resume")
    assert opened.logged_in == f"the session of {site.base} goes on"
    assert opened.run().counts["page"] == 3
    members.sessions.clear()
    opened = open_crawl(as_member(site, folder), mode="resume")
    assert opened.logged_in == f"logged in at {site.base}"
    assert opened.run().counts["page"] == len(PAGES)
    assert len(members.sent) == 2
