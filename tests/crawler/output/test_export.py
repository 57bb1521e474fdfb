"""Exports: each format is read back by a program that is not ours."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import msgspec
import pandas
import polars
import pyarrow.parquet
import pytest

from crawler.model.documents import Link
from crawler.model.errors import OutputError, UsageError
from crawler.model.records import (
    AnyRecord,
    ErrorRecord,
    ItemRecord,
    PageRecord,
    RedirectRecord,
    RunRecord,
)
from crawler.model.url import url_id_hex
from crawler.output.compression import packer
from crawler.output.export.condition import Condition
from crawler.output.export.export import export, export_by_type
from crawler.output.export.formats import FORMATS
from crawler.output.export.latest import latest_records
from crawler.output.export.lines import Row, data_fields, read_batches, rows
from crawler.output.export.selection import Selection
from crawler.output.schema_export import all_columns, schema_line

SITE = "https://example.com/"
COLUMNS = [column.name for column in all_columns()]


def page(path: str, **fields: Any) -> PageRecord:
    url = SITE + path
    return PageRecord(
        **{
            "url": url,
            "url_id": url_id_hex(url),
            "host": "example.com",
            "status": 200,
            "ts": "2026-11-30T10:00:00.123Z",
            **fields,
        }
    )


def records() -> list[AnyRecord]:
    home = page(
        "",
        title='"Home", a\nline; é',
        links=(
            Link(SITE + "a", "a", text="to <a> & b"),
            Link("http://other.test/", "a"),
        ),
        data={"price": 1.5, "tags": ["x"], "of_a_plugin": {"a": [1]}},
        last_modified="Mon, 02 Jan 2006 15:04:05 GMT",
    )
    shared = {"url_id": "0" * 16, "host": "example.com", "parent_url": SITE}
    return [
        RunRecord(event="started"),
        home,
        page("a", parent_url=SITE, link_kind="a", depth=1, robots_meta="noindex"),
        page("b?x=1&y=2", parent_url=SITE, depth=1, reused_connection=True),
        RedirectRecord(url=SITE + "old", status=301, location=SITE + "a", **shared),
        ErrorRecord(
            url=SITE + "gone",
            error_code="status_4xx",
            error_stage="headers",
            error_message="404",
            status=404,
            **shared,
        ),
    ]


def lines(of: Iterable[AnyRecord], data: dict[str, Any] | None = None) -> bytes:
    encoded = [schema_line(data), *map(msgspec.json.encode, of)]
    return b"".join(line + b"\n" for line in encoded)


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_bytes(lines(records(), {"price": 0.0, "tags": [""]}))
    return path


def run(form: str, stream: Path, target: Path, selection: Selection) -> int:
    return export([stream], FORMATS[form], selection, target)


def read_back(path: Path) -> list[Row]:
    return [row for batch in read_batches([path]) for row in rows(batch)]


def as_json(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


# ------------------------------------------------------------------ formats


def test_csv_is_read_back_by_two_readers(stream: Path, tmp_path: Path) -> None:
    target = tmp_path / "all.csv"
    assert run("csv", stream, target, Selection()) == 6
    with target.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    assert list(rows[0]) == COLUMNS
    assert [row["type"] for row in rows] == [one.type for one in records()]
    assert rows[1]["title"] == '"Home", a\nline; é'
    assert json.loads(rows[1]["links"])[0]["text"] == "to <a> & b"
    assert (rows[1]["reused_connection"], rows[3]["reused_connection"]) == (
        "false",
        "true",
    )
    assert rows[1]["lang"] == ""
    found = duckdb.sql(f"SELECT count(*), sum(status) FROM '{target}'").fetchall()
    assert found == [(6, 1305)]


@pytest.mark.parametrize("ending", [".gz", ".zst", ".GZ"])
def test_a_compressed_stream_is_read_and_a_damaged_one_is_named(
    stream: Path, tmp_path: Path, ending: str
) -> None:
    packed = tmp_path / f"packed.jsonl{ending}"
    pack = packer(ending.lower())
    first, *rest = stream.read_bytes().splitlines(keepends=True)
    packed.write_bytes(pack(first) + pack(b"".join(rest)))
    assert read_back(packed) == read_back(stream)
    damaged = bytearray(packed.read_bytes())
    damaged[-2] ^= 0xFF  # of the checksum, or of the length
    packed.write_bytes(damaged)
    with pytest.raises(UsageError, match=f"packed.jsonl{ending} is damaged"):
        read_back(packed)


def test_parquet_has_types_lists_and_times(stream: Path, tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    assert run("parquet", stream, target, Selection()) == 6
    schema = pyarrow.parquet.read_schema(target)
    assert str(schema.field("status").type) == "int64"
    assert str(schema.field("ts").type) == "timestamp[ms, tz=UTC]"
    assert str(schema.field("links").type).startswith("list<element: struct<url: ")
    (link,) = duckdb.sql(
        f"SELECT links[1].text FROM '{target}' WHERE url = '{SITE}'"
    ).fetchall()
    assert link == ("to <a> & b",)
    assert polars.read_parquet(target)["status"].sum() == 1305


def test_a_field_of_data_has_the_type_of_the_schema_line(
    stream: Path, tmp_path: Path
) -> None:
    target = tmp_path / "data.parquet"
    columns = ("url", "data.price", "data.tags", "data.of_a_plugin", "data")
    selection = Selection(
        ("page",),
        columns,
        data=data_fields([stream]),
        undeclared=frozenset({"of_a_plugin"}),
    )
    assert run("parquet", stream, target, selection) == 3
    table = pyarrow.parquet.read_table(target)
    assert [str(kind) for kind in table.schema.types] == [
        "string", "double", "list<element: string>", "string", "string"
    ]  # fmt: skip
    assert table.column("data.price").to_pylist() == [1.5, None, None]
    assert table.column("data.of_a_plugin").to_pylist() == ['{"a":[1]}', None, None]
    assert json.loads(table.column("data").to_pylist()[0])["tags"] == ["x"]


def test_sqlite_has_a_table_for_each_type(stream: Path, tmp_path: Path) -> None:
    target = tmp_path / "all.sqlite"
    run("sqlite", stream, target, Selection())
    database = sqlite3.connect(target)
    assert database.execute(
        "SELECT title, data ->> 'price' FROM page_records WHERE depth = 0"
    ).fetchall() == [('"Home", a\nline; é', 1.5)]
    assert database.execute("SELECT location FROM redirect_records").fetchall() == [
        (SITE + "a",)
    ]
    database.close()


def test_sqlite_has_no_table_where_a_type_has_none_of_the_columns(
    stream: Path, tmp_path: Path
) -> None:
    target = tmp_path / "some.sqlite"
    written = run("sqlite", stream, target, Selection(columns=("title", "location")))
    database = sqlite3.connect(target)
    tables = database.execute("SELECT name FROM sqlite_master ORDER BY 1").fetchall()
    assert tables == [("page_records",), ("redirect_records",)]
    counts = [
        database.execute(f"SELECT count(*) FROM {t}").fetchone() for (t,) in tables
    ]
    assert sum(count for (count,) in counts) == written
    database.close()


def test_json_lines_come_out_as_they_went_in(stream: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.jsonl"
    run("jsonl", stream, target, Selection())
    assert as_json(target) == as_json(stream)[1:]


def test_urls_are_those_of_pages_unless_types_are_named(
    stream: Path, tmp_path: Path
) -> None:
    target = tmp_path / "urls.txt"
    assert run("urls", stream, target, Selection(FORMATS["urls"].types)) == 3
    assert target.read_text().split() == [SITE, SITE + "a", SITE + "b?x=1&y=2"]
    assert run("urls", stream, target, Selection(("error", "run"))) == 1
    assert target.read_text() == SITE + "gone\n"


def test_the_last_record_of_each_url(tmp_path: Path) -> None:
    """As after a recrawl: what has gone since is no page, and items are of the last."""
    stream = tmp_path / "records.jsonl"
    gone = ErrorRecord(
        url=SITE + "b", url_id="0" * 16, host="example.com", error_code="status_4xx",
        error_stage="headers", error_message="410 Gone",
    )  # fmt: skip
    item = {"url": SITE, "url_id": url_id_hex(SITE), "host": "example.com"}
    every: list[AnyRecord] = [
        page("", title="old"), ItemRecord(index=0, data={"n": 1}, **item),
        page("a"), page("b"),
        RunRecord(event="finished"),
        page("", title="new"), ItemRecord(index=0, data={"n": 2}, **item),
        gone, page("c"),
    ]  # fmt: skip
    stream.write_bytes(lines(every))
    target = tmp_path / "out"
    chosen = Selection(("page",), latest=latest_records([stream]))
    assert run("urls", stream, target, chosen) == 3
    assert target.read_text().split() == [SITE + "a", SITE, SITE + "c"]
    run("jsonl", stream, target, Selection(latest=latest_records([stream])))
    assert [
        (one["type"], one.get("title"), one.get("data")) for one in as_json(target)
    ] == [
        ("page", None, None),
        ("run", None, None),
        ("page", "new", None),
        ("item", None, {"n": 2}),
        ("error", None, None),
        ("page", None, None),
    ]
    assert {name for name, form in FORMATS.items() if form.latest} == {
        "urls", "sitemap", "graphml",
    }  # fmt: skip


def locations(path: Path) -> list[str | None]:
    return [
        one.text for one in ElementTree.parse(path).iter() if one.tag.endswith("}loc")
    ]


def test_a_sitemap_has_what_a_search_engine_should_have(
    stream: Path, tmp_path: Path
) -> None:
    target = tmp_path / "sitemap.xml"
    assert run("sitemap", stream, target, Selection()) == 2
    assert locations(target) == [SITE, SITE + "b?x=1&y=2"]
    assert "<lastmod>2006-01-02T15:04:05Z</lastmod>" in target.read_text()


def many_pages(path: Path, count: int, *further: bytes) -> Path:
    with path.open("wb") as out:
        for number in range(count):
            row = {"type": "page", "status": 200, "url": f"{SITE}{number}"}
            out.write(msgspec.json.encode(row) + b"\n")
        out.writelines(further)
    return path


def test_above_50_000_urls_there_is_an_index(tmp_path: Path) -> None:
    target = tmp_path / "sitemap.xml.gz"
    stream = many_pages(tmp_path / "records.jsonl", 100_001)
    assert run("sitemap", stream, target, Selection()) == 100_001
    index = gzip.decompress(target.read_bytes()).decode()
    parts = [tmp_path / f"sitemap-{number}.xml.gz" for number in (1, 2, 3)]
    for part in parts:
        assert f"<loc>{SITE}{part.name}</loc>" in index
    found = [gzip.decompress(part.read_bytes()).count(b"<url>") for part in parts]
    assert found == [50_000, 50_000, 1]


def test_a_sitemap_that_fails_leaves_no_part(tmp_path: Path) -> None:
    stream = many_pages(tmp_path / "records.jsonl", 60_000, b"{\n")
    with pytest.raises(UsageError, match="line 60,001: not a record"):
        run("sitemap", stream, tmp_path / "sitemap.xml", Selection())
    assert list(tmp_path.iterdir()) == [stream]


def graph(path: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The URL of each node by id, and the edges as pairs of URLs."""
    root = ElementTree.parse(path).getroot()
    space = "{http://graphml.graphdrawing.org/xmlns}"
    urls = {
        node.attrib["id"]: node.findtext(f"{space}data[@key='node_url']") or ""
        for node in root.iter(f"{space}node")
    }
    edges = [
        (urls[edge.attrib["source"]], urls[edge.attrib["target"]])
        for edge in root.iter(f"{space}edge")
    ]
    return urls, edges


