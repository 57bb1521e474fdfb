"""crawler/engine/pending.py: pages that are set aside until plug-ins have answered."""

from __future__ import annotations

import gc
import signal
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

import hub
from crawler.engine.builder import open_crawl
from crawler.engine.document_plugins import DocumentPlugins
from crawler.engine.pending import PendingOutcome, outcome_of
from crawler.engine.stats import Snapshot
from crawler.model.config import PluginConfig
from crawler.model.content_config import WarcConfig
from crawler.model.documents import Enriched, Page
from crawler.model.errors import ExtractFailure
from crawler.model.http import Response, Timings
from crawler.plugins.loading import load_plugins
from tests.helpers.crawling import config, crawl, endings, link, of, page, serve
from tests.helpers.enriching import enriched
from tests.helpers.warcs import read_warcs

__all__ = ["serve"]

PAGE = Page("text/html", "utf-8")
HERE = "tests.helpers.plugins"
RESPONSE = Response(
    "http://a.test/",
    200,
    "OK",
    "1.1",
    (),
    b"<h1>x</h1>",
    4,
    Timings(1),
    None,
    False,
)


class Result(Struct):
    """What `finish` returns here."""

    found: Enriched
    failure: ExtractFailure | None


def pending() -> PendingOutcome:
    def finish(found: Enriched, failure: ExtractFailure | None) -> Any:
        return Result(found, failure)

    return PendingOutcome(finish)


def test_it_is_complete_when_the_findings_have_come() -> None:
    outcome, told = pending(), []
    outcome.when_found(told.append)
    assert told == []
    outcome.set_findings(Enriched(PAGE), None)
    assert told == [outcome]
    assert outcome.complete() == Result(Enriched(PAGE), None)


def test_who_comes_late_is_told_at_once() -> None:
    outcome, told = pending(), []
    outcome.set_findings(Enriched(PAGE), None)
    outcome.when_found(told.append)
    assert told == [outcome]


def test_a_step_changes_the_outcome_but_not_that_there_is_none() -> None:
    steps: list[Any] = []

    def step(outcome: Any) -> Any:
        steps.append(outcome)
        return "changed"

    outcome = pending().then(step)
    outcome.set_findings(Enriched(PAGE), None)
    assert outcome.complete() == "changed"
    nothing = PendingOutcome(lambda _found, _failure: None).then(step)
    nothing.set_findings(Enriched(PAGE), None)
    assert nothing.complete() is None
    assert len(steps) == 1


def test_a_caller_that_is_killed_gives_it_up() -> None:
    outcome, given_up = pending(), []
    outcome.give_up = lambda: given_up.append(True)
    waiting = hub.spawn(outcome_of, outcome)
    hub.sleep(0)
    waiting.kill()
    assert given_up == [True]
    outcome.set_findings(Enriched(PAGE), None)
    outcome.abandon()
    assert given_up == [True]


@contextmanager
def document_plugins(name: str, **options: Any) -> Iterator[DocumentPlugins]:
    plugins = load_plugins([PluginConfig(f"{HERE}:{name}", options)])
    with closing(DocumentPlugins(plugins, 100)) as documents:
        yield documents


class Finish:
    """Makes no outcome."""

    def __call__(self, found: Enriched, failure: ExtractFailure | None) -> None:
        self.data = found.data


@contextmanager
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_nothing_of_a_page_is_kept_when_it_is_complete() -> None:
    """In a cycle of references, hundreds of pages would wait for a collection."""
    with document_plugins("FirstHeading") as documents, no_collection():
        finish = Finish()
        outcome = documents.submit(RESPONSE, PAGE, RESPONSE.url, finish)
        outcome_of(outcome)
        assert finish.data == {"heading": "x"}
        kept = weakref.ref(finish)
        del outcome, finish
        assert kept() is None
        assert documents.backlog.pages == 0


def test_abandoned_pages_leave_the_backlog(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with document_plugins("WaitsForFile", path=str(path)) as documents:
        outcomes = [
            documents.submit(RESPONSE, PAGE, RESPONSE.url, Finish()) for _ in range(3)
        ]
        assert documents.backlog.pages == 3
        hub.sleep(0)
        for outcome in outcomes:
            outcome.abandon()
        assert documents.backlog.pages == 0
        path.touch()
        assert enriched(documents, RESPONSE, PAGE).data == {"length": 10}


def test_pages_of_a_pool_that_is_closed_are_failures_at_once() -> None:
    with document_plugins("FirstHeading") as documents:
        pass
    with pytest.raises(ExtractFailure, match="closed"):
        enriched(documents, RESPONSE, PAGE)
    assert documents.backlog.pages == 0


def test_a_page_that_was_set_aside_is_archived_with_its_record(
    serve: Any, tmp_path: Path
) -> None:
    names = [str(number) for number in range(40)]
    site = serve(
        index=page(link(*(f"/{name}" for name in names))),
        **{name: page(f"<p>{name}") for name in names},
    )
    given = config(
        site,
        tmp_path / "c",
        plugin=(PluginConfig(f"{HERE}:FirstHeading"),),
        warc=WarcConfig(write=True),
    )
    assert crawl(given).finish_reason == "done"
    asked = Counter(
        one.url for one in read_warcs(tmp_path / "c" / "warc") if one.kind == "response"
    )
    assert set(asked.values()) == {1}
    assert {one["url"] for one in of(tmp_path / "c", "page")} < set(asked)


def test_a_crawl_that_is_stopped_gives_back_what_is_set_aside(
    serve: Any, tmp_path: Path
) -> None:
    """Each page waits for a file; the crawl is stopped when all of them do."""
    path = tmp_path / "file"
    names = [str(number) for number in range(20)]
    site = serve(**{name: page(f"<p>{name}") for name in names})
    given = config(
        site,
        tmp_path / "c",
        seeds=tuple(site.url(f"/{name}") for name in names),
        plugin=(PluginConfig(f"{HERE}:WaitsForFile", {"path": str(path)}),),
        extract_processes=1,
        grace=0.0,
    )
    stopped = open_crawl(given, mode="new")

    def stop(snapshot: Snapshot) -> None:
        requests = [hit for hit in site.hits() if hit.target != "/robots.txt"]
        if len(requests) == len(names):
            stopped.interrupt(signal.SIGINT)

    stopped.events.on_progress(stop)
    assert stopped.run().finish_reason == "signal"
    assert endings(tmp_path / "c", site) == {}
    path.touch()
    assert crawl(given, "resume").finish_reason == "done"
    assert endings(tmp_path / "c", site) == {f"/{name}": "page" for name in names}
