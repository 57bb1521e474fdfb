"""Extraction again, without a request: the records of the crawl, from what it saved."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.extraction.opening import Choice, extract_crawl, extract_warcs
from crawler.engine.revalidation import MAX_READ
from crawler.model.config import Config, PluginConfig
from crawler.model.content_config import (
    BodiesConfig,
    FieldConfig,
    ImagesConfig,
    OutputConfig,
    SiteConfig,
    WarcConfig,
)
from crawler.model.errors import UsageError
from crawler.workspace.open import stored_config
from tests.helpers.crawling import (
    config,
    crawl,
    link,
    page,
    picture,
    png,
    records,
    serve,
)
from tests.site.page import raw, reply
from tests.site.server import Site

__all__ = ["serve"]

ALL = Choice()
SKIPS = "skips", "robots"
OF_THE_RUN = {"run_id", "seq", "ts", "fetched_at"}
FOUND = {"link_kind", "depth", "seed_url", "alt", "queue_ms", "redirects"}
"""How the crawl found a URL, of which a WARC file says nothing."""
MEASURED = {
    "dns_ms", "connect_ms", "tls_ms", "ttfb_ms", "download_ms", "reused_connection",
    "new_links_count", "attempts", "elapsed_ms", "url_id",
}  # fmt: skip

FIELDS = {"title": FieldConfig("css:h1::text"), "n": FieldConfig("json:n", type="int")}
SITE = SiteConfig("/shop$", {"price": FieldConfig("css:b::text")}, items="css:.item")
HEAD = (
    '<html lang="de"><title>Home</title><meta name=description content="a text">'
    "<meta property=og:type content=article>"
    '<script type="application/ld+json">{"@type": "Article", "author": "J"}</script>'
)
TEXT = "<main><h1>Heading</h1>" + "<p>Some words that make up a paragraph of text." * 5
SHOP = "".join(f"<div class=item><b>{n} EUR</b></div>" for n in range(3))
LATIN = reply("<title>Größe</title><p>ü".encode("latin-1"), "text/html; charset=latin1")
CHUNKED = raw(
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\n<p>ch\r\n11\r\nunked<h1>C</h1>  \r\n0\r\n\r\n"
)


@pytest.fixture
def site(serve: Any) -> Site:
    zipped = (("Content-Encoding", "gzip"), ("X-Robots-Tag", "noarchive"))
    made: Site = serve(
        index=page(
            HEAD, TEXT, link("/a", "/latin", "/shop", "/d.json", "/moved", "/gone"),
            link("/chunked", "/zip", "/same", "/map.xml", "/forbidden"),
            picture("/i.png", "/j.png", "/not.png"),
            '<link rel=stylesheet href="/s.css">',
        ),
        a=page("<h1>A</h1>", link("/")),
        same=page("<h1>A</h1>", link("/")),
        latin=LATIN,
        shop=page("<h1>Shop</h1>", SHOP),
        moved=reply(status=301, headers=(("Location", "/a"),)),
        gone=reply(status=404),
        chunked=CHUNKED,
        zip=reply(gzip.compress(b"<h1>Zipped</h1>"), "text/html", headers=zipped),
        robots=reply("User-agent: *\nDisallow: /forbidden\n", "text/plain"),
        **{
            "d.json": reply('{"n": 7, "next": "/a"}', "application/json"),
            "map.xml": reply("<urlset><url><loc>/a</loc></url></urlset>", "text/xml"),
            "i.png": reply(png(), "image/png"),
            "j.png": reply(png(), "image/png"),
            "not.png": page("<h1>No picture</h1>"),
            "s.css": reply("p { background: url(/i.png) }", "text/css"),
        },
    )  # fmt: skip
    return made


def settings(site: Site, folder: Path, **changes: Any) -> Config:
    given: dict[str, Any] = {
        "bodies": BodiesConfig(("all",)),
        "records": OutputConfig(
            record=("skips", "robots"),
            include=("links", "images", "headers", "jsonld"),
        ),
        "fields": FIELDS,
    }
    return replace(config(site, folder, **(given | changes)), site=(SITE,))


def told(
    folder: Path, *left_out: str, kinds: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """The records but those of runs, in order, without some of their fields."""
    without = OF_THE_RUN.union(left_out)
    return [
        {name: value for name, value in record.items() if name not in without}
        for record in records(folder)
        if record["type"] not in ("schema", "run", *kinds)
    ]


def extract(
    folder: Path, wanted: Config, choice: Choice = ALL
) -> tuple[Any, list[str]]:
    said: list[str] = []
    return extract_crawl(folder, wanted, said.append, choice), said


def read_warcs(folder: Path, wanted: Config) -> tuple[Any, list[str]]:
    said: list[str] = []
    files = sorted((folder / "warc").glob("*.warc.gz"))
    return extract_warcs(files, wanted, said.append), said


@pytest.mark.parametrize("headers", [True, False])
def test_the_same_settings_make_the_same_records(
    site: Site, tmp_path: Path, headers: bool
) -> None:
    include = ("links", "images", "headers", "jsonld", "text")
    wanted = settings(
        site, tmp_path / "a", records=OutputConfig(SKIPS, include=include)
    )
    if not headers:
        wanted = replace(wanted, records=OutputConfig(SKIPS, include=("links",)))
    crawl(wanted)
    requests = len(site.log)
    extracted, said = extract(tmp_path / "a", replace(wanted, dir=str(tmp_path / "b")))
    assert len(site.log) == requests
    assert (extracted.unread, said) == (0, [])
    assert told(tmp_path / "b") == told(tmp_path / "a")
    kinds = {record["type"] for record in records(tmp_path / "b")}
    assert kinds == {"schema", "run", "page", "file", "image", "redirect", "error",
                     "skip", "item", "robots"}  # fmt: skip
    assert records(tmp_path / "b")[0]["data"] == records(tmp_path / "a")[0]["data"]
    when = {record["url"]: record["ts"] for record in told_fetched(tmp_path / "a")}
    for record in told_fetched(tmp_path / "b"):
        assert record["fetched_at"] == when[record["url"]]


def told_fetched(folder: Path) -> list[dict[str, Any]]:
    return [one for one in records(folder) if one["type"] in ("page", "file", "image")]


def test_the_run_records_say_what_was_extracted(site: Site, tmp_path: Path) -> None:
    crawl(settings(site, tmp_path / "a"))
    extracted, _ = extract(
        tmp_path / "a", settings(site, tmp_path / "b"), Choice("/latin|png$", 3)
    )
    assert extracted.records == {"image": 2, "page": 1}
    first, *_, last = [one for one in records(tmp_path / "b") if one["type"] == "run"]
    assert (first["event"], last["event"]) == ("started", "finished")
    assert first["extract_of"] == last["extract_of"] == str(tmp_path / "a")
    assert (last["pages"], last["images_count"], last["errors"]) == (1, 2, 0)
    assert first["run_id"] != records(tmp_path / "a")[1]["run_id"]


def test_other_settings_make_what_a_crawl_with_them_would_have_made(
    site: Site, tmp_path: Path
) -> None:
    crawl(config(site, tmp_path / "a", bodies=BodiesConfig(("all",))))
    wanted = settings(
        site, tmp_path / "b", images=ImagesConfig(min_width=4),
        records=OutputConfig(include=("links", "text", "markdown", "jsonld")),
    )  # fmt: skip
    crawl(replace(wanted, dir=str(tmp_path / "c")))
    extract(tmp_path / "a", wanted)
    new = told(tmp_path / "b", "body_path", *MEASURED, "queue_ms", "fetch_ms")
    as_crawled = told(tmp_path / "c", "body_path", *MEASURED, "queue_ms", "fetch_ms")
    assert sorted(new, key=by_url) == sorted(as_crawled, key=by_url)
    assert any(one["type"] == "item" for one in new)


def by_url(record: dict[str, Any]) -> tuple[str, str, int]:
    return record["url"], record["type"], record.get("index", 0)


def test_the_warc_files_of_a_crawl_take_the_place_of_saved_bodies(
    site: Site, tmp_path: Path
) -> None:
    wanted = settings(
        site, tmp_path / "a", bodies=BodiesConfig(), warc=WarcConfig(write=True)
    )
    crawl(wanted)
    extracted, said = extract(tmp_path / "a", replace(wanted, dir=str(tmp_path / "b")))
    assert (extracted.unread, said) == (0, [])
    assert told(tmp_path / "b") == told(tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        "records.jsonl", "state"
    ]  # fmt: skip
    assert not (tmp_path / "b/state/index").exists()


def latest(found: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """By URL, the last record: an archive has all attempts."""
    return {by_url(record): record for record in found}


def test_its_own_warc_files_without_its_records(site: Site, tmp_path: Path) -> None:
    wanted = settings(site, tmp_path / "a", warc=WarcConfig(write=True))
    crawl(wanted)
    extracted, said = read_warcs(
        tmp_path / "a", replace(wanted, dir=str(tmp_path / "b"))
    )
    assert extracted.unread == 0
    unknown = FOUND | MEASURED | {"expires_at", "page_url", "fetch_ms"}
    before = told(tmp_path / "a", *unknown, kinds=("skip",))
    assert latest(told(tmp_path / "b", *unknown)) == latest(before)
    assert said == ["records that are no answers were left out: 17 request, 1 warcinfo"]
    for record in told_fetched(tmp_path / "b"):
        assert record["depth"] is None
        assert record["link_kind"] is None
        assert record["fetch_ms"] is not None
        assert record["fetched_at"].endswith("Z")
        name = record.get("path") or record["body_path"]
        data = (tmp_path / "b" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == record["sha256"]


def test_a_body_that_is_gone_is_said_and_keeps_its_record(
    site: Site, tmp_path: Path
) -> None:
    crawl(settings(site, tmp_path / "a"))
    (shop,) = [one for one in told(tmp_path / "a", kinds=("item",))
               if one["url"].endswith("/shop")]  # fmt: skip
    (tmp_path / "a" / shop["body_path"]).write_bytes(b"changed")
    changed = settings(site, tmp_path / "b", fields={"other": FieldConfig("css:h1")})
    extracted, said = extract(tmp_path / "a", changed)
    assert extracted.unread == 1
    assert said == [
        f"{shop['url']}: {shop['body_path']} is gone, or not what was saved"
    ]
    (now,) = [one for one in told(tmp_path / "b") if one["url"] == shop["url"]]
    gone = dict.fromkeys(("data", "text", "words_count"))
    assert now == shop | gone


def test_a_page_that_could_not_be_extracted_is_extracted_now(
    site: Site, tmp_path: Path
) -> None:
    """A selector that was wrong: the body is saved all the same."""
    wrong = {"h1": FieldConfig("css:h7::text", required=True)}
    wanted = config(
        site, tmp_path / "a", bodies=BodiesConfig(("html", "json")), fields=wrong
    )
    crawl(wanted)
    right = replace(wanted, fields={"h1": FieldConfig("css:title::text")})
    extract(tmp_path / "a", replace(right, dir=str(tmp_path / "b")))
    crawl(replace(right, dir=str(tmp_path / "c")))
    failed = by_path(tmp_path / "a")
    found, expected = by_path(tmp_path / "b"), by_path(tmp_path / "c")
    assert failed["latin"]["error_code"] == "extract"
    assert failed["latin"]["status"] == 200
    assert found.keys() == expected.keys()
    for path, record in expected.items():
        for name in ("type", "title", "data", "charset", "links_count", "body_path"):
            assert found[path].get(name) == record.get(name), (path, name)
    # What fails again still names its body.
    extract(tmp_path / "a", replace(wanted, dir=str(tmp_path / "d")))
    assert told(tmp_path / "d") == told(tmp_path / "a")


def by_path(folder: Path) -> dict[str, dict[str, Any]]:
    found = told(folder, kinds=("robots", "item"))
    return {one["url"].split("/", 3)[3]: one for one in found}


def test_a_large_file_of_which_nothing_is_read_keeps_its_record(
    site: Site, tmp_path: Path
) -> None:
    site.pages["d.json"] = reply(b"PK" + bytes(3 * 2**20), "application/zip")
    wanted = settings(site, tmp_path / "a")
    crawl(wanted)
    large = by_path(tmp_path / "a")["d.json"]
    assert large["body_bytes"] > MAX_READ
    (tmp_path / "a" / large["body_path"]).unlink()  # so it is not read
    extracted, said = extract(tmp_path / "a", replace(wanted, dir=str(tmp_path / "b")))
    assert (extracted.unread, said) == (0, [])
    assert told(tmp_path / "b") == told(tmp_path / "a")


def test_unsaved_bodies_are_counted(site: Site, tmp_path: Path) -> None:
    wanted = settings(site, tmp_path / "a", bodies=BodiesConfig(("json",)))
    crawl(wanted)
    extracted, said = extract(tmp_path / "a", replace(wanted, dir=str(tmp_path / "b")))
    assert extracted.unread == 0
    assert said == ["10 pages and files have no saved body: they keep their records"]
    assert told(tmp_path / "b", kinds=("item",)) == told(
        tmp_path / "a", kinds=("item",)
    )


def test_an_extraction_is_replaced_and_a_crawl_is_not(
    site: Site, tmp_path: Path
) -> None:
    wanted = settings(site, tmp_path / "a")
    crawl(wanted)
    before = (tmp_path / "a/records.jsonl").read_bytes()
    there = replace(wanted, dir=str(tmp_path / "b"))
    for _ in range(2):
        extract(tmp_path / "a", there)
    assert len(records(tmp_path / "b")) == len(records(tmp_path / "a"))
    over = replace(there, output=(str(tmp_path / "a/records.jsonl"),))
    for refused in (wanted, over):
        with pytest.raises(UsageError, match="already"):
            extract(tmp_path / "a", refused)
    assert (tmp_path / "a/records.jsonl").read_bytes() == before
    with pytest.raises(UsageError, match="no crawl"):
        stored_config(tmp_path / "b")
    for mode in ("new", "resume", "newer"):
        with pytest.raises(UsageError, match="no crawl"):
            crawl(there, mode)


def test_it_uses_as_many_processes_as_a_crawl(serve: Any, tmp_path: Path) -> None:
    pages = {str(number): page(f"<p>{number}") for number in range(40)}
    site = serve(index=page(link(*(f"/{name}" for name in pages))), **pages)
    given = config(
        site,
        tmp_path / "crawl",
        bodies=BodiesConfig(("html",)),
        plugin=(PluginConfig("tests.helpers.plugins:Process"),),
        extract_processes=2,
    )
    crawl(given)
    extracted = replace(given, dir=str(tmp_path / "again"))
    extract_crawl(tmp_path / "crawl", extracted, print)
    for folder in (tmp_path / "crawl", tmp_path / "again"):
        found = [row["data"]["pid"] for row in records(folder) if row.get("data")]
        assert len(found) == 41
        assert len({*found}) == 2