def test_graphml_has_the_links_and_nodes_for_what_they_name(
    stream: Path, tmp_path: Path
) -> None:
    target = tmp_path / "graph.graphml"
    run("graphml", stream, target, Selection())
    urls, edges = graph(target)
    assert len(urls) == len(set(urls.values())) == 6
    assert set(edges) == {
        (SITE, SITE + "a"),
        (SITE, "http://other.test/"),
        (SITE + "old", SITE + "a"),
    }


def test_graphml_without_links_is_the_tree_of_discovery(tmp_path: Path) -> None:
    stream = tmp_path / "records.jsonl"
    title = "a \x00 control"
    child = page("a", parent_url=SITE, link_kind="a", title=title)
    stream.write_bytes(lines([page(""), child]))
    run("graphml", stream, tmp_path / "graph.graphml", Selection())
    assert graph(tmp_path / "graph.graphml")[1] == [(SITE, SITE + "a")]


def test_parquet_is_read_by_three_readers_and_is_what_the_stream_says(
    tmp_path: Path,
) -> None:
    """A thousand records of every type, in several batches and threads."""
    stream, target = tmp_path / "records.jsonl", tmp_path / "all.parquet"
    links = tuple(Link(f"{SITE}{n}", "a", text="x" * 1000) for n in range(10))
    stream.write_bytes(
        lines(
            one
            for n in range(1000)
            for one in (page(f"{n}", links=links[: n % 11], depth=n), *records()[3:])
        )
    )
    assert run("parquet", stream, target, Selection()) == 4000
    wanted = read_back(stream)[1:]
    urls = [row["url"] for row in wanted]
    counts = [len(row.get("links") or ()) for row in wanted]
    assert duckdb.sql(
        f"SELECT list(url), list(coalesce(len(links), 0)) FROM '{target}'"
    ).fetchall() == [(urls, counts)]
    frame = polars.read_parquet(target)
    assert frame["url"].to_list() == urls
    assert frame["links"].list.len().fill_null(0).to_list() == counts
    table = pandas.read_parquet(target)
    assert list(table["url"]) == urls
    assert [0 if one is None else len(one) for one in table["links"]] == counts
    for row, written in zip(wanted, frame.to_dicts(), strict=True):
        times = {"ts": written.pop("ts"), "expires_at": written.pop("expires_at")}
        assert [time for time in times.values() if time] == [
            datetime.fromisoformat(row["ts"]) for _ in range(bool(row["ts"]))
        ]
        data = written.pop("data")
        assert (data and json.loads(data)) == row.get("data")
        assert {key: value for key, value in written.items() if value is not None} == {
            key: value
            for key, value in row.items()
            if value is not None and key not in ("ts", "data")
        }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"type":"page","status":"x"}', "column status: .*--columns"),
        (b'{"type":"page","links":[{"url":3}]}', "column links: "),
        (b'{"type":"page","status":1180591620717411303424}', "column status: "),
        (b'{"type":"page","ts":"today"}', "column ts: "),
        (b'{"type":"page","title":"\xff"}', "not a record|column title: "),
        (b'{"type":"page"}{"type":"page"}', "not a record: "),
        (b"", "not a record: "),
        (b'{"type":"sheet"}', "not a record: there is no type 'sheet'"),
        (b'{"url":"x"}', "not a record: .*`type`"),
    ],
)
@pytest.mark.parametrize("form", ["parquet", "csv", "sqlite"])
def test_a_value_that_does_not_fit_is_named_with_its_line(
    stream: Path, tmp_path: Path, form: str, line: bytes, message: str
) -> None:
    whole = stream.read_bytes()
    stream.write_bytes(whole + line + b"\n" + whole)
    text = form != "parquet" and re.search(rb'"(links|ts)"', line)
    if text:  # only Parquet has types for what is within
        assert run(form, stream, tmp_path / "out", Selection()) == 13
        return
    place = r"records\.jsonl, line 8: "
    with pytest.raises(UsageError, match=f"{place}.*({message}|not a record)"):
        run(form, stream, tmp_path / "out", Selection())


