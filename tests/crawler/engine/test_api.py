"""`[[api]]`: galleries whose pictures are listed in JSON, answer by answer."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from msgspec.structs import replace

from crawler.model.config import Config
from crawler.model.content_config import ApiConfig
from crawler.model.errors import UsageError
from crawler.model.policy_config import LimitsConfig, ScopeConfig
from crawler.settings.field_tables import read_apis
from crawler.settings.load import load
from tests.helpers.crawling import config, crawl, link, page, records, serve
from tests.helpers.gallery import entry, gallery, picture
from tests.helpers.paths import PROGRAM
from tests.site.page import reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

COUNT = 45
SHAPES = {
    "pages": {"params": {"page": "{page}", "album": "birds"}},
    "offsets": {"params": {"offset": "{offset}"}},
    "cursors": {"params": {"after": "{cursor}"}, "cursor": "json:paging.next"},
    "nexts": {"next": "json:links.next"},
}
ITEMS = {
    "items": "json:data",
    "image": "json:path",
    "alt": "json:name",
    "fields": {
        "user": "json:user.name",
        "likes": {"select": "json:likes", "type": "int"},
    },
}


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def site(seen: list[str]) -> Iterator[Site]:
    started = gallery(COUNT, seen)
    yield started
    started.stop()


def crawl_of(site: Site, folder: Path, table: dict[str, Any], **changes: Any) -> Config:
    chosen = config(site, folder, **changes)
    base = {"url": site.url("/pages"), **ITEMS, **table}
    (api,) = read_apis([base])
    from crawler.api.options import configure  # as a program does it

    return configure("crawl", replace(chosen, seeds=(), api=(api,)), (), {})


@pytest.mark.parametrize("shape", SHAPES)
def test_all_pictures_of_a_gallery_come_with_what_the_api_says_of_them(
    shape: str, site: Site, seen: list[str], tmp_path: Path
) -> None:
    table = {"url": site.url(f"/{shape}"), **SHAPES[shape]}
    crawl(crawl_of(site, tmp_path, table))
    rows = records(tmp_path)
    images = {row["alt"]: row for row in rows if row["type"] == "image"}
    assert sorted(images) == sorted(f"picture {n}" for n in range(COUNT))
    for number in range(COUNT):
        row = images[f"picture {number}"]
        assert row["data"] == {"user": f"user {number % 7}", "likes": number * 3}
        assert row["page_url"].startswith(site.url(f"/{shape}"))
        assert row["link_kind"] == "api"
        assert (tmp_path / row["path"]).stat().st_size == row["body_bytes"]
    items = [row["data"]["likes"] for row in rows if row["type"] == "item"]
    assert sorted(items) == [number * 3 for number in range(COUNT)]
    kinds = Counter(row["type"] for row in rows)
    assert (kinds["image"], kinds["error"]) == (COUNT, 0)  # and no thumbnail
    asked = [target for target in seen if target.startswith(f"/{shape}")]
    assert len(asked) == len(set(asked)) == kinds["file"]
    if shape == "pages":  # until an answer has none
        assert [target.partition("?")[2] for target in asked] == [
            f"page={number}&album=birds" for number in (1, 2, 3, 4)
        ]


def test_duckdb_types_the_data_of_the_pictures(site: Site, tmp_path: Path) -> None:
    crawl(crawl_of(site, tmp_path, SHAPES["pages"]))
    kinds = duckdb.sql(
        f"SELECT typeof(data.likes), max(data.likes) FROM '{tmp_path}/records.jsonl' "
        "WHERE type = 'image' GROUP BY 1"
    ).fetchall()
    assert kinds == [("BIGINT", (COUNT - 1) * 3)]


def test_the_limit_of_answers_ends_the_chain_with_a_skip(
    site: Site, tmp_path: Path
) -> None:
    table = {"url": site.url("/nexts"), **SHAPES["nexts"], "max_requests": 2}
    settings = crawl_of(site, tmp_path, table)
    crawl(replace(settings, records=replace(settings.records, record=("skips",))))
    rows = records(tmp_path)
    assert sum(row["type"] == "image" for row in rows) == 40
    (skip,) = [row for row in rows if row["type"] == "skip"]
    assert (skip["reason"], skip["rule"]) == ("limit_api", "api.max_requests: 2")
    assert skip["url"] == site.url("/nexts?from=40")


@pytest.mark.parametrize("within", ["page", "prefix", "host"])
def test_the_scope_holds_for_the_pictures_not_for_the_answers(
    within: Any, site: Site, tmp_path: Path
) -> None:
    scope = ScopeConfig(within=within)
    crawl(crawl_of(site, tmp_path, SHAPES["pages"], scope=scope))
    rows = records(tmp_path)
    assert sum(row["type"] == "image" for row in rows) == COUNT


def test_a_recrawl_brings_the_data_again(site: Site, tmp_path: Path) -> None:
    settings = crawl_of(
        site, tmp_path, SHAPES["cursors"] | {"url": site.url("/cursors")}
    )
    crawl(settings)
    before = len(records(tmp_path))
    crawl(settings, "newer")
    again = [row for row in records(tmp_path)[before:] if row["type"] == "image"]
    assert len(again) == COUNT
    assert all(row["data"]["user"] and row["alt"] for row in again)


def entries(bad: int, key: str) -> str:
    """The body of an answer with five items, one without `key`."""
    items = [entry(number) for number in range(5)]
    del items[bad][key]
    return json.dumps({"data": items})


def test_an_item_without_a_required_field_costs_no_other_item_and_no_answer(
    serve: Any, tmp_path: Path
) -> None:
    bodies = {
        "page=1": entries(2, "likes"),
        "page=2": entries(4, "path"),
        "page=3": '{"data": []}',
    }

    def answer(exchange: Exchange) -> None:
        reply(bodies[exchange.query], "application/json")(exchange)

    site = serve(list=answer, picture=picture)
    likes = {"select": "json:likes", "type": "int", "required": True}
    table = {"url": site.url("/list"), "params": {"page": "{page}"}}
    crawl(crawl_of(site, tmp_path, table | {"fields": {"likes": likes}}))
    rows = records(tmp_path)
    (error,) = [row for row in rows if row["type"] == "error"]
    assert error["url"] == site.url("/list?page=1")
    assert "item 3: field 'likes' is required" in error["error_message"]
    items = [row for row in rows if row["type"] == "item"]
    assert [row["data"]["likes"] for row in items] == [0, 3, 9, 12, *range(0, 13, 3)]
    assert {row["url_id"] for row in items if "page=1" in row["url"]} == {
        error["url_id"]
    }
    images = {row["alt"]: row["data"] for row in rows if row["type"] == "image"}
    assert images["picture 2"] is None  # nothing but the field is missing
    assert images["picture 3"] == {"likes": 9}
    assert len(images) == 5


def test_an_api_that_redirects_is_one_all_the_same(serve: Any, tmp_path: Path) -> None:
    """Where it leads to, no `[[api]]` matches; the number stands in the first URL."""
    asked: list[str] = []

    def moved(exchange: Exchange) -> None:
        asked.append(exchange.query)
        reply(status=302, headers=(("Location", "/v2/?" + exchange.query),))(exchange)

    def answer(exchange: Exchange) -> None:
        number = int(exchange.query.partition("n=")[2])
        data = [entry(number)] if number < 4 else []
        body = json.dumps({"data": data, "other": "/thumb/1.png"})
        reply(body, "application/json")(exchange)

    site = serve(list=moved, v2=answer, picture=picture)
    table = {"url": site.url("/list"), "params": {"n": "{page}"}}
    crawl(crawl_of(site, tmp_path, table))
    rows = records(tmp_path)
    kinds = Counter(row["type"] for row in rows)
    assert (kinds["image"], kinds["item"], kinds["error"]) == (3, 3, 0)
    assert asked == ["n=1", "n=2", "n=3", "n=4"]


def test_redirects_do_not_begin_the_chain_of_answers_anew(
    serve: Any, tmp_path: Path
) -> None:
    asked: list[str] = []

    def moved(exchange: Exchange) -> None:
        asked.append(exchange.query)
        reply(status=302, headers=(("Location", "/v2/?" + exchange.query),))(exchange)

    def answer(exchange: Exchange) -> None:
        number = len(asked)
        following = f"/list?n={number}" if number < 9 else None
        body = json.dumps({"data": [entry(1)], "links": {"next": following}})
        reply(body, "application/json")(exchange)

    site = serve(list=moved, v2=answer, picture=picture)
    table = {"url": site.url("/list"), **SHAPES["nexts"], "max_requests": 3}
    crawl(crawl_of(site, tmp_path, table))
    assert len(asked) == 3


@pytest.mark.parametrize("body", ["<p>no</p>", "[" * 200_000, '{"data": [{}'])
def test_an_answer_that_is_no_json_is_an_error(
    body: str, serve: Any, tmp_path: Path
) -> None:
    site = serve(list=reply(body, "application/json"))
    crawl(crawl_of(site, tmp_path, {"url": site.url("/list")}))
    (error,) = [row for row in records(tmp_path) if row["type"] == "error"]
    assert error["error_code"] == "extract"
    assert "[[api]]" in error["error_message"]


def test_a_page_in_place_of_an_answer_is_said(serve: Any, tmp_path: Path) -> None:
    """As where a session has ended, or a site is closed."""
    site = serve(list=page("<p>Log in"))
    crawl(crawl_of(site, tmp_path, {"url": site.url("/list")}))
    (row,) = _rows_of("/list", tmp_path)
    assert (row["type"], row.get("error_code")) == ("error", "extract")
    assert "no JSON" in row["error_message"]


def _rows_of(ending: str, folder: Path) -> list[dict[str, Any]]:
    """The records of the URLs with this ending."""
    rows = records(folder)
    return [row for row in rows if (row.get("url") or "").endswith(ending)]


@pytest.mark.parametrize(
    ("count", "more", "what"),
    [
        (10_001, {"image": "json:nothing"}, "items: 10,001 in one answer; 10,000 of"),
        (9, {}, "items: 9 images; limits.max_links: 5"),
    ],
)
def test_what_of_a_long_answer_is_left_out_is_said(
    count: int, more: dict[str, str], what: str, serve: Any, tmp_path: Path
) -> None:
    body = json.dumps({"data": [{"path": f"/{n}.png"} for n in range(count)]})
    site = serve(list=reply(body, "application/json"))
    table = {"url": site.url("/list"), "fields": {}, **more}
    limits = LimitsConfig(max_links=50_000 if more else 5)
    crawl(crawl_of(site, tmp_path, table, limits=limits))
    (error,) = [row for row in _rows_of("/list", tmp_path) if row["type"] != "item"]
    assert error["error_code"] == "extract"
    assert error["error_message"].startswith(what)
    assert len(_rows_of(".png", tmp_path)) == (0 if more else 5)


@pytest.mark.parametrize(
    "kind", ["text/html", "text/plain", "text/javascript; charset=utf-8", ""]
)
def test_the_type_of_an_answer_may_be_wrong(
    kind: str, serve: Any, tmp_path: Path
) -> None:
    """Scripts send JSON as HTML. The table says what it is; a page stays a page."""
    item = entry(1) | {"name": "Zoë"}
    bodies = {"page=1": json.dumps({"data": [item]}, ensure_ascii=False)}

    def answer(exchange: Exchange) -> None:
        reply(bodies.get(exchange.query, '{"data": []}'), kind)(exchange)

    site = serve(list=answer, picture=picture)
    table = {"url": site.url("/list"), "params": {"page": "{page}"}}
    crawl(crawl_of(site, tmp_path, table))
    rows = records(tmp_path)
    (image,) = [row for row in rows if row["type"] == "image"]
    assert (image["alt"], image["data"]["likes"]) == ("Zoë", 3)
    answers = [row for row in rows if row["type"] == "file"]
    assert [row["content_type"] for row in answers] == ["application/json"] * 2


TOML = """
dir = "out"
politeness.wait = 0
[[api]]
url = "{site}/{shape}"
params = {{ {parameter} }}
items = "json:data"
image = "json:path"
alt = "json:name"
{more}
[api.fields]
user = "json:user.name"
"""


@pytest.mark.parametrize(
    ("shape", "parameter", "more"),
    [
        ("pages", 'page = "{page}"', ""),
        ("cursors", 'after = "{cursor}"', 'cursor = "json:paging.next"'),
    ],
)
def test_a_gallery_of_500_is_exact_after_kills(
    shape: str, parameter: str, more: str, tmp_path: Path
) -> None:
    seen: list[str] = []
    site = gallery(500, seen)
    try:
        text = TOML.format(
            site=site.url(""), shape=shape, parameter=parameter, more=more
        )
        assert len(text.strip().splitlines()) < 15
        (tmp_path / "gallery.toml").write_text(text)
        for hits in (30, 150, 290):
            command = ["resume", "out"]
            if not seen:
                command = ["crawl", "--config", "gallery.toml"]
            process = subprocess.Popen(
                [*PROGRAM, *command, "-q"], cwd=tmp_path, stderr=subprocess.DEVNULL
            )
            while len(site.hits()) < hits and process.poll() is None:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = subprocess.run([*PROGRAM, "resume", "out", "-q"], cwd=tmp_path)
        assert done.returncode == 0
    finally:
        site.stop()
    rows = records(tmp_path / "out")
    images = Counter(row["url"] for row in rows if row["type"] == "image")
    assert len(images) == 500
    assert set(images.values()) == {1}
    assert all(
        row["alt"] and row["data"]["user"] and row["page_url"]
        for row in rows
        if row["type"] == "image"
    )
    items = Counter((row["url"], row["index"]) for row in rows if row["type"] == "item")
    assert len(items) == 500
    assert set(items.values()) == {1}


def test_json_without_an_api_is_searched_for_pictures_and_pages(
    serve: Any, tmp_path: Path
) -> None:
    listing = """{
      "@context": "https://vocabulary.example/ns",
      "results": [
        {"href": "/one", "cover": "/a.png", "note": "/no/link"},
        {"content": {"rendered": "<p><a href='/two'>x</a><img src='/b.png' alt='B'>"}},
        {"permalink": "three", "url": "%s"}
      ]}"""
    site = serve(
        index=page(link("/list")),
        list=lambda exchange: reply(
            listing % exchange.site.url("/four"), "application/hal+json"
        )(exchange),
    )
    settings = config(site, tmp_path)
    crawl(settings)
    asked = {hit.target for hit in site.hits()}
    assert asked == {
        "/robots.txt", "/", "/list", "/one", "/a.png", "/two", "/b.png", "/four"
    }  # fmt: skip


BAD = {
    'url = "http://h/{pag}"\nimage = "json:a"': "there is no {pag}",
    'url = "http://h/{page}?o={offset}"\nimage = "json:a"': "only one of",
    'url = "http://h/?c={cursor}"\nimage = "json:a"': "write {cursor} in params",
    'url = "http://h/"\ncursor = "json:a"\nimage = "json:a"': "need each other",
    'url = "http://h/"\nstart = 3\nimage = "json:a"': "start, step",
    'url = "http://h/"': "nothing to take",
    'url = "ftp://h/"\nimage = "json:a"': "url: ",
    'url = "http://h/"\nimage = "jso:a"': "image: ",
    'url = "http://h/"\nitems = "json:[["\nimage = "json:a"': "json:",
    'url = "http://h/"\nimages = "json:a"': "images",
}


@pytest.mark.parametrize("table", BAD)
def test_a_mistake_is_told_with_its_line(table: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(("a.toml", f'dir = "x"\n[[api]]\n{table}\n'), {}, [])
    assert str(raised.value).startswith("a.toml:2: ")
    assert BAD[table] in str(raised.value)


def test_settings_are_written_as_they_are_read() -> None:
    from crawler.settings.field_tables import write_apis

    (api,) = read_apis([{"url": "http://h/a", **ITEMS, **SHAPES["cursors"]}])
    assert read_apis(write_apis([api])) == (api,)
    assert isinstance(api, ApiConfig)
