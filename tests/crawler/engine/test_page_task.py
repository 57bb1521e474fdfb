"""crawler/engine/page_task.py: pages that the extraction process reads."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.engine.document_plugins import DocumentPlugins
from crawler.engine.page_task import (
    PageAnswer,
    PageOrder,
    PageSettings,
    decode_answer,
    encode,
    order_parts,
    run,
)
from crawler.engine.plugin_adapters import Plugins
from crawler.extract.extractor import InlineExtractor, extract
from crawler.extract.registry import READERS
from crawler.fleet.shard_config import shard_config
from crawler.frontier.sqlite.database import STATE_FOLDER
from crawler.frontier.sqlite.reader import open_state
from crawler.model.config import PluginConfig
from crawler.model.content_config import OutputConfig
from crawler.model.documents import Enriched, Link, Page
from crawler.model.errors import ExtractFailure
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig, RobotsConfig
from crawler.plugins.child import Passed, PluginSet
from tests.fuzz.corpus import seeds_of
from tests.helpers.crawling import config, crawl, endings, of, page, records, serve
from tests.helpers.enriching import enriched
from tests.site.page import reply

__all__ = ["serve"]

HERE = "tests.helpers.plugins"
MAX_LINKS = 1000
SETTINGS = encode(PageSettings(PluginSet((), MAX_LINKS), RobotsConfig(noai=True)))


def response(body: bytes, kind: str = "text/html", *headers: tuple[str, str]) -> Any:
    all_headers = (("content-type", kind), *headers)
    return Response(
        "https://a.test/d/x", 200, "OK", "1.1", all_headers, body, len(body),
        Timings(1), None, False,
    )  # fmt: skip


def answered(answer: Response, settings: bytes = SETTINGS) -> PageAnswer:
    """What the process says of a response, as the crawl takes it."""
    order = PageOrder(settings, answer.url, answer.status, answer.headers)
    result = run(b"".join(order_parts(order, answer.body)))
    return decode_answer(result, None, MAX_LINKS)


def read_there(answer: Response) -> Page | None:
    return answered(answer).page


def read_here(answer: Response) -> object:
    limits = LimitsConfig(max_links=MAX_LINKS)
    return extract(answer, "page", limits, with_text=True)


@pytest.mark.parametrize(
    "kind", ["text/html", "text/html; charset=shift_jis", "application/xhtml+xml"]
)
def test_a_page_is_the_same_wherever_it_is_read(kind: str) -> None:
    for body in seeds_of("html"):
        answer = response(body, kind)
        assert InlineExtractor().is_page(answer)
        assert read_there(answer) == read_here(answer)


def test_so_are_the_links_in_its_header() -> None:
    answer = response(
        b"<p>x", "text/html", ("link", "<b>; rel=next"), ("refresh", "1; url=/onward")
    )
    found = read_there(answer)
    assert found == read_here(answer)
    assert found is not None
    assert {link.kind for link in found.links} == {"link_next", "meta_refresh"}


def test_a_page_that_declares_nothing_is_known_as_such() -> None:
    here = read_here(response(b"<p>x"))
    assert isinstance(here, Page)
    found = read_there(response(b"<p>x"))
    assert found is not None
    assert found.declared is here.declared


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (response(b"<p>x"), True),
        (response(b"<p>x", "application/xhtml+xml"), True),
        (response(b"<p>x", "text/plain"), False),
        (response(b"<rss/>", "application/xml"), False),
        (response(b"\x89PNG\r\n\x1a\n", "text/html"), False),
        (replace(response(b"<p>x"), truncated="length"), False),
        (replace(response(b"<p>x"), truncated="disconnect"), False),
        (replace(response(b"<p>x"), streamed=object()), False),
    ],
)
def test_what_is_surely_a_page(answer: Response, expected: bool) -> None:
    extractor = InlineExtractor()
    assert extractor.is_page(answer) is expected
    if expected:
        assert isinstance(read_here(answer), Page)


def test_a_sitemap_that_was_named_is_no_page_whatever_its_type() -> None:
    sitemap = b"Sitemap: <urlset><url><loc>https://a.test/1</loc></url></urlset>"
    assert InlineExtractor().is_page(response(sitemap))
    assert not InlineExtractor().is_page(response(sitemap), named_sitemap=True)
    assert InlineExtractor().is_page(response(b"<p>x"), named_sitemap=True)


def test_a_program_with_a_reader_of_its_own_reads_its_pages_itself() -> None:
    own = InlineExtractor({**READERS, "text/html": lambda body: Page("text/html", "x")})
    assert not own.is_page(response(b"<p>x"))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (b"no message", "findings"),
        (encode(PageAnswer()), "no page"),
        (encode(PageAnswer(page=Page("text/html", "utf-8", (Link("x", "a"),)))), "'x'"),
        (encode([[], {"type": "image"}]), "findings"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failure(
    result: bytes, message: str
) -> None:
    with pytest.raises(ExtractFailure, match=message):
        decode_answer(result, None, MAX_LINKS)


@pytest.mark.parametrize("directive", ["noai", "index"])
@pytest.mark.parametrize("obeyed", [True, False])
def test_no_plugin_sees_a_page_that_refuses_its_use(
    directive: str, obeyed: bool
) -> None:
    passed = Passed("heading", PluginConfig(f"{HERE}:FirstHeading"))
    chosen = PluginSet((passed,), MAX_LINKS)
    settings = encode(PageSettings(chosen, RobotsConfig(noai=obeyed)))
    body = f"<meta name=robots content={directive}><h1>x</h1><a href=/1>y</a>"
    answer = answered(response(body.encode()), settings)
    assert answer.page is not None
    assert len(answer.page.links) == 1
    refused = obeyed and directive == "noai"
    assert answer.found.data == (None if refused else {"heading": "x"})


# ------------------------------------------------------------------ in a crawl

OF_THE_RUN = {"run_id", "seq", "ts", "data", "reused_connection"}
LISTS = OutputConfig(record=("skips",), include=("links", "images"))
SITE = {
    "index": page(
        "<base href=/sub/><a href=1>One <b>more</b></a><a href=2 rel=nofollow hreflang"
        "=de>zwei</a><a href=/xhtml>x</a><a href=/moved>m</a><img src=/i.png alt=i>"
        "<a href=/noai>n</a><link rel=stylesheet href=/s.css><a href=/feed>f</a>"
    ),
    "sub/1": reply(
        "<title>Ä</title><a href='?q=ä'>ä</a>".encode("cp1252"),
        "text/html; charset=windows-1252",
    ),
    "sub/2": page(
        "<script type=application/ld+json>{\"@type\": \"Article\"}</script>"
        "<picture><source srcset='/a.webp 2x'><img src=/a.png></picture>"
    ),
    "xhtml": reply("<script/><a href='/deep'>d</a>", "application/xhtml+xml"),
    "deep": reply("<p>x", headers=(("Link", "</linked>; rel=next"),)),
    "moved": reply("", status=302, headers=(("Location", "/target"),)),
    "target": page("<meta http-equiv=refresh content='0; url=/onward'>"),
    "onward": page("x"),
    "linked": page("<div id=app></div><script src=x.js></script>"),
    "noai": page("<meta name=robots content=noai><a href=/behind>die</a>"),
    "behind": page("x"),
    "feed": reply("<rss><channel><item><link>/item</link></item></channel></rss>"),
}  # fmt: skip


def link_graph(folder: Path) -> dict[str, object]:
    """The links of each document in the state, in their order."""
    with open_state(folder / STATE_FOLDER) as state:
        return {
            source.url: (
                replace(source.facts, fetch_ms=None),
                [
                    (one.url or state.url_at(one.target).url, replace(one, target=0))
                    for one in source.links
                ],
            )
            for source in state.source_links()
        }


def test_the_records_of_a_crawl_are_the_same(serve: Any, tmp_path: Path) -> None:
    site = serve(**SITE)
    found, graphs = [], []
    for plugin in ((), (PluginConfig(f"{HERE}:FirstHeading"),)):
        folder = tmp_path / str(len(plugin))
        given = config(
            site, folder, plugin=plugin, records=LISTS, robots=RobotsConfig(noai=True)
        )
        assert crawl(given).finish_reason == "done"
        found.append(
            {
                one["url"]: {
                    key: value
                    for key, value in one.items()
                    if key not in OF_THE_RUN and not key.endswith("_ms")
                }
                for one in records(folder)
                if one["type"] not in ("run", "schema", "robots")
            }
        )
        graphs.append(link_graph(folder))
    assert graphs[0] == graphs[1]
    assert found[0].keys() == found[1].keys()
    for url, record in found[0].items():
        assert record == found[1][url]
    assert len(found[0]) > len(SITE)
    (noai,) = (one for one in found[1].values() if one["url"].endswith("/noai"))
    assert (noai["type"], noai["reason"]) == ("skip", "noai")


def test_a_page_that_kills_the_process_loses_no_link(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(
        index=page("<a href=/fatal>x</a>"),
        fatal=page("die <a href=/behind>x</a><img src=/none.png>"),
        behind=page("x"),
    )
    given = config(site, tmp_path, plugin=(PluginConfig(f"{HERE}:Mortal"),))
    assert crawl(given).finish_reason == "done"
    ended = endings(tmp_path, site)
    assert (ended["/fatal"], ended["/behind"]) == ("error", "page")
    assert "/none.png" in ended
    (error,) = (one for one in of(tmp_path, "error") if "fatal" in one["url"])
    assert error["error_code"] == "extract"
    assert error["error_message"].endswith("the extraction process crashed: Killed")


class Unable(InlineExtractor):
    """Cannot read a page that a process has failed to read."""

    def extract(self, *_arguments: Any, **_options: Any) -> Any:
        raise ExtractFailure("unable")


def test_a_page_that_nothing_can_read_is_an_error_of_its_url(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(index=page("die"))
    given = config(site, tmp_path, plugin=(PluginConfig(f"{HERE}:Mortal"),))
    done = open_crawl(given, mode="new", extractor=Unable()).run()
    assert done.finish_reason == "done"
    (error,) = of(tmp_path, "error")
    assert (error["error_code"], error["error_message"]) == ("extract", "unable")


# ------------------------------------------------------------------ without plug-ins


def test_a_number_of_processes_has_pages_read_there_without_plugins(
    serve: Any, tmp_path: Path
) -> None:
    """The extractor of the crawl can read nothing."""
    site = serve(
        index=page("<a href=/1>x</a>"), **{"1": page("<a href=/2>x</a>"), "2": page("")}
    )
    given = config(site, tmp_path, extract_processes=1)
    assert open_crawl(given, mode="new", extractor=Unable()).run().exit_code == 0
    assert endings(tmp_path, site) == dict.fromkeys(("/", "/1", "/2"), "page")


def test_a_page_that_such_a_process_cannot_read_is_read_here_and_is_no_error() -> None:
    with closing(DocumentPlugins((), MAX_LINKS)) as documents:
        found = enriched(documents, response(b"<title>x</title>"), None)
        assert found.page is not None
        assert found.page.title == "x"
    assert enriched(documents, response(b"<p>x"), None) == Enriched(None)


def test_without_a_number_a_plain_crawl_has_no_process(
    serve: Any, tmp_path: Path
) -> None:
    plugins = Plugins(config(serve(index=page("")), tmp_path))
    with plugins.documents(reading=True) as documents:
        assert documents is None


def test_a_shard_has_none_either(serve: Any, tmp_path: Path) -> None:
    """Its number is its part of that of the whole crawl."""
    given = config(serve(index=page("")), tmp_path, extract_processes=4)
    with Plugins(shard_config(given, 0, 2)).documents() as documents:
        assert documents is None
