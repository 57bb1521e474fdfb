"""The contract of a plug-in: each method in a crawl, and each way in which it fails."""

from __future__ import annotations

import itertools
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from crawler import (
    AnyRecord,
    Config,
    ErrorRecord,
    OutputError,
    PageRecord,
    Record,
    Skip,
    SkipRecord,
    UsageError,
    crawl,
    fetch,
)
from crawler.engine.document_plugins import DocumentPlugins
from crawler.engine.sandbox.process import MB, WorkerLimits
from crawler.model.config import PluginConfig
from crawler.model.documents import Enriched, Page
from crawler.model.errors import ExtractFailure
from crawler.model.fingerprint import extraction_fingerprint
from crawler.model.http import Response, Timings
from crawler.plugins.loading import load_plugins
from hub.testing import fresh_hub
from tests.helpers.enriching import enriched
from tests.helpers.example_site import example_site
from tests.helpers.plugins import FirstHeading
from tests.site.server import Site

HERE = "tests.crawler.plugins.test_contract"
OPTIONS: dict[str, Any] = {"wait": 0, "images": False, "record": ["skips"]}


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    with example_site() as site:
        yield site


@pytest.fixture
def run(web: Site, tmp_path: Path) -> Any:
    """Crawl the site with plug-ins: the records by path, runs left out."""

    def records(*plugins: Any, **options: Any) -> dict[str, AnyRecord]:
        found = crawl(
            web.url("/"), dir=tmp_path / "out", plugins=plugins, **(OPTIONS | options)
        )
        return {
            one.url.removeprefix(web.base): one for one in found if one.type != "run"
        }

    return records


def failed(record: AnyRecord, name: str, message: str) -> bool:
    """Whether it is the error record that a failing plug-in leaves."""
    assert isinstance(record, ErrorRecord)
    assert (record.error_code, record.error_stage) == ("extract", "extract")
    assert record.error_message.startswith(f"plug-in {HERE}:{name}: ")
    assert message in record.error_message
    return True


class Unspeakable(Exception):
    """An exception whose text cannot be made."""

    def __str__(self) -> str:
        raise ValueError("no text")


# ------------------------------------------------------------------ check


class Refuses:
    """A check that gives `decision` for the page /about."""

    def __init__(self, decision: Any = None) -> None:
        self.decision = decision
        self.seen: list[Any] = []

    def check(self, candidate: Any) -> Any:
        self.seen.append(candidate)
        if not candidate.url.endswith("/about"):
            return None
        if isinstance(self.decision, BaseException):
            raise self.decision
        return self.decision


def test_check_refuses_by_a_text_or_a_skip(run: Any) -> None:
    found = run(Refuses("not that one"))["/about"]
    assert isinstance(found, SkipRecord)
    rule = f"plug-in {HERE}:Refuses: not that one"
    assert (found.reason, found.rule) == ("plugin", rule)


def test_check_refuses_by_a_skip(run: Any) -> None:
    found = run(Refuses(Skip("noai", "mine: because")))["/about"]
    assert (found.reason, found.rule) == ("noai", "mine: because")


@pytest.mark.parametrize("text", ["\udc80" + "x" * 10**6, "x" * 10**6])
def test_a_reason_of_any_text_can_be_recorded(run: Any, text: str) -> None:
    for decision in (text, Skip("plugin", text)):
        found = run(Refuses(decision), fresh=True)["/about"]
        assert isinstance(found, SkipRecord)
        assert "xxx" in found.rule
        assert len(found.rule) < 1100


def test_check_sees_what_is_known_of_a_url(run: Any, web: Site) -> None:
    plugin = Refuses()
    assert run(plugin)["/about"].type == "page"
    about = [one for one in plugin.seen if one.url.endswith("/about")]
    assert [one.due for one in about] == [False, True]
    assert (about[1].kind, about[1].depth, about[1].destination) == ("a", 1, "page")
    assert about[1].parent_url == web.url("/")


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (ValueError("oh"), "ValueError: oh"),
        (ValueError("not \udc80 this"), "ValueError: not ? this"),
        (Unspeakable(), "Unspeakable: its text cannot be made"),
        (SystemExit(3), "SystemExit: 3"),
        (True, "has to give None, a text or a Skip, not True"),
        (Skip("plugin", None), "the rule is a text"),  # type: ignore[arg-type]
        (Skip("mine", "x"), "the reason one of scheme, "),  # type: ignore[arg-type]
    ],
)
def test_check_that_fails_is_an_error_of_the_url(
    run: Any, decision: Any, message: str
) -> None:
    found = run(Refuses(decision))
    assert failed(found["/about"], "Refuses", message)
    assert found["/"].type == "page"
    assert found["/data.csv"].type == "file"


