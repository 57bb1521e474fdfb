"""records: the schema, the forms it is exported to, and readers of the stream."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from crawler.model.documents import ImageLink, Link
from crawler.model.field_docs import field_doc
from crawler.model.record_base import HeaderRow, Record, RedirectHop
from crawler.model.records import (
    RECORD_TYPES,
    ErrorRecord,
    FileRecord,
    ImageRecord,
    ItemRecord,
    PageRecord,
    RedirectRecord,
    RobotsRecord,
    RunRecord,
    SkipRecord,
)
from crawler.output.schema_export import FORMS, all_columns, columns, schema_line

SAMPLE = 20_480
"""The number of lines from which DuckDB infers types."""


def fetched(number: int) -> dict[str, Any]:
    return {
        "url": f"https://a.test/{number}",
        "url_id": f"{number:016x}",
        "host": "a.test",
    }


LATE: list[Record] = [
    PageRecord(
        **fetched(1),
        status=200,
        title="Ein später Titel",
        domain="a.test",
        redirects=(RedirectHop("https://a.test/0", 301),),
        dns_ms=4,
        truncated="length",
        links=(Link("https://a.test/2", "a", "two", None, False),),
        images=(ImageLink("https://a.test/i.png", "img", None, 3, 4),),
        headers=(HeaderRow("set-cookie", "a=1"), HeaderRow("set-cookie", "b=2")),
        data={"price": 3.5},
        new_links_count=7,
    ),
    FileRecord(**fetched(2), status=200),
    ImageRecord(
        **fetched(3),
        status=200,
        path="images/i.png",
        format="png",
        frames=2,
        animated=True,
    ),
    RedirectRecord(**fetched(4), status=301, location="https://a.test/5"),
    ItemRecord(**fetched(1), index=0, data={"price": 3.5}),
    ErrorRecord(
        **fetched(5),
        error_code="rate_limited",
        error_stage="headers",
        error_message="asked to wait",
        retry_after_s=2.5,
    ),
    SkipRecord(**fetched(6), reason="robots", rule="robots.txt:2 Disallow: /x"),
    RobotsRecord(**fetched(7), crawl_delay_s=1.5, sitemaps=("https://a.test/map.xml",)),
    RunRecord(event="finished", finish_reason="done", exit_code=0, images_count=1),
]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream whose special values come after the sample that readers infer from."""
    path = tmp_path_factory.mktemp("stream") / "records.jsonl"
    encode = msgspec.json.Encoder().encode
    dull = encode(PageRecord(**fetched(0), status=200)) + b"\n"
    late = b"".join(encode(record) + b"\n" for record in LATE)
    path.write_bytes(schema_line() + b"\n" + dull * (SAMPLE + 100) + late)
    return path


# ------------------------------------------------------------------ rules


def test_a_name_has_one_type_in_the_whole_stream() -> None:
    kinds: dict[str, set[tuple[type, bool]]] = {}
    for record in RECORD_TYPES.values():
        for column in columns(record):
            kinds.setdefault(column.name, set()).add((column.kind, column.repeated))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


def test_every_record_carries_every_key_of_its_type() -> None:
    for record in LATE:
        keys = json.loads(msgspec.json.encode(record)).keys()
        assert list(keys) == [column.name for column in columns(type(record))]


def test_types_are_named_as_their_records_say() -> None:
    assert {record.type for record in LATE} == set(RECORD_TYPES)
    assert all(type(record) is RECORD_TYPES[record.type] for record in LATE)


def test_every_field_is_explained() -> None:
    for record in RECORD_TYPES.values():
        for column in columns(record):
            assert field_doc(record, column.name), (record, column.name)


def test_the_schema_line_is_one_line_with_no_null_in_it() -> None:
    line = schema_line({"price": 0.0})
    assert b"\n" not in line
    assert b"null" not in line
    values = json.loads(line)
    assert values["type"] == "schema"
    assert values["data"] == {"price": 0.0}
    assert list(values) == [column.name for column in all_columns()]


# ------------------------------------------------------------------ readers