# ------------------------------------------------------------------ selection


@pytest.mark.parametrize(
    ("condition", "paths"),
    [
        ("status = 200 AND depth > 0", ["a", "b?x=1&y=2"]),
        ("type = 'error' OR location LIKE '%/a'", ["old", "gone"]),
        ("data ->> 'price' > 1", [""]),
        ("url REGEXP '/[ab]($|\\?)'", ["a", "b?x=1&y=2"]),
        ("title REGEXP 'Home'", [""]),
        (
            "EXISTS (SELECT 1 FROM json_each(links) WHERE value ->> 'text' > '')",
            [""],
        ),
        ("1 -- a comment", None),
        ("data.price > 1", [""]),
        ("price > 1 AND 'x' IN (SELECT value FROM json_each(tags))", [""]),
        ("data.price IS NULL AND type = 'page'", ["a", "b?x=1&y=2"]),
    ],
)
def test_where_is_a_condition_in_sql(
    stream: Path, condition: str, paths: list[str] | None
) -> None:
    wanted = Condition(condition, data_fields([stream]))
    (batch,) = Selection(where=wanted).lines(read_batches([stream]))
    found = [row["url"] for row in rows(batch) if "url" in row]
    everything = [one.url for one in records() if not isinstance(one, RunRecord)]
    assert found == (everything if paths is None else [SITE + path for path in paths])


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("statu = 3", "no such column: statu; did you mean status?"),
        ("nothing_like_it = 3", "`orbweb schema` lists them"),
        ("data.prize > 3", "no such column: data.prize; did you mean data.price?"),
        ("data.shape > 3", "no such column: data.shape; there are data.price"),
        ("prize > 3", "no such column: prize; did you mean data.price?"),
        ("status =", "incomplete input|syntax error"),
        ("1); DELETE FROM record; --", "one statement"),
    ],
)
def test_a_condition_that_cannot_be_had_is_said_at_once(
    condition: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Condition(condition, {"price": 0.0})


def test_a_wrong_expression_is_named(stream: Path, tmp_path: Path) -> None:
    wanted = Condition("url REGEXP '('")
    with pytest.raises(UsageError, match=r"line 3: .*REGEXP '\('.*missing \)"):
        run("urls", stream, tmp_path / "urls", Selection(where=wanted))


def test_columns_are_chosen_and_ordered(stream: Path, tmp_path: Path) -> None:
    target = tmp_path / "few.csv"
    run("csv", stream, target, Selection(("page",), ("status", "url")))
    assert target.read_text().splitlines()[:2] == ["status,url", f"200,{SITE}"]
    with pytest.raises(UsageError, match="'urll'; did you mean url"):
        run("csv", stream, target, Selection((), ("urll",)))


def test_each_type_has_a_file_of_its_own_columns(stream: Path, tmp_path: Path) -> None:
    written = export_by_type(
        [stream], FORMATS["csv"], Selection(), tmp_path / "all.csv.gz"
    )
    assert {path.name: count for path, count in written.items()} == {
        "all-run.csv.gz": 1,
        "all-page.csv.gz": 3,
        "all-redirect.csv.gz": 1,
        "all-error.csv.gz": 1,
    }
    text = gzip.decompress((tmp_path / "all-error.csv.gz").read_bytes()).decode()
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["error_code"] == "status_4xx"
    assert "title" not in row


# ------------------------------------------------------------------ files


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_file_is_compressed_by_its_name_and_read_again(
    stream: Path, tmp_path: Path, ending: str
) -> None:
    target = tmp_path / f"copy.jsonl{ending}"
    run("jsonl", stream, target, Selection())
    assert read_back(target) == read_back(stream)[1:]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        target.name,
        "records.jsonl",
    ]


def test_a_line_that_a_crawl_is_still_writing_is_left_out(stream: Path) -> None:
    whole = stream.read_bytes()
    for cut in (1, 7, 200):
        stream.write_bytes(whole[:-cut])
        assert len(read_back(stream)) == 1 + 5


@pytest.mark.parametrize("form", FORMATS)
def test_a_damaged_line_is_named_and_the_old_export_stays(
    stream: Path, tmp_path: Path, form: str
) -> None:
    before = stream.read_bytes().splitlines(keepends=True)
    stream.write_bytes(b"".join([*before[:3], b"{\n", *before[3:]]))
    target = tmp_path / "export"
    target.write_text("the one of yesterday")
    with pytest.raises(UsageError, match=r"records\.jsonl, line 4: not a record"):
        run(form, stream, target, Selection())
    assert target.read_text() == "the one of yesterday"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("form", FORMATS)
def test_a_place_that_cannot_be_written_is_said(
    stream: Path, tmp_path: Path, form: str
) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        run(form, stream, tmp_path / "nowhere" / "export", Selection())


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_of_nothing_is_a_whole_file(tmp_path: Path, form: str) -> None:
    target = tmp_path / "export"
    assert export([], FORMATS[form], Selection(), target) == 0
    assert target.is_file()