# ------------------------------------------------------------------ listeners


class Listens:
    """Hears of everything, and raises `error` at each call."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.heard: list[Any] = []

    def on_exchange(self, exchange: Any) -> None:
        self._hear(exchange.url)

    def on_record(self, record: Record) -> None:
        self._hear(record.type)

    def close(self) -> None:
        self._hear("close")

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        if self.error is not None:
            raise self.error


def test_listeners_hear_of_exchanges_records_and_the_end(run: Any, web: Site) -> None:
    plugin = Listens()
    run(plugin)
    assert sorted(one for one in plugin.heard if not one.startswith("http")) == [
        "close", "file", "page", "page",
    ]  # fmt: skip
    assert plugin.heard[-1] == "close"
    assert web.url("/robots.txt") in plugin.heard
    assert web.url("/about") in plugin.heard


def test_a_listener_that_fails_is_told_once_and_counted(run: Any) -> None:
    plugin = Listens(KeyError("oh"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = run(plugin)
    assert {one.type for one in found.values()} == {"page", "file"}
    told = sorted(str(one.message) for one in caught)
    name = f"plug-in {HERE}:Listens"
    assert told == [
        f"{name}: close() failed: KeyError: 'oh'",
        f"{name}: on_exchange() failed 4 times in all",
        f"{name}: on_exchange() failed: KeyError: 'oh'",
        f"{name}: on_record() failed 3 times in all",
        f"{name}: on_record() failed: KeyError: 'oh'",
    ]


@pytest.mark.parametrize("error", [SystemExit(3), Unspeakable()])
def test_no_exception_of_a_listener_ends_the_crawl(run: Any, error: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = run(Listens(error))
    told = [str(one.message) for one in caught]
    assert any(f"failed: {type(error).__name__}: " in one for one in told)
    assert {one.type for one in found.values()} == {"page", "file"}


# ------------------------------------------------------------------ documents


class Works:
    """Extracts and discovers what it was made with; an exception is raised."""

    def __init__(self, data: Any = None, urls: Any = ()) -> None:
        self.data = data
        self.urls = urls

    def extract(self, document: Any) -> Any:
        if isinstance(self.data, Exception):
            raise self.data
        return self.data

    def discover(self, document: Any) -> Any:
        return self.urls


def test_extract_fills_data_and_the_later_plugin_wins(run: Any) -> None:
    plugins = FirstHeading(), Works({"heading": "x", "n": [1, None]}), Works({"m": 2})
    found = run(*plugins)["/"]
    assert isinstance(found, PageRecord)
    assert found.data == {"heading": "x", "n": [1, None], "m": 2}


def test_a_page_without_data_has_none(run: Any) -> None:
    assert run(Works({}))["/"].data is None


class Sees:
    """Extracts all that a document tells."""

    def extract(self, document: Any) -> dict[str, Any]:
        return {
            "url": document.url,
            "status": document.status,
            "server": dict(document.headers).get("content-type"),
            "bytes": len(document.body),
            "text": document.text[:15],
            "title": document.title,
            "links": [link.text for link in document.links],
            "images": [image.alt for image in document.images],
            "lang": document.page.lang,
            "h1": document.tree.find(".//h1").text_content(),
            "process": os.getpid(),
        }


def test_a_document_tells_what_is_known_of_a_page(run: Any, web: Site) -> None:
    data = run(Sees())["/"].data
    assert data.pop("process") != os.getpid()
    assert data.pop("bytes") > 100
    assert data == {
        "url": web.url("/"), "status": 200, "server": "text/html",
        "text": "<!doctype html>", "title": "Home", "links": ["About us", "Prices"],
        "images": ["Logo"], "lang": "en", "h1": "Welcome",
    }  # fmt: skip


def test_discover_adds_links(run: Any, web: Site) -> None:
    found = run(Works(urls=["/old", "/about", "javascript:x", "http://other.test/"]))
    assert found["/old"].link_kind == "plugin"
    assert found["/old"].parent_url == web.url("/")
    assert found["/about"].link_kind == "a"
    assert found["http://other.test/"].reason == "scope"
    assert found["/"].links_count == 2 + 2


def nested(levels: int) -> Any:
    """So many lists inside of one another."""
    found: Any = 0
    for _ in range(levels):
        found = [found]
    return found


class DiscoversWithoutEnd:
    def discover(self, document: Any) -> Iterator[str]:
        for number in itertools.count():
            yield f"/{number}"


def test_no_more_than_max_links_are_taken_from_discover(run: Any) -> None:
    found = run(DiscoversWithoutEnd(), max_links=10, depth=0)
    assert found["/"].links_count == 10


class ExtractsDeepLists:
    """Its lists are as deep as the encoder of the child process allows."""

    def extract(self, document: Any) -> Any:
        return {"a": nested(980)}


def test_deep_data_is_an_error_of_the_page(run: Any) -> None:
    found = run(ExtractsDeepLists())
    assert failed(found["/"], "ExtractsDeepLists", "more than 100 levels")
    assert found["/data.csv"].type == "file"


def test_data_may_be_nested(run: Any) -> None:
    data = {"a": nested(99)}
    assert run(Works(data))["/"].data == data


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (Works(ValueError("oh")), "ValueError: oh"),
        (Works([1]), "fields have to be a dict, not [1]"),
        (Works(ValueError("\udc80" + "x" * 10**6)), "ValueError: ?xxx"),
        (Works({"a": nested(101)}), "more than 100 levels"),
        (Works({"a": object}), "TypeError: Encoding objects of type type"),
        (Works(urls="/about"), "discover() has to give several URLs, not '/about'"),
        (Works(urls=[b"/about"]), "discover() has to give URLs as text, not b'/about'"),
        (Works(SystemExit), "have to be a dict"),
    ],
)
def test_a_failure_is_an_error_of_the_page_and_its_links_count(
    run: Any, plugin: Works, message: str
) -> None:
    found = run(plugin)
    assert failed(found["/"], "Works", message)
    assert failed(found["/about"], "Works", message)
    assert found["/data.csv"].type == "file"


def test_pages_that_fail_count_for_the_limit_of_pages(run: Any) -> None:
    found = run(Works(ValueError("oh")), max_pages=1)
    assert [one.type for one in found.values()] == ["error"]


class Hostile:
    """Does what the page's title says."""

    def extract(self, document: Any) -> dict[str, Any]:
        if document.title == "hang":
            time.sleep(60)
        elif document.title == "compute":
            while True:
                pass
        elif document.title == "eat":
            return {"size": len(bytearray(2**40))}
        elif document.title == "die":
            os._exit(3)
        return {"ok": document.title}


