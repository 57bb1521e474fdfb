"""Fields of a crawl: typed in the stream, errors where they are missing, exact."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import duckdb
from msgspec.structs import replace

from crawler.engine.field_report import report
from crawler.extract.fields import pipes, sources
from crawler.extract.fields.types import TYPES
from crawler.model.config import Config
from crawler.model.content_config import FieldConfig, SiteConfig
from crawler.model.documents import File, Page
from crawler.output.schema_export import schema_line
from crawler.settings.field_tables import read_apis, read_fields, read_sites
from tests.helpers.crawling import config, crawl, link, page, records, serve
from tests.helpers.paths import ROOT
from tests.site.page import reply
from tests.site.server import Exchange

__all__ = ["serve"]

SHOP = """<h1>Lamp</h1><span class="price">$ 1,299.50</span>
<ul><li class="review"><b>Ann</b> <i>5</i></li>
<li class="review"><b>Ben</b></li></ul>"""
FIELDS = {
    "name": FieldConfig("css:h1", required=True),
    "price": FieldConfig("css:.price", type="price"),
    "names": FieldConfig("json:data[].name", many=True),
}
REVIEWS = SiteConfig(
    "/lamp",
    {"author": FieldConfig("css:b"), "stars": FieldConfig("css:i", type="int")},
    "css:.review",
)


def shop(serve: Any, folder: Path) -> Config:
    site = serve(
        index=page("<h1>Shop</h1>", link("/lamp", "/nameless", "/api")),
        lamp=page(SHOP),
        nameless=page("<p>no name", link("/behind")),
        behind=page("<h1>Behind</h1>"),
        api=reply('{"data": [{"name": "a"}]}', "application/json"),
    )
    return replace(config(site, folder), fields=FIELDS, site=(REVIEWS,))


def test_fields_items_and_errors_are_records(serve: Any, tmp_path: Path) -> None:
    assert crawl(shop(serve, tmp_path)).items == 2
    rows = records(tmp_path)
    data = {row["url"].rpartition("/")[2]: row for row in rows if row["type"] == "page"}
    assert data["lamp"]["data"] == {"name": "Lamp", "price": 1299.5}
    assert data[""]["data"] == {"name": "Shop", "price": None}
    assert data["behind"]["data"]["name"] == "Behind"  # the links count all the same
    (error,) = [row for row in rows if row["type"] == "error"]
    assert error["url"].endswith("/nameless")
    assert error["error_code"] == "extract"
    assert "'name' is required, and css:h1" in error["error_message"]
    (file,) = [row for row in rows if row["type"] == "file"]
    assert file["data"] == {"names": ["a"]}
    items = [row for row in rows if row["type"] == "item"]
    assert [(row["index"], row["data"]) for row in items] == [
        (0, {"author": "Ann", "stars": 5}),
        (1, {"author": "Ben", "stars": None}),
    ]
    assert {row["url_id"] for row in items} == {data["lamp"]["url_id"]}
    assert [row["seq"] for row in rows if row["seq"]] == list(range(1, len(rows)))


def test_duckdb_types_the_fields_by_the_schema_line(serve: Any, tmp_path: Path) -> None:
    crawl(shop(serve, tmp_path))
    kinds = duckdb.sql(
        f"SELECT typeof(data.price), typeof(data.stars), typeof(data.names) "
        f"FROM '{tmp_path}/records.jsonl' LIMIT 1"
    ).fetchall()
    assert kinds == [("DOUBLE", "BIGINT", "VARCHAR[]")]


def test_a_crawl_without_fields_has_the_schema_line_as_before(
    serve, tmp_path: Path
) -> None:
    crawl(config(serve(index=page("<p>x")), tmp_path))
    first = (tmp_path / "records.jsonl").read_bytes().splitlines()[0]
    assert first == schema_line()


def looked_up(body: str, document: Page | File, **settings: Any) -> dict[str, Any]:
    found = report(Config(**settings), "http://a.test/lamp", body.encode(), document)
    return {one.name: (one.count, one.values, one.hint) for one in found}


def test_the_report_says_what_each_selector_finds() -> None:
    fields = {
        **FIELDS,
        "cost": FieldConfig("css:.prize"),
        "below": FieldConfig("css:.review em"),
    }
    html = Page("text/html", "utf-8")
    found = looked_up(SHOP, html, fields=fields, site=(REVIEWS,))
    assert found["name"] == (1, ("Lamp",), "")
    assert found["price"] == (1, (1299.5,), "")
    assert found["names"] == (0, (), "the body is HTML, not JSON")
    assert found["cost"] == (0, (), "similar in this page: price")
    assert found["below"] == (0, (), ".review finds 2, and nothing below is em")
    assert found["items"][0] == 2
    assert found["author"][:2] == (2, ("Ann", "Ben"))
    assert found["stars"][:2] == (1, (5,))


def test_the_report_of_a_json_body() -> None:
    file = File("application/json")
    found = looked_up('{"data": [{"name": "a"}]}', file, fields=FIELDS)
    assert found["names"][:2] == (1, ("a",))
    assert found["name"] == (0, (), "the body is JSON")


def test_the_example_of_the_document_is_understood() -> None:
    text = (ROOT / "docs" / "fields.md").read_text(encoding="utf-8")
    toml, of_api = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (api,) = read_apis(tomllib.loads(of_api)["api"])
    assert list(api.fields) == ["artist", "likes"]
    tables = tomllib.loads(toml)
    assert list(read_fields(tables["fields"])) == ["title", "sku", "price"]
    (site,) = read_sites(tables["site"])
    assert site.fields["stars"].default == 0
    known = {*pipes.EACH, *pipes.WHOLE, *sources.SOURCES, *TYPES}
    assert [word for word in known if f"`{word}" not in text] == []


def test_a_recrawl_has_the_data_and_the_items_of_unchanged_pages(
    serve: Any, tmp_path: Path
) -> None:
    def cached(body: str, content_type: str) -> Any:
        def answer(exchange: Exchange) -> None:
            headers = (("ETag", '"1"'),)
            if exchange.hit.headers.get("if-none-match") == '"1"':
                exchange.reply(status=304, headers=headers)
            else:
                exchange.reply(body, content_type, headers=headers)

        return answer

    site = serve(
        index=cached("<h1>Shop</h1>" + link("/lamp", "/api"), "text/html"),
        lamp=cached(SHOP, "text/html"),
        api=cached('{"data": [{"name": "a"}]}', "application/json"),
    )
    settings = replace(config(site, tmp_path), fields=FIELDS, site=(REVIEWS,))
    crawl(settings)
    before = records(tmp_path)
    crawl(settings, "newer")
    after = records(tmp_path)[len(before) :]

    def data(rows: list[dict[str, Any]]) -> list[tuple[str, str, Any]]:
        kept = [row for row in rows if row["type"] in ("page", "file", "item")]
        return sorted((row["type"], row["url"], str(row["data"])) for row in kept)

    assert data(after) == data(before)
    cache = {
        row["url"].rpartition("/")[2]: row["from_cache"]
        for row in after
        if row["type"] in ("page", "file")
    }
    assert cache == {"": "not_modified", "api": "not_modified", "lamp": "miss"}
