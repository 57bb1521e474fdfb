"""`scope.check_external`: links out of scope are requested once, and not followed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.cli.terminal.result_line import result_line
from crawler.frontier.sqlite.database import STATE_FOLDER
from crawler.inspect.audit.audit import audit
from crawler.inspect.explain import explain
from crawler.inspect.links import Chosen, list_links
from crawler.inspect.state import open_state
from crawler.inspect.status import read_status
from crawler.model.policy_config import LimitsConfig, ScopeConfig
from tests.helpers.crawling import config, crawl, endings, page, picture, records, serve
from tests.site.page import reply
from tests.site.server import Exchange, Handler, Site

__all__ = ["serve"]

EXTERNAL = ScopeConfig(check_external=True)


def only_get(answer: Handler, status: int = 405) -> Handler:
    """Answers HEAD with `status`."""

    def handle(exchange: Exchange) -> None:
        refused = exchange.hit.method == "HEAD"
        (reply(status=status) if refused else answer)(exchange)

    return handle


def requests(site: Site) -> Counter[tuple[str, str]]:
    return Counter((hit.method, hit.target) for hit in site.log)


def links_to(other: Site, *paths: str) -> str:
    return "".join(f"<a href={other.url(path)}>{path}</a>" for path in paths)


def by_path(folder: Path, other: Site) -> dict[str, dict[str, Any]]:
    found = [
        one for one in records(folder) if one.get("url", "").startswith(other.base)
    ]
    return {
        one["url"].removeprefix(other.base): one
        for one in found
        if one["type"] != "robots"
    }


def test_they_are_asked_for_once_and_not_followed(serve: Any, tmp_path: Path) -> None:
    other = serve(
        robots=reply("User-agent: *\nDisallow: /no", "text/plain"),
        fine=page("<a href=/further>not followed</a><img src=/i.png>"),
        old=reply(status=301, headers=(("Location", "/fine"),)),
        moved=reply(status=302, headers=(("Location", "/later"),)),
        later=reply(b"%PDF", "application/pdf"),
        strict=only_get(page("x")),
        odd=only_get(page("x"), 404),
    )
    paths = ["/fine", "/gone", "/no", "/old", "/moved", "/strict", "/odd"]
    site = serve(
        index=page("<a href=/a>a</a>", links_to(other, *paths)),
        a=page(links_to(other, *paths)),
    )
    summary = crawl(config(site, tmp_path, scope=EXTERNAL))
    site.stop()
    other.stop()
    assert requests(other) == Counter(
        [
            ("GET", "/robots.txt"),
            *[("HEAD", path) for path in (*paths, "/later") if path != "/no"],
            *[("GET", path) for path in ("/gone", "/strict", "/odd")],
        ]
    )
    found = by_path(tmp_path, other)
    assert {path: one["type"] for path, one in found.items()} == {
        "/fine": "file", "/later": "file", "/strict": "file", "/odd": "file",
        "/old": "redirect", "/moved": "redirect", "/gone": "error",
    }  # fmt: skip
    assert {one["external"] for one in found.values() if one["type"] == "file"} == {
        True
    }
    assert (found["/gone"]["for_type"], found["/gone"]["status"]) == ("external", 404)
    assert (found["/later"]["content_type"], found["/later"]["declared_bytes"]) == (
        "application/pdf", 4,
    )  # fmt: skip
    assert (summary.external, summary.broken_external) == (7, 1)
    assert summary.exit_code == 0


def test_links_shows_what_they_answered(serve: Any, tmp_path: Path) -> None:
    other = serve(fine=page("x"))
    site = serve(index=page(links_to(other, "/fine", "/gone"), "<a href=/x>x</a>"))
    crawl(config(site, tmp_path, scope=EXTERNAL))
    site.stop()
    other.stop()
    with open_state(tmp_path) as (state, _config):
        lines = list(list_links(state, Chosen(external=True)))
        broken = list(list_links(state, Chosen(external=True, broken=True)))
    assert [(one.target_url, one.status, one.external) for one in lines] == [
        (other.url("/fine"), 200, True),
        (other.url("/gone"), 404, True),
    ]
    assert [(one.target_url, one.text) for one in broken] == [
        (other.url("/gone"), "/gone")
    ]
    status = read_status(tmp_path / STATE_FOLDER)
    assert status is not None
    assert (status.external, status.broken_external) == (2, 1)


def test_explain_names_the_rule_that_lets_them_pass(serve: Any, tmp_path: Path) -> None:
    other = serve(fine=page("x"))
    site = serve(index=page(links_to(other, "/fine"), picture("/a.png")))
    crawl(config(site, tmp_path, scope=EXTERNAL))
    asked = "scope.check_external: true; links there are not followed"
    with open_state(tmp_path) as (state, settings):
        for url, rule in (
            (other.url("/fine"), asked),
            (other.url("/unknown"), asked),
            ("http://elsewhere.example/", asked),
            (site.url("/"), "scope.within: host"),
            (site.url("/a.png"), "scope.images_within: any"),
        ):
            found = explain(state, settings, url, now=0.0)
            assert (found.scope.allowed, found.scope.rule) == (True, rule)


def test_other_rules_still_refuse_them(serve: Any, tmp_path: Path) -> None:
    other = serve()
    site = serve(index=page(links_to(other, "/private/x", "/y"), "<a href=x:y>z</a>"))
    scope = ScopeConfig(check_external=True, rules=("-/private/",))
    crawl(config(site, tmp_path, scope=scope, limits=LimitsConfig(max_pages=1)))
    site.stop()
    other.stop()
    assert set(requests(other)) == {
        ("GET", "/robots.txt"), ("HEAD", "/y"), ("GET", "/y"),
    }  # fmt: skip


def test_a_resume_and_a_recrawl_ask_for_each_once(serve: Any, tmp_path: Path) -> None:
    paths = [f"/{n}" for n in range(10)]
    other = serve(**{path[1:]: page("x") for path in paths})
    site = serve(index=page(links_to(other, *paths)))
    settings = config(site, tmp_path, scope=EXTERNAL)
    crawl(settings)
    before = requests(other)
    crawl(settings, "resume")
    assert requests(other) == before
    crawl(settings, "newer")
    site.stop()
    other.stop()
    assert {requests(other)["HEAD", path] for path in paths} == {2}
    assert set(endings_of_last_run(tmp_path).values()) == {"page", "file"}


@pytest.mark.parametrize("mode", ["resume", "newer"])
def test_they_may_be_asked_for_later(serve: Any, tmp_path: Path, mode: str) -> None:
    """A finished crawl is continued with the option; its pages need not change."""
    other = serve(fine=page("x"), private=page("x"))
    site = serve(index=page(links_to(other, "/fine", "/private")))
    crawl(config(site, tmp_path, scope=ScopeConfig(rules=("-private",))))
    asked = ScopeConfig(rules=("-private",), check_external=True)
    crawl(config(site, tmp_path, scope=asked), mode)
    site.stop()
    other.stop()
    assert requests(other) == Counter([("GET", "/robots.txt"), ("HEAD", "/fine")])
    found = by_path(tmp_path, other)
    assert {path: one["type"] for path, one in found.items()} == {"/fine": "file"}


def test_those_that_wait_are_refused_without_it(serve: Any, tmp_path: Path) -> None:
    """A crawl that was stopped before it asked is continued without the option."""
    other = serve(fine=page("x"))
    site = serve(index=page(links_to(other, "/fine")))
    settings = config(site, tmp_path, scope=EXTERNAL)
    crawl(replace(settings, limits=LimitsConfig(max_bytes=1)))
    assert not other.log
    crawl(config(site, tmp_path), "resume")
    site.stop()
    other.stop()
    assert not other.log
    with open_state(tmp_path) as (state, _config):
        row = state.url(other.url("/fine"))
    assert row is not None
    assert (row.state, row.code) == ("skip", "scope")


def endings_of_last_run(folder: Path) -> dict[str, str]:
    last = records(folder)[-1]["run_id"]
    return {
        one["url"]: one["type"]
        for one in records(folder)
        if one["run_id"] == last and one["type"] in ("page", "file", "error", "skip")
    }


def test_without_it_they_end_as_skips(serve: Any, tmp_path: Path) -> None:
    other = serve()
    site = serve(index=page(links_to(other, "/x")))
    summary = crawl(config(site, tmp_path))
    assert endings(tmp_path, site) == {"/": "page"}
    assert not other.log
    assert (summary.external, summary.broken_external) == (0, 0)


def test_those_that_may_not_be_asked_are_not_checked(
    serve: Any, tmp_path: Path
) -> None:
    """An address that is not public gets no request, also behind a redirect."""
    private = "http://169.254.169.254"
    moved = reply(status=302, headers=(("Location", f"{private}/b"),))
    other = serve(moved=moved)
    site = serve(
        index=page(links_to(other, "/moved", "/gone"), f"<a href={private}/a>a</a>")
    )
    summary = crawl(config(site, tmp_path, scope=EXTERNAL))
    site.stop()
    other.stop()
    counts = (summary.external, summary.broken_external, summary.external_not_checked)
    assert counts == (2, 1, 2)
    shown = result_line(summary, config(site, tmp_path))
    assert "2 external links checked (1 broken), 2 external links not checked" in shown
    with open_state(tmp_path) as (state, _config):
        lines = {one.target_url: one for one in list_links(state, Chosen())}
        found = {one.name: one for one in audit(state, 9).sections}
    assert [url for url, one in lines.items() if one.broken] == [other.url("/gone")]
    assert lines[f"{private}/a"].code == "blocked_address"
    assert lines[other.url("/moved")].final_code == "blocked_address"
    assert [one.url for one in found["broken_links"].findings] == [other.url("/gone")]
    assert found["not_checked"].level == "info"
    assert {one.url: one.detail for one in found["not_checked"].findings} == {
        f"{private}/a": lines[f"{private}/a"].detail,
        other.url("/moved"): f"302 -> {private}/b blocked_address",
    }
    status = read_status(tmp_path / STATE_FOLDER)
    assert status is not None
    assert (status.broken_external, status.external_not_checked) == (1, 2)