def test_duckdb_reads_it_all(stream: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    rows = duckdb.sql(f"SELECT * FROM '{stream}'")
    found = rows.fetchall()
    assert len(found) == 1 + SAMPLE + 100 + len(LATE)
    types = dict(zip(rows.columns, map(str, rows.types), strict=True))
    assert types["title"] == "VARCHAR"
    assert types["dns_ms"] == "BIGINT"
    assert types["retry_after_s"] == "DOUBLE"
    assert types["animated"] == "BOOLEAN"
    late = dict(zip(rows.columns, found[-len(LATE)], strict=True))
    assert late["title"] == "Ein später Titel"
    assert late["redirects"] == [{"url": "https://a.test/0", "status": 301}]
    assert [h["value"] for h in late["headers"]] == ["a=1", "b=2"]
    assert late["new_links_count"] == 7


def test_the_printed_duckdb_views_read_it(
    stream: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(stream.parent)
    with duckdb.connect() as session:
        session.execute(FORMS["duckdb"]())
        for name, count in session.execute(
            "SELECT type, count(*) FROM records GROUP BY 1"
        ).fetchall():
            one = session.execute(f"SELECT count(*) FROM {name}_records").fetchone()
            assert one == (count,)
        (title,) = session.execute(
            "SELECT title FROM page_records WHERE title IS NOT NULL"
        ).fetchone()
        assert title == "Ein später Titel"
        (kind,) = session.execute("SELECT typeof(ts) FROM records LIMIT 1").fetchone()
        assert kind == "TIMESTAMP"


def test_polars_reads_it_all(stream: Path) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.read_ndjson(stream)
    assert frame.height == 1 + SAMPLE + 100 + len(LATE)
    assert frame["title"].drop_nulls().to_list() == ["", "Ein später Titel"]
    assert frame.row(-len(LATE), named=True)["images"] == [
        {
            "url": "https://a.test/i.png",
            "kind": "img",
            "alt": None,
            "width": 3,
            "height": 4,
            **dict.fromkeys(("group", "title", "caption", "link_text")),
        }
    ]


def test_the_printed_polars_reader_reads_it(
    stream: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("polars")
    monkeypatch.chdir(stream.parent)
    names: dict[str, Any] = {}
    exec(FORMS["polars"](), names)
    assert names["records"].height == SAMPLE + 100 + len(LATE)


def test_pandas_reads_it_all(stream: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_json(stream, lines=True)
    assert len(frame) == 1 + SAMPLE + 100 + len(LATE)
    assert frame.iloc[-len(LATE)]["title"] == "Ein später Titel"


def test_jq_reads_it_all(stream: Path) -> None:
    if not shutil.which("jq"):
        pytest.skip("jq is not installed")
    script = 'select(.type == "image") | .format'
    done = subprocess.run(
        ["jq", "-r", script, str(stream)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.split() == ["png"]


# ------------------------------------------------------------------ forms


def test_json_schema_accepts_what_is_written_and_refuses_else() -> None:
    whole = json.loads(FORMS["jsonschema"]())
    jsonschema.Draft202012Validator.check_schema(whole)
    validator = jsonschema.Draft202012Validator(whole)
    for record in LATE:
        written = json.loads(msgspec.json.encode(record))
        assert validator.is_valid(written), record.type
        assert not validator.is_valid({**written, "seq": "1"})
        del written["ts"]
        assert not validator.is_valid(written)
    assert validator.is_valid(json.loads(schema_line()))


def test_sql_makes_tables() -> None:
    session = sqlite3.connect(":memory:")
    session.executescript(FORMS["sql"]())
    tables = session.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    ).fetchall()
    session.close()
    assert {name for (name,) in tables} == {f"{name}_records" for name in RECORD_TYPES}


def test_markdown_has_a_row_for_each_field() -> None:
    text = FORMS["md"]()
    for name, record in RECORD_TYPES.items():
        table = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert table.count("\n| `") == len(columns(record))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_forms_end_in_one_newline(form: Callable[[], str]) -> None:
    assert form().endswith("\n")
