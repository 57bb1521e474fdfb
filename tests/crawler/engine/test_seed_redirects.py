"""Seeds that lead elsewhere, by redirects or by a refresh: what is crawled then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.inspect.explain import explain
from crawler.inspect.state import open_state
from crawler.model.config import Config
from crawler.model.content_config import OutputConfig
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import LimitsConfig, ScopeConfig
from crawler.workspace.open import stored_config
from tests.helpers.crawling import config, crawl, link, of, page, picture
from tests.site.page import reply
from tests.site.server import Exchange, Site

Answer = Callable[[Exchange], None]


class Web:
    """Hosts of one server, by name: `answers` are by host and path."""

    def __init__(self, serve: Any, folder: Path) -> None:
        self.answers: dict[str, Answer] = {}
        names = ("index", "a", "b", "docs", "start", "robots.txt")
        self.site: Site = serve(**dict.fromkeys(names, self._answer))
        self.folder = folder

    def _answer(self, exchange: Exchange) -> None:
        host = exchange.hit.headers["host"].partition(":")[0]
        answer = self.answers.get(host + exchange.hit.target)
        if answer is None:
            exchange.reply(status=404)
        else:
            answer(exchange)

    def url(self, address: str) -> str:
        host, slash, path = address.partition("/")
        return f"http://{host}:{self.site.port}{slash}{path}"

    def page(self, address: str, *links: str, head: str = "") -> None:
        body = head + link(*(self.url(one) for one in links))
        self.answers[address] = page(body)

    def redirect(self, address: str, target: str) -> None:
        location = (("Location", self.url(target)),)
        self.answers[address] = lambda exchange: exchange.reply(
            status=302, headers=location
        )

    def refresh(self, address: str, target: str, *, header: bool = False) -> None:
        content = f"0; url={self.url(target)}"
        if header:
            fields = (("Refresh", content),)
            self.answers[address] = lambda exchange: exchange.reply(headers=fields)
        else:
            self.page(address, head=f'<meta http-equiv="refresh" content="{content}">')

    def config(self, seed: str, **scope: Any) -> Config:
        return config(
            self.site,
            self.folder,
            seeds=(self.url(seed),),
            scope=ScopeConfig(**scope),
            records=OutputConfig(record=("skips",)),
            http=HttpConfig(
                timeout=5.0,
                resolve=(f"*:{self.site.port}:127.0.0.1",),
                allow_net=("127.0.0.0/8",),
            ),
        )

    def pages(self) -> set[str]:
        """The pages that have come, as addresses."""
        port = f":{self.site.port}"
        return {
            record["url"].removeprefix("http://").replace(port, "")
            for record in of(self.folder, "page")
        }


@pytest.fixture
def web(serve: Any, tmp_path: Path) -> Web:
    return Web(serve, tmp_path)


def follow(web: Web, seed: str, **scope: Any) -> set[str]:
    crawl(web.config(seed, **scope))
    return web.pages()


GO_ON = [
    pytest.param(lambda web, *ends: web.redirect(*ends), id="redirect"),
    pytest.param(lambda web, *ends: web.refresh(*ends), id="meta refresh"),
    pytest.param(lambda web, *ends: web.refresh(*ends, header=True), id="Refresh"),
]


@pytest.mark.parametrize("go_on", GO_ON)
@pytest.mark.parametrize("within", ["host", "domain", "prefix", "page"])
def test_the_page_of_a_foreign_site_is_taken_and_no_more(
    web: Web, go_on: Any, within: str
) -> None:
    go_on(web, "site.test/", "other.test/a")
    web.page("other.test/a", "other.test/b", "site.test/b")
    web.page("other.test/b")
    web.page("site.test/b")
    found = follow(web, "site.test/", within=within) - {"site.test/"}
    back = set() if within == "page" else {"site.test/b"}
    assert found == {"other.test/a"} | back


@pytest.mark.parametrize("go_on", GO_ON)
@pytest.mark.parametrize("within", ["host", "domain", "prefix"])
@pytest.mark.parametrize(
    ("seed", "home"),
    [
        ("site.test/", "www.site.test/"),
        ("www.site.test/", "site.test/"),
        ("site.test/", "shop.site.test/"),
        ("me.github.io/", "www.me.github.io/"),
    ],
)
def test_the_same_site_under_another_name_is_crawled(
    web: Web, go_on: Any, within: str, seed: str, home: str
) -> None:
    go_on(web, seed, home)
    web.page(home, f"{home}a", "other.test/b")
    web.page(f"{home}a")
    web.page("other.test/b")
    assert follow(web, seed, within=within) - {seed} == {home, f"{home}a"}


@pytest.mark.parametrize("go_on", GO_ON)
def test_of_the_seeds_alone_the_last_page_is_taken(web: Web, go_on: Any) -> None:
    go_on(web, "site.test/", "www.site.test/")
    web.page("www.site.test/", "www.site.test/a")
    web.page("www.site.test/a")
    found = follow(web, "site.test/", within="page") - {"site.test/"}
    assert found == {"www.site.test/"}


@pytest.mark.parametrize("go_on", GO_ON)
def test_where_a_seed_goes_on_is_no_deeper(web: Web, go_on: Any) -> None:
    go_on(web, "site.test/", "www.site.test/")
    web.page("www.site.test/", "www.site.test/a")
    web.page("www.site.test/a")
    found = follow(web, "site.test/", depth=0) - {"site.test/"}
    assert found == {"www.site.test/"}
    (last,) = [r for r in of(web.folder, "page") if "www." in r["url"]]
    assert last["depth"] == 0
    assert [hop["url"] for hop in last["redirects"]] == [web.url("site.test/")]


@pytest.mark.parametrize("go_on", GO_ON)
def test_a_host_that_is_only_passed_through_does_not_join(web: Web, go_on: Any) -> None:
    go_on(web, "site.test/", "login.site.test/a")
    go_on(web, "login.site.test/a", "www.site.test/")
    web.page("www.site.test/", "www.site.test/a", "login.site.test/b")
    web.page("www.site.test/a")
    web.page("login.site.test/b")
    found = follow(web, "site.test/") - {"site.test/", "login.site.test/a"}
    assert found == {"www.site.test/", "www.site.test/a"}


def test_never_and_any(web: Web) -> None:
    web.redirect("site.test/", "www.site.test/")
    web.redirect("www.site.test/", "other.test/")
    web.page("other.test/", "other.test/a", "www.site.test/b")
    web.page("other.test/a")
    web.page("www.site.test/b")
    web.folder = web.folder / "any"
    assert follow(web, "site.test/", follow_redirect="any") == {
        "other.test/", "other.test/a",
    }  # fmt: skip
    web.redirect("site.test/", "www.site.test/a")
    web.page("www.site.test/a", "www.site.test/b")
    web.folder = web.folder / "never"
    found = follow(web, "site.test/", follow_redirect="never")
    assert found == {"www.site.test/a"}


@pytest.mark.parametrize(
    ("seed", "target", "inside", "outside"),
    [
        ("site.test/docs/", "www.site.test/docs/", "www.site.test/docs/a",
         "www.site.test/a"),
        ("site.test/docs/", "site.test/start/", "site.test/start/a", "site.test/a"),
        ("site.test/docs/", "site.test/", "site.test/docs/a", "site.test/a"),
        ("site.test/docs/", "www.site.test/", "www.site.test/docs/a",
         "www.site.test/a"),
    ],
)  # fmt: skip
def test_prefix(web: Web, seed: str, target: str, inside: str, outside: str) -> None:
    web.redirect(seed, target)
    web.page(target, inside, outside)
    web.page(inside)
    web.page(outside)
    assert follow(web, seed, within="prefix") == {target, inside}


def test_only_the_first_refresh_leads_out_of_the_scope(web: Web) -> None:
    head = "".join(
        f'<meta http-equiv="refresh" content="0; url={web.url(target)}">'
        for target in ("other.test/a", "other.test/b")
    )
    web.page("site.test/", head=head)
    web.page("other.test/a")
    web.page("other.test/b")
    assert follow(web, "site.test/") == {"site.test/", "other.test/a"}


def test_a_refresh_of_another_page_is_a_link(web: Web) -> None:
    web.page("site.test/", "site.test/a")
    web.refresh("site.test/a", "www.site.test/")
    web.page("www.site.test/")
    assert follow(web, "site.test/") == {"site.test/", "site.test/a"}


def test_refreshes_without_end_are_links_after_some(web: Web) -> None:
    for n in range(9):
        web.refresh(f"{n}.site.test/", f"{n + 1}.site.test/")
    limited = replace(web.config("0.site.test/"), limits=LimitsConfig(max_redirects=3))
    crawl(limited)
    assert web.pages() == {f"{n}.site.test/" for n in range(4)}


def test_a_page_with_links_that_refreshes_itself_is_no_end(web: Web) -> None:
    head = f'<meta http-equiv="refresh" content="60; url={web.url("www.site.test/b")}">'
    web.redirect("site.test/", "www.site.test/")
    web.page("www.site.test/", "www.site.test/a", head=head)
    web.page("www.site.test/a")
    web.page("www.site.test/b")
    assert follow(web, "site.test/") == {
        "www.site.test/", "www.site.test/a", "www.site.test/b",
    }  # fmt: skip


def test_the_log_and_explain_say_it(web: Web) -> None:
    web.redirect("site.test/", "www.site.test/")
    web.page("www.site.test/", "www.site.test/a")
    web.page("www.site.test/a")
    other = web.url("sold.test/")
    web.redirect("sold.test/", "other.test/")
    web.page("other.test/", "other.test/a")
    settings = web.config("site.test/")
    told: list[str] = []
    subject = open_crawl(replace(settings, seeds=(*settings.seeds, other)), mode="new")
    subject.events.on_notice(told.append)
    subject.run()
    home, foreign = web.url("www.site.test/"), web.url("other.test/")
    option = "(scope.follow_redirect: same-domain)"
    joins = (
        f"the seed {settings.seeds[0]} leads to {home}, and links there are followed "
        f"{option}"
    )
    stays_out = (
        f"the seed {other} leads to {foreign}, outside the scope: links there are not "
        f"followed {option}"
    )
    assert sorted(told) == sorted([joins, stays_out])
    with open_state(web.folder) as (state, stored):
        for url, allowed, words in (
            (f"{home}a", True, joins),
            (f"{foreign}a", False, stays_out),
            (web.url("site.test/"), True, None),
        ):
            found = explain(state, stored, url, 0.0)
            assert (found.scope.allowed, found.seed_redirect) == (allowed, words)
        there = explain(state, stored, foreign, 0.0).scope
        assert (there.allowed, there.rule) == (True, f"the seed {other} leads here")


def test_it_holds_after_a_resume_and_in_a_recrawl(web: Web) -> None:
    web.redirect("site.test/", "www.site.test/")
    web.page("www.site.test/", "www.site.test/a", "other.test/a")
    web.page("www.site.test/a", "www.site.test/b")
    web.page("www.site.test/b")
    web.page("other.test/a")
    crawl(replace(web.config("site.test/"), limits=LimitsConfig(max_pages=1)))
    assert web.pages() == {"www.site.test/"}
    crawl(replace(stored_config(web.folder), limits=LimitsConfig()), "resume")
    whole = {"www.site.test/", "www.site.test/a", "www.site.test/b"}
    assert web.pages() == whole
    web.site.forget()
    again = stored_config(web.folder)
    open_crawl(replace(again, scope=ScopeConfig(depth=9)), mode="newer").run()
    assert len(web.site.hits("/b")) == 1
    web.site.forget()
    narrow = replace(again, scope=ScopeConfig(follow_redirect="never"))
    open_crawl(narrow, mode="newer").run()
    assert {hit.target for hit in web.site.log} - {"/robots.txt"} == {"/"}


@pytest.mark.parametrize(
    ("end", "asked"), [("www.site.test/", True), ("other.test/", False)]
)
def test_sitemaps_of_a_foreign_site_are_left_alone(
    web: Web, end: str, asked: bool
) -> None:
    host = end.removesuffix("/")
    robots = f"Sitemap: {web.url(host + '/a')}\n"
    web.answers[f"{host}/robots.txt"] = reply(robots, "text/plain")
    entry = f"<url><loc>{web.url(host + '/b')}</loc></url>"
    web.answers[f"{host}/a"] = reply(f"<urlset>{entry}</urlset>", "text/xml")
    web.redirect("site.test/", end)
    web.page(end)
    web.page(f"{host}/b")
    found = follow(web, "site.test/", sitemaps=True)
    assert found == ({end, f"{host}/b"} if asked else {end})
    assert bool(web.site.hits("/a")) is asked


def test_sitemaps_of_a_redirected_seed_wait_until_its_page_has_come(web: Web) -> None:
    came = threading.Event()

    def sitemap(exchange: Exchange) -> None:
        came.set()
        entry = f"<url><loc>{web.url('www.site.test/b')}</loc></url>"
        exchange.reply(f"<urlset>{entry}</urlset>", "text/xml")

    def late(exchange: Exchange) -> None:
        came.wait(0.5)  # a sitemap that is requested now overtakes the page
        exchange.reply("<p>late")

    robots = f"Sitemap: {web.url('www.site.test/a')}\n"
    web.answers["www.site.test/robots.txt"] = reply(robots, "text/plain")
    web.answers["www.site.test/a"] = sitemap
    web.answers["www.site.test/"] = late
    web.page("www.site.test/b")
    web.redirect("site.test/", "www.site.test/")
    found = follow(web, "site.test/", sitemaps=True)
    assert found == {"www.site.test/", "www.site.test/b"}


def test_sitemaps_of_a_host_that_has_only_pictures_are_left_alone(web: Web) -> None:
    image = web.url("pictures.test/b")
    web.answers["site.test/"] = page(picture(image))
    robots = f"Sitemap: {web.url('pictures.test/a')}\n"
    web.answers["pictures.test/robots.txt"] = reply(robots, "text/plain")
    follow(web, "site.test/", sitemaps=True)
    assert len(web.site.hits("/b")) == 1
    assert web.site.hits("/a") == []
