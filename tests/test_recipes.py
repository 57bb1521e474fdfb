"""The commands of docs/recipes.md, each run against a site on loopback.

A section is a working directory: its files are written, its shell lines run one after
the other, and a function here looks at what has come of them.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest

from tests.helpers.crawling import records
from tests.helpers.paths import PROGRAM, ROOT
from tests.helpers.shop_and_news import (
    ARTICLES,
    PDF,
    PRODUCTS,
    ShopAndNews,
    shop_and_news,
)

TEXT = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
SECTIONS = dict(
    re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
)
DUCKDB = """\
import sys, duckdb
arguments = sys.argv[1:]
text = arguments[1] if arguments else sys.stdin.read()
for row in duckdb.sql(text).fetchall():
    print(*row, sep="\\t")
"""
"""Stands for the command-line program of DuckDB, which is no package of Python."""
HASTE = {"ORBWEB_POLITENESS_WAIT": "0", "ORBWEB_POLITENESS_PER_HOST": "8"}


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


class Kitchen:
    """A folder, with the programs that the recipes call."""

    def __init__(self, folder: Path, web: ShopAndNews) -> None:
        self.path = folder / "work"
        self.web = web
        self._programs = folder / "bin"
        for made in (self.path, self._programs):
            made.mkdir()
        self._program("orbweb", f'exec {" ".join(PROGRAM)} "$@"')
        (folder / "query.py").write_text(DUCKDB)
        self._program("duckdb", f'exec {sys.executable} {folder}/query.py "$@"')

    def _program(self, name: str, script: str) -> None:
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def files(self, section: str) -> None:
        for language in ("toml", "sql"):
            for block in blocks(section, language):
                (name,) = re.findall(r"\A(?:#|--) (\S+)\n", block)
                (self.path / name).write_text(self._here(block))

    def lines(self, section: str) -> list[str]:
        text = "".join(blocks(section, "sh"))
        return [line for line in text.splitlines() if line]

    def run(self, line: str) -> str:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", self._here(line)],
            cwd=self.path,
            env={
                **os.environ,
                **HASTE,
                "TERM": "dumb",
                "PATH": f"{self._programs}:{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, (line, done.stderr)
        return done.stdout

    def cook(self, section: str) -> list[str]:
        """Write the files and run the lines; what each has printed."""
        self.files(section)
        return [self.run(line) for line in self.lines(section)]

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.path / name).open(newline="", encoding="utf-8") as text:
            return list(csv.DictReader(text))

    def url(self, path: str) -> str:
        return self.web.site.url(path)

    def _here(self, text: str) -> str:
        return text.replace("https://example.com/", self.url("/"))


@pytest.fixture
def kitchen(tmp_path: Path) -> Iterator[Kitchen]:
    with shop_and_news() as web:
        yield Kitchen(tmp_path, web)


def test_every_recipe_has_a_test() -> None:
    assert [name for name in SECTIONS if name not in CHECKS] == []
    assert [name for name in SECTIONS if not blocks(name, "sh")] == []


def pdfs(kitchen: Kitchen, printed: list[str]) -> None:
    rows = [line.split("\t") for line in printed[1].splitlines()]
    assert sorted(url for _, url in rows) == [
        kitchen.url(f"/papers/{name}.pdf") for name in ("again", "bridges", "ice")
    ]
    for path, url in rows:
        name = url.rpartition("/")[2]
        assert (kitchen.path / "papers" / path).read_bytes() == PDF + name.encode()


def pictures(kitchen: Kitchen, _printed: list[str]) -> None:
    rows = kitchen.table("pictures.csv")
    assert sorted(row["alt"] for row in rows) == sorted(p[0] for p in PRODUCTS.values())
    for row in rows:
        assert (row["width"], row["height"]) == ("300", "200")
        assert row["page_url"] == kitchen.url("/shop/")
        assert (kitchen.path / "pictures" / row["path"]).is_file()


def archive(kitchen: Kitchen, printed: list[str]) -> None:
    urls = {line.split()[1] for line in printed[1].splitlines()}
    assert {kitchen.url("/shop/lamp"), kitchen.url("/pictures/red.png")} <= urls


def copy(kitchen: Kitchen, _printed: list[str]) -> None:
    (home,) = (kitchen.path / "copy" / "mirror").glob("*/index.html")
    assert 'href="shop/' in home.read_text()
    assert len([*home.parent.rglob("*.png")]) == len(PRODUCTS)


def again(kitchen: Kitchen, printed: list[str]) -> None:
    rows = {row["url"]: row for row in csv.DictReader(printed[2].splitlines())}
    for name, (headline, _, author, _) in ARTICLES.items():
        row = rows.pop(kitchen.url(f"/news/{name}"))
        assert (row["data.headline"], row["data.author"]) == (headline, author)
    assert not rows


def shop(kitchen: Kitchen, printed: list[str]) -> None:
    assert "3" in printed[0]
    assert "sku-lamp" in printed[0]
    assert [list(row.values()) for row in kitchen.table("items.csv")] == [
        ["sku-lamp", "Lamp", "1299.0", "true"],
        ["sku-desk", "Desk “Oslo”", "449.5", "false"],
        ["sku-chair", "Chair", "89.0", "true"],
    ]
    products = duckdb.sql(
        'SELECT typeof("data.price"), "data.name", "data.price" '
        f"FROM '{kitchen.path}/products.parquet' ORDER BY 3"
    ).fetchall()
    assert products == [
        ("DOUBLE", "Chair", 89.0),
        ("DOUBLE", "Desk “Oslo”", 449.5),
        ("DOUBLE", "Lamp", 1299.0),
    ]
    assert printed[4] == "Chair\t89.0\nLamp\t1299.0\n"
    kinds = types_of(kitchen.path / "shop", "price", "available", "name", "link")
    assert kinds == ("DOUBLE", "BOOLEAN", "VARCHAR", "VARCHAR")


def news(kitchen: Kitchen, printed: list[str]) -> None:
    assert printed[1] == (
        "2026-11-28\tAda Lovelace\tThe harbour freezes over\n"
        "2026-11-29\tGrace Hopper\tA bridge for bicycles\n"
    )
    assert printed[2] == "ports\t1\ntraffic\t1\nweather\t1\n"
    kinds = types_of(kitchen.path / "news", "published", "author", "tags")
    assert kinds == ("VARCHAR", "VARCHAR", "VARCHAR[]")


def types_of(folder: Path, *fields: str) -> tuple[str, ...]:
    """What DuckDB takes the fields for."""
    listed = ", ".join(f"typeof(data.{field})" for field in fields)
    path = folder / "records.jsonl"
    (kinds,) = duckdb.sql(f"SELECT {listed} FROM '{path}' LIMIT 1").fetchall()
    return tuple(kinds)


def prices(kitchen: Kitchen, _printed: list[str]) -> None:
    (cron,) = blocks("Prices, every day", "cron")
    line = cron.split(maxsplit=5)[5].replace("/srv/prices", str(kitchen.path))
    query = kitchen.lines("Prices, every day")[1]
    kitchen.run(line)
    assert kitchen.run(query) == ""
    kitchen.web.prices["desk"] = "€ 399,00"
    kitchen.run(line)
    assert kitchen.run(query) == "Desk “Oslo”\t449.5\t399.0\n"


def corpus(kitchen: Kitchen, _printed: list[str]) -> None:
    packed = kitchen.path / "corpus.jsonl.zst"
    with subprocess.Popen(["zstd", "-dc", packed], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        rows = [json.loads(line) for line in reader.stdout]
    assert {row["url"] for row in rows} == {kitchen.url(f"/news/{n}") for n in ARTICLES}
    assert list(rows[0]) == ["url", "title", "lang", "words_count", "markdown"]
    for row in rows:
        assert f"# {row['title']}\n" in row["markdown"]
        assert "## What now" in row["markdown"]


def broken(kitchen: Kitchen, printed: list[str]) -> None:
    target, source, *_ = printed[1].splitlines()
    assert target.split() == ["404", kitchen.url("/gone"), "on", "4", "pages"]
    assert source.split()[0] == kitchen.url("/news/")
    assert "Broken links: 1" in printed[2]
    (row,) = csv.DictReader(printed[3].splitlines())
    assert row == {
        "status": "404", "error_code": "status_4xx", "url": kitchen.url("/gone"),
        "parent_url": kitchen.url("/news/"),
    }  # fmt: skip


def sitemap(kitchen: Kitchen, _printed: list[str]) -> None:
    tree = ElementTree.parse(kitchen.path / "sitemap.xml")
    found = {one.text for one in tree.iter() if one.tag.endswith("}loc")}
    articles = {kitchen.url(f"/news/{name}") for name in ARTICLES}
    assert articles < found
    assert kitchen.url("/gone") not in found
    assert set((kitchen.path / "articles.txt").read_text().split()) == articles
    rows = records(kitchen.path / "articles")
    assert {row["url"] for row in rows if row["type"] == "page"} == articles


def links(kitchen: Kitchen, _printed: list[str]) -> None:
    text = (kitchen.path / "links.graphml").read_text()
    assert text.count("<edge ") > text.count("<node ") > 8


def database(_kitchen: Kitchen, printed: list[str]) -> None:
    ((status, count),) = [row.split("|") for row in printed[2].splitlines()]
    assert (status, int(count) > 8) == ("200", True)
    minutes = [row.split("\t") for row in printed[3].splitlines()]
    assert sum(int(pages) for _, pages in minutes) == int(count)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:00", minutes[0][0])


def pipelines(kitchen: Kitchen, printed: list[str]) -> None:
    rows = [line.split("\t") for line in printed[0].splitlines()]
    for name, article in ARTICLES.items():
        assert ["200", article[0], kitchen.url(f"/news/{name}")] in rows
    assert int(printed[1]) == len(rows)
    assert printed[2].startswith("type,v,run_id,")


CHECKS: dict[str, Callable[[Kitchen, list[str]], None]] = {
    "All PDFs": pdfs,
    "All pictures": pictures,
    "An archive": archive,
    "A copy to read offline": copy,
    "Other fields, without a new crawl": again,
    "Products of a shop": shop,
    "Articles of a newspaper": news,
    "Prices, every day": prices,
    "Text for a language model": corpus,
    "Broken links": broken,
    "A sitemap, and lists of URLs": sitemap,
    "The graph of links": links,
    "A database": database,
    "Pipelines": pipelines,
}


OF_ANOTHER = {
    "Prices, every day": "Products of a shop",
    "Other fields, without a new crawl": "Articles of a newspaper",
}
"""The section whose files another one needs, too."""


@pytest.mark.parametrize("section", SECTIONS)
def test_a_recipe_does_what_it_says(kitchen: Kitchen, section: str) -> None:
    if section in OF_ANOTHER:
        kitchen.files(OF_ANOTHER[section])
    for program in ("jq", "sqlite3", "zstd"):
        if shutil.which(program) is None and program in SECTIONS[section]:
            pytest.skip(f"{program} is not installed")
    CHECKS[section](kitchen, kitchen.cook(section))


@pytest.mark.parametrize("section", ["Products of a shop", "Articles of a newspaper"])
def test_the_fields_of_a_site_are_a_short_table(section: str) -> None:
    (toml,) = blocks(section, "toml")
    assert len(toml.splitlines()) < 20