@pytest.fixture
def documents() -> Iterator[DocumentPlugins]:
    (plugin,) = load_plugins([PluginConfig(f"{HERE}:Hostile")])
    limits = WorkerLimits(memory_bytes=512 * MB, cpu_s=2.0, wall_s=10.0)
    with fresh_hub():
        found = DocumentPlugins([plugin], 100, limits)
        yield found
        found.close()


@pytest.mark.parametrize(
    ("title", "message"),
    [
        ("hang", "no answer within 10 seconds"),
        ("compute", "more than 2 seconds of CPU time"),
        ("eat", "more than 512 MB of memory"),
        ("die", "ended with status 3"),
    ],
)
def test_a_plugin_that_exceeds_a_limit_costs_one_page(
    documents: DocumentPlugins, title: str, message: str
) -> None:
    with pytest.raises(ExtractFailure) as caught:
        enriched(documents, response(), Page("text/html", "utf-8", title=title))
    assert caught.value.message.startswith(f"plug-in {HERE}:Hostile: ")
    assert message in caught.value.message
    page = Page("text/html", "utf-8", title="fine")
    assert enriched(documents, response(), page) == Enriched(page, {"ok": "fine"})


def response() -> Response:
    return Response(
        "http://a.test/", 200, "OK", "1.1", (), b"<p>x", 4, Timings(1), None, False
    )


def test_an_object_that_cannot_be_sent_is_refused(run: Any, tmp_path: Path) -> None:
    class Local(Works):
        pass

    for plugin in (Local(), Works(lambda: 0)):
        with pytest.raises(UsageError, match="cannot be pickled"):
            run(plugin)
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------ sinks


