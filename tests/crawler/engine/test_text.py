"""The text of pages: as columns, in the extraction process, kept by a recrawl."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.engine.document_plugins import DocumentPlugins
from crawler.engine.plugin_adapters import TEXT
from crawler.engine.sandbox.process import WorkerLimits
from crawler.model.config import Config, PluginConfig
from crawler.model.content_config import FieldConfig, OutputConfig
from crawler.model.documents import Page, PageText
from crawler.model.errors import ExtractFailure, UsageError
from crawler.model.fingerprint import extraction_fingerprint
from crawler.model.http import Response, Timings
from crawler.plugins.loading import load_plugins
from crawler.settings.load import from_flag
from tests.helpers.crawling import (
    config,
    crawl,
    endings,
    link,
    of,
    page,
    records,
    serve,
)
from tests.helpers.enriching import enriched
from tests.helpers.paths import ROOT
from tests.site.page import reply
from tests.site.server import Exchange

__all__ = ["serve"]

STORY = (
    "The lamp was lit at nine, and the harbour, which had been dark for a week, came "
    "back to life. Fishermen who had stayed in their houses went down to the boats. "
)
ARTICLE = (
    "<nav><a href=/>Home</a> <a href=/>News</a></nav>"
    f"<article><h1>The lamp</h1><p>{STORY}</p><pre>lamp = <a href=/>On</a>()\n"
    f"lamp.light()</pre><p>{STORY}</p></article>"
    "<footer>Imprint, terms and privacy</footer>"
)
BOTH = OutputConfig(include=("text", "markdown"))


def test_text_and_markdown_are_columns_of_pages(serve: Any, tmp_path: Path) -> None:
    site = serve(
        index=page(ARTICLE, link("/empty", "/data")),
        empty=page(""),
        data=reply('{"a": 1}', "application/json"),
    )
    crawl(replace(config(site, tmp_path), records=BOTH))
    found = {row["url"].rpartition("/")[2]: row for row in of(tmp_path, "page")}
    lamp = found[""]
    assert STORY.strip() in lamp["text"]
    assert "Imprint" not in lamp["text"] + lamp["markdown"]
    assert "# The lamp" in lamp["markdown"]
    assert "```\nlamp = On()\nlamp.light()\n```" in lamp["markdown"]
    assert 2 * len(STORY.split()) <= lamp["words_count"] <= 2 * len(STORY.split()) + 10
    empty = found["empty"]
    assert (empty["text"], empty["markdown"], empty["words_count"]) == ("", "", 0)
    (file,) = of(tmp_path, "file")
    assert "text" not in file
    assert of(tmp_path, "error") == []


@pytest.mark.parametrize("start", ["<article>", "<main>", "<body><main>", "<header>"])
def test_a_page_without_body_tag_has_its_text(start: str) -> None:
    """libxml2 takes elements that HTML 4 does not have for a part of `<head>`."""
    body = f"<!doctype html><meta charset=utf-8><title>A</title>{start}<h1>The lamp"
    with closing(document_plugins(WorkerLimits(), whole=True)) as documents:
        found = text_of(documents, f"{body}</h1><p>{STORY}")
    assert found.text == f"The lamp\n\n{STORY.strip()}"
    assert found.markdown == f"# The lamp\n\n{STORY.strip()}"


def test_without_it_the_columns_are_null(serve: Any, tmp_path: Path) -> None:
    crawl(config(serve(index=page(ARTICLE)), tmp_path))
    (row,) = of(tmp_path, "page")
    assert [row[name] for name in ("text", "markdown", "words_count")] == [None] * 3


def test_the_whole_text_has_what_is_around_the_content(
    serve: Any, tmp_path: Path
) -> None:
    whole = OutputConfig(include=("text",), text="whole")
    crawl(replace(config(serve(index=page(ARTICLE)), tmp_path), records=whole))
    (row,) = of(tmp_path, "page")
    assert row["text"].startswith("Home News\n\nThe lamp\n\nThe lamp was lit")
    assert row["text"].endswith("Imprint, terms and privacy")
    assert row["markdown"] is None


def test_fields_and_text_share_one_tree_and_each_has_its_place(
    serve: Any, tmp_path: Path
) -> None:
    fields = {"name": FieldConfig("css:h1")}
    settings = replace(config(serve(index=page(ARTICLE)), tmp_path), records=BOTH)
    crawl(replace(settings, fields=fields))
    (row,) = of(tmp_path, "page")
    assert row["data"] == {"name": "The lamp"}
    assert row["text"]


def test_a_304_keeps_the_text(serve: Any, tmp_path: Path) -> None:
    answered: list[int] = []

    def cached(body: str) -> Any:
        def answer(exchange: Exchange) -> None:
            same = exchange.hit.headers.get("if-none-match") == '"1"'
            answered.append(304 if same else 200)
            headers = (("ETag", '"1"'),)
            if same:
                exchange.reply(status=304, headers=headers)
            else:
                exchange.reply(body, "text/html", headers=headers)

        return answer

    settings = replace(config(serve(index=cached(ARTICLE)), tmp_path), records=BOTH)
    crawl(settings)
    (before,) = of(tmp_path, "page")
    crawl(settings, "newer")
    after = of(tmp_path, "page")[-1]
    assert answered == [200, 304]
    assert after["from_cache"] == "not_modified"
    for name in ("text", "markdown", "words_count"):
        assert after[name] == before[name]
    # A text that is too long to be kept a second time: the page is fetched whole.
    answered.clear()
    long = replace(config(serve(index=cached(ARTICLE + f"<p>{STORY * 200}")), tmp_path))
    settings = replace(long, dir=str(tmp_path / "long"), records=BOTH)
    crawl(settings)
    crawl(settings, "newer")
    assert answered == [200, 200]
    first, second = of(tmp_path / "long", "page")[-2:]
    assert second["changed"] == "unchanged"
    assert second["text"] == first["text"]


def test_the_fingerprint_knows_what_the_text_depends_on() -> None:
    def of_records(**settings: Any) -> bytes:
        return extraction_fingerprint(Config(records=OutputConfig(**settings)))

    plain = of_records()
    assert of_records(record=("skips",)) == plain
    assert of_records(text="whole") == plain
    different = {
        plain,
        of_records(include=("text",)),
        of_records(include=("markdown",)),
        of_records(include=("text",), text="whole"),
    }
    assert len(different) == 4
    assert of_records(include=("text", "markdown")) == of_records(
        include=("markdown", "text")
    )


def attributes(count: int) -> str:
    """A tag that costs lxml the square of their number."""
    return "<p" + "".join(f" a{n}=1" for n in range(count)) + ">x"


HOSTILE = {
    "attributes": attributes(50_000),
    "nested": "<div>" * 20_000 + "x",
    "comments": "<!--" * 200_000,
    "misnested": "".join(f"<b a{n}=1><i b{n}=2></b>" for n in range(2_000)),
    "rows": "<table><tr><td>" + "x" * 20_000 + "<tr><td>y" * 20_000,
    "lists": "<ul><li>x" * 5_000,
}


def document_plugins(limits: WorkerLimits, **options: Any) -> DocumentPlugins:
    given = {"include": ["text", "markdown"], "whole": False} | options
    plugins = load_plugins([PluginConfig(TEXT, given)])
    return DocumentPlugins(plugins, 100, limits)


def text_of(documents: DocumentPlugins, body: str) -> PageText:
    found = enriched(documents, html(body), Page("text/html", "utf-8")).text
    assert found is not None
    return found


def html(body: str) -> Response:
    url, content = "http://a.test/", body.encode()
    return Response(url, 200, "OK", "1.1", (), content, 4, Timings(1), None, False)


@pytest.mark.parametrize("kind", sorted(HOSTILE))
@pytest.mark.parametrize("whole", [False, True])
def test_a_hostile_page_costs_no_more_than_its_limits(kind: str, whole: bool) -> None:
    """It has a text, or it is an `extract` error; the next page has its text."""
    documents = document_plugins(WorkerLimits(cpu_s=1.0), whole=whole)
    with closing(documents):
        message, size = "text: ", 0
        try:
            size = len(text_of(documents, HOSTILE[kind]).markdown or "")
        except ExtractFailure as failure:
            message = failure.message
        assert message.startswith("text: ")
        assert size < 50 * len(HOSTILE[kind])
        whole_text = text_of(documents, f"<body>{ARTICLE}").text or ""
        assert STORY.strip() in whole_text


def test_a_page_that_exhausts_the_worker_is_an_error_of_that_page(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(
        index=page(link("/bad", "/good")),
        bad=page(attributes(150_000), link("/behind")),
        good=page(ARTICLE),
        behind=page(ARTICLE),
    )
    crawl(replace(config(site, tmp_path), records=BOTH))
    (error,) = of(tmp_path, "error")
    assert error["error_code"] == "extract"
    assert error["error_message"] == (
        "text: more than 5 seconds of CPU time were needed"
    )
    pages = {row["url"].rpartition("/")[2] for row in of(tmp_path, "page")}
    assert pages == {"", "good", "behind"}  # the links count all the same
    assert len(records(tmp_path)) > 4


def test_hostile_pages_cost_the_crawl_their_text_and_little_memory(
    serve: Any, tmp_path: Path
) -> None:
    """Each is a page or a coded error, and the crawl has no tree in its own process."""
    kinds = ("attributes", "comments", "misnested", "nested")
    site = serve(
        index=page(ARTICLE, link(*(f"/{kind}" for kind in kinds))),
        **{kind: page(HOSTILE[kind]) for kind in kinds},
    )
    folder, usage = tmp_path / "crawl", tmp_path / "usage"
    program = [sys.executable, "-m", "tests.helpers.own_usage", str(usage), "crawl"]
    options = ["-d", str(folder), "-q", "-w", "0", "--with", "text,markdown"]
    subprocess.run([*program, site.url("/"), *options], cwd=ROOT, timeout=300)
    found = endings(folder, site)
    assert found.pop("/") == "page"
    assert {*found} == {f"/{kind}" for kind in kinds}
    assert {*found.values()} <= {"page", "error"}
    for error in of(folder, "error"):
        assert error["error_code"] == "extract"
        assert error["error_message"].startswith("text: ")
    used = json.loads(usage.read_text())
    assert used["mb"] < 150
    assert not used["trees"]


@pytest.mark.parametrize("package", ["trafilatura", "html_to_markdown"])
def test_an_extra_that_is_missing_is_told_before_the_crawl_starts(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    site = serve(index=page(ARTICLE))
    with pytest.raises(UsageError, match=r"pip install 'orbweb\[text\]'"):
        open_crawl(replace(config(site, tmp_path), records=BOTH), mode="new").run()
    assert site.hits() == []


def test_the_settings_name_the_key_and_the_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "html_to_markdown", None)
    with pytest.raises(UsageError) as caught:
        from_flag(("records", "include"), "links,markdown", "--with")
    assert str(caught.value) == (
        "--with: markdown needs html-to-markdown: pip install 'orbweb[text]'"
    )
    assert from_flag(("records", "include"), "links", "--with").value == ("links",)
