"""crawler/engine/backlog.py: pages that wait for the extraction processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

import hub
from crawler.engine.backlog import MORE_PAGES, PAGES_OF_A_PROCESS, Backlog
from crawler.model.config import PluginConfig
from crawler.model.policy_config import LimitsConfig, PolitenessConfig
from tests.helpers.crawling import config, crawl, endings, link, of, page, serve
from tests.site.server import Exchange, Handler

__all__ = ["serve"]

FULL = PAGES_OF_A_PROCESS + MORE_PAGES


def plugin(name: str, **options: Any) -> tuple[PluginConfig, ...]:
    return (PluginConfig(f"tests.helpers.plugins:{name}", options),)


def test_it_is_full_until_half_of_it_has_left() -> None:
    backlog = Backlog(processes=1)
    for _ in range(FULL):
        assert not backlog.is_full
        backlog.add(10)
    assert backlog.is_full
    while backlog.pages > FULL // 2:
        assert backlog.is_full
        backlog.remove(10)
    assert not backlog.is_full


def test_large_bodies_fill_it_too() -> None:
    backlog = Backlog(processes=8, max_bytes=100)
    backlog.add(60)
    assert not backlog.is_full
    backlog.add(60)
    assert backlog.is_full
    backlog.remove(60)
    assert backlog.is_full
    backlog.remove(60)
    assert not backlog.is_full


def test_who_waits_goes_on_when_a_page_leaves() -> None:
    backlog = Backlog(processes=1)
    backlog.wait()
    backlog.add(1)
    waiting = [hub.spawn(backlog.wait) for _ in range(3)]
    hub.sleep(0)
    assert not any(one.ready() for one in waiting)
    backlog.remove(1)
    hub.joinall(waiting, timeout=60)
    assert all(one.ready() for one in waiting)


def test_who_waits_while_it_is_full_goes_on_when_it_is_not() -> None:
    backlog = Backlog(processes=1, max_bytes=100)
    backlog.wait_while_full()
    backlog.add(40)
    backlog.add(60)
    waiting = hub.spawn(backlog.wait_while_full)
    backlog.remove(40)
    hub.sleep(0)
    hub.sleep(0)
    assert not waiting.ready()
    backlog.remove(60)
    waiting.get(timeout=60)


def test_who_waits_is_not_woken_for_each_page_of_a_full_backlog() -> None:
    backlog = Backlog(processes=1)
    for _ in range(FULL):
        backlog.add(1)
    waiting = hub.spawn(backlog.wait)
    hub.sleep(0)
    for _ in range(FULL // 2 - 1):
        backlog.remove(1)
    hub.sleep(0)
    assert not waiting.ready()
    backlog.remove(1)
    waiting.get(timeout=60)


def touching(path: Path, handler: Handler) -> Callable[[Exchange], None]:
    """The handler's answer, once it has been noted that it was asked."""

    def answer(exchange: Exchange) -> None:
        path.touch()
        handler(exchange)

    return answer


def test_a_page_that_waits_takes_no_place_of_a_request(
    serve: Any, tmp_path: Path
) -> None:
    """With one request at a time, the last page is requested while the first waits."""
    file = tmp_path / "last"
    names = [str(number) for number in range(9)]
    pages: dict[str, Handler] = {name: page("<p>x") for name in names}
    pages["8"] = touching(file, page("<p>x"))
    site = serve(index=page(link(*(f"/{name}" for name in names))), **pages)
    given = config(
        site,
        tmp_path / "c",
        seeds=tuple(site.url(f"/{name}") for name in names),
        plugin=plugin("WaitsForFile", path=str(file)),
        extract_processes=1,
        concurrency=1,
    )
    assert crawl(given).finish_reason == "done"
    assert len(of(tmp_path / "c", "page")) == len(names)
    assert of(tmp_path / "c", "error") == []


def test_no_page_is_requested_that_the_limit_would_give_back(
    serve: Any, tmp_path: Path
) -> None:
    names = [str(number) for number in range(60)]
    site = serve(**{name: page("<p>x") for name in names})
    given = config(
        site,
        tmp_path / "c",
        seeds=tuple(site.url(f"/{name}") for name in names),
        plugin=plugin("Slow", seconds=0.1),
        extract_processes=1,
        concurrency=2,
        politeness=PolitenessConfig(per_host=2, wait=0.0),
        limits=LimitsConfig(max_pages=6),
    )
    crawl(given)
    assert len(of(tmp_path / "c", "page")) == 6
    requested = [hit for hit in site.hits() if hit.target != "/robots.txt"]
    assert len(requested) <= 6 + given.concurrency


def test_the_records_are_the_same_with_any_number_of_processes(
    serve: Any, tmp_path: Path
) -> None:
    """Pages that kill their process are errors, and no other page is."""
    pages = {str(number): page(f"<p>{number}") for number in range(40)}
    pages["7"], pages["20"] = page("die"), page("die")
    site = serve(index=page(link(*(f"/{name}" for name in pages))), **pages)
    found = []
    for processes in (1, 3):
        folder = tmp_path / str(processes)
        given = config(site, folder, plugin=plugin("Mortal"))
        crawl(replace(given, extract_processes=processes))
        errors = {one["url"]: one["error_message"] for one in of(folder, "error")}
        data = {one["url"]: one["data"] for one in of(folder, "page")}
        found.append((endings(folder, site), errors, data))
    assert found[0] == found[1]
    endings_, errors, data = found[0]
    assert list(endings_.values()).count("error") == 2
    assert len(data) == 39
    assert all("crashed: Killed" in message for message in errors.values())