class Keeps:
    """A sink in memory; its position is a table. It fails at `fails_at` records."""

    def __init__(
        self, fails_at: int | None = None, error: BaseException | None = None
    ) -> None:
        self.fails_at = fails_at
        self.error = error or ValueError("full")
        self.rows: list[int] = []
        self.positions: list[Any] = []
        self.closed = False

    def rewind(self, position: Any) -> None:
        self.positions.append(position)
        del self.rows[0 if position is None else position["rows"] :]

    def write(self, records: Sequence[Record]) -> None:
        for record in records:
            if len(self.rows) == self.fails_at:
                raise self.error
            self.rows.append(record.seq)

    def flush(self) -> Any:
        return {"rows": len(self.rows)}

    def close(self) -> None:
        self.closed = True


def test_a_sink_gets_each_record_once_over_a_resume(web: Site, tmp_path: Path) -> None:
    sink = Keeps()
    options = {"dir": tmp_path / "out", "plugins": [sink], **OPTIONS}
    with crawl(web.url("/"), **options) as records:
        next(records)
    assert sink.positions == [None]
    assert sink.closed
    written = len(sink.rows)
    sink.rows.append(99)  # written, and then the machine stopped
    given = [record.seq for record in crawl(resume=True, **options)]
    assert sink.positions == [None, {"rows": written}]
    assert sink.rows == list(range(1, given[-1] + 1))


def test_a_sink_that_fails_stops_the_crawl_which_can_be_resumed(
    web: Site, tmp_path: Path
) -> None:
    options = {"dir": tmp_path / "out", "plugins": [sink := Keeps(2)], **OPTIONS}
    with pytest.raises(OutputError, match=r"Keeps: write\(\) failed: ValueError: full"):
        list(crawl(web.url("/"), **options))
    sink.fails_at = None
    *_, last = crawl(resume=True, **options)
    assert sink.rows == list(range(1, last.seq + 1))


@pytest.mark.parametrize("error", [SystemExit(3), Unspeakable()])
def test_any_exception_of_a_sink_is_an_output_error(run: Any, error: Any) -> None:
    with pytest.raises(OutputError, match=rf"failed: {type(error).__name__}: "):
        run(Keeps(2, error))


@pytest.mark.parametrize("position", [nested(100_000), float("nan"), b"bytes"])
def test_a_position_that_json_cannot_hold_stops_the_crawl(
    run: Any, position: Any
) -> None:
    class Odd(Keeps):
        def flush(self) -> Any:
            return position

    with pytest.raises(OutputError, match="a position that JSON cannot hold"):
        run(Odd())


# ------------------------------------------------------------------ the rest


def test_a_missing_plugin_at_a_resume_is_one_sentence(run: Any, tmp_path: Path) -> None:
    class Local(Refuses):
        pass

    run(Local(), max_pages=1)
    with pytest.raises(UsageError, match="was an object that a program passed"):
        crawl(dir=tmp_path / "out", resume=True)
    assert list(crawl(dir=tmp_path / "out", resume=True, plugins=[Local()]))


def test_fetch_shows_what_plugins_do(web: Site) -> None:
    plugins = [Refuses("no"), FirstHeading(), Works(urls=["/old"]), heard := Listens()]
    page = fetch(web.url("/about"), plugins=plugins)
    assert isinstance(page.record, PageRecord)
    assert page.record.data == {"heading": "About us"}
    assert page.skip == Skip("plugin", f"plug-in {HERE}:Refuses: no")
    assert isinstance(page.document, Page)
    assert [link.kind for link in page.document.links] == ["a", "plugin"]
    assert heard.heard[-2:] == ["page", "close"]
    failing = fetch(web.url("/about"), plugins=[Works(ValueError("oh"))])
    assert isinstance(failing.record, ErrorRecord)
    assert failing.record.error_code == "extract"


def test_stored_responses_are_not_used_under_other_plugins() -> None:
    use = "tests.helpers.plugins:FirstHeading"
    prints = {
        extraction_fingerprint(Config(plugin=plugins))
        for plugins in (
            (),
            (PluginConfig(use),),
            (PluginConfig(use, {"tag": "h2"}),),
            (PluginConfig(use), PluginConfig(use)),
        )
    }
    assert len(prints) == 4
