"""Exports: each format is read back by a program that is not ours."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import msgspec
import polars
import pyarrow.parquet
import pytest

from crawler.model.documents import Link
from crawler.model.errors import OutputError, UsageError
from crawler.model.records import (
    AnyRecord,
    ErrorRecord,
    PageRecord,
    RedirectRecord,
    RunRecord,
)
from crawler.model.url import url_id_hex
from crawler.output.compression import packer
from crawler.output.export.condition import Condition
from crawler.output.export.export import export, export_by_type
from crawler.output.export.formats import FORMATS
from crawler.output.export.rows import Row, data_fields, read_rows
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
        data={"price": 1.5, "tags": ["x"]},
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
    return export(read_rows([stream]), FORMATS[form], selection, target)


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
    assert list(read_rows([packed])) == list(read_rows([stream]))
    damaged = bytearray(packed.read_bytes())
    damaged[-2] ^= 0xFF  # of the checksum, or of the length
    packed.write_bytes(damaged)
    with pytest.raises(UsageError, match=f"packed.jsonl{ending} is damaged"):
        list(read_rows([packed]))


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
    columns = ("url", "data.price", "data.tags", "data.unknown")
    selection = Selection(("page",), columns, data=data_fields([stream]))
    assert run("parquet", stream, target, selection) == 3
    table = pyarrow.parquet.read_table(target)
    assert [str(kind) for kind in table.schema.types] == [
        "string", "double", "list<element: string>", "string"
    ]  # fmt: skip
    assert table.column("data.price").to_pylist() == [1.5, None, None]


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


def many_pages(count: int) -> Iterator[Row]:
    return ({"type": "page", "status": 200, "url": f"{SITE}{n}"} for n in range(count))


def test_above_50_000_urls_there_is_an_index(tmp_path: Path) -> None:
    target = tmp_path / "sitemap.xml.gz"
    assert (
        export(many_pages(100_001), FORMATS["sitemap"], Selection(), target) == 100_001
    )
    index = gzip.decompress(target.read_bytes()).decode()
    parts = [tmp_path / f"sitemap-{number}.xml.gz" for number in (1, 2, 3)]
    for part in parts:
        assert f"<loc>{SITE}{part.name}</loc>" in index
    found = [gzip.decompress(part.read_bytes()).count(b"<url>") for part in parts]
    assert found == [50_000, 50_000, 1]


def test_a_sitemap_that_fails_leaves_no_part(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield from many_pages(60_000)
        raise UsageError("line 60,001: not a record")

    with pytest.raises(UsageError):
        export(rows(), FORMATS["sitemap"], Selection(), tmp_path / "sitemap.xml")
    assert list(tmp_path.iterdir()) == []


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
    ],
)
def test_where_is_a_condition_in_sql(
    stream: Path, condition: str, paths: list[str] | None
) -> None:
    wanted = Condition(condition, COLUMNS)
    found = [row["url"] for row in read_rows([stream]) if "url" in row and wanted(row)]
    everything = [one.url for one in records() if not isinstance(one, RunRecord)]
    assert found == (everything if paths is None else [SITE + path for path in paths])


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("statu = 3", "no such column: statu; did you mean status?"),
        ("nothing_like_it = 3", "`orbweb schema` lists them"),
        ("status =", "incomplete input|syntax error"),
        ("1); DELETE FROM record; --", "one statement"),
    ],
)
def test_a_condition_that_cannot_be_had_is_said_at_once(
    condition: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Condition(condition, COLUMNS)


def test_a_wrong_expression_is_named(stream: Path) -> None:
    wanted = Condition("url REGEXP '('", COLUMNS)
    with pytest.raises(UsageError, match=r"REGEXP '\('.*missing \)"):
        list(map(wanted, [{"url": SITE}]))


def test_columns_are_chosen_and_ordered(stream: Path, tmp_path: Path) -> None:
    target = tmp_path / "few.csv"
    run("csv", stream, target, Selection(("page",), ("status", "url")))
    assert target.read_text().splitlines()[:2] == ["status,url", f"200,{SITE}"]
    with pytest.raises(UsageError, match="'urll'; did you mean url"):
        run("csv", stream, target, Selection((), ("urll",)))


def test_each_type_has_a_file_of_its_own_columns(stream: Path, tmp_path: Path) -> None:
    written = export_by_type(
        read_rows([stream]), FORMATS["csv"], Selection(), tmp_path / "all.csv.gz"
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
    assert list(read_rows([target])) == list(read_rows([stream]))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        target.name,
        "records.jsonl",
    ]


def test_a_line_that_a_crawl_is_still_writing_is_left_out(stream: Path) -> None:
    whole = stream.read_bytes()
    for cut in (1, 7, 200):
        stream.write_bytes(whole[:-cut])
        assert len(list(read_rows([stream]))) == 5


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
    assert export(iter(()), FORMATS[form], Selection(), target) == 0
    assert target.is_file()
