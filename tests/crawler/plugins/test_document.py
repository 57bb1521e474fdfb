"""The plug-ins of docs/plugins.md, each as the one file that the document shows."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.crawling import records
from tests.helpers.example_site import example_site
from tests.helpers.paths import ROOT
from tests.helpers.shop_and_news import shop_and_news
from tests.site.page import reply
from tests.site.server import Site

TEXT = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", TEXT, re.DOTALL))


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    with example_site() as site:
        yield site


class Folder:
    """A working directory with the plug-ins of the document."""

    def __init__(self, path: Path, web: Site) -> None:
        self.path = path
        self._web = web
        for name, code in FILES.items():
            (path / name).write_text(code)

    def orbweb(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        script = f"import sys; sys.path.append({str(ROOT)!r}); "
        script += "sys.path.remove(''); from crawler.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=self.path, capture_output=True, text=True,
        )  # fmt: skip

    def crawl(self, *arguments: str) -> list[dict[str, Any]]:
        url = self._web.url("/")
        done = self.orbweb("crawl", url, "-d", "out", "-w", "0", "-q", *arguments)
        assert done.returncode == 0, done.stderr
        return records(self.path / "out")


@pytest.fixture
def folder(tmp_path: Path, web: Site) -> Folder:
    return Folder(tmp_path, web)


def test_the_document_has_seven_plugins() -> None:
    assert sorted(FILES) == [
        "blocklist.py", "headings.py", "pages_csv.py", "pages_db.py", "price_watch.py",
        "table_rows.py", "traffic.py",
    ]  # fmt: skip


def test_a_check_refuses_urls_by_a_list(folder: Folder, web: Site) -> None:
    (folder.path / "blocked.txt").write_text(f"{web.url('/about')}\n")
    (folder.path / "c.toml").write_text(
        '[[plugin]]\nuse = "blocklist:Blocklist"\nfile = "blocked.txt"\n'
    )
    found = folder.crawl("--config", "c.toml", "--record", "skips")
    (skip,) = [one for one in found if one["type"] == "skip"]
    assert (skip["url"], skip["reason"]) == (web.url("/about"), "plugin")
    assert skip["rule"] == "plug-in blocklist:Blocklist: on the blocklist"
    told = folder.orbweb("explain", web.url("/about"), "out")
    assert "plug-in blocklist:Blocklist: on the blocklist" in told.stdout
    (folder.path / "blocklist.py").unlink()
    told = folder.orbweb("explain", web.url("/data.csv"), "out")
    assert told.returncode == 0
    assert "unknown   what blocklist:Blocklist would say: not found" in told.stdout
    told = folder.orbweb("resume", "out")
    assert told.returncode == 2
    assert "plug-in 'blocklist:Blocklist' can't be imported" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_field_from_the_first_heading(folder: Folder) -> None:
    found = folder.crawl("--plugin", "headings:FirstHeading")
    pages = {one["title"]: one["data"] for one in found if one["type"] == "page"}
    assert pages == {"Home": {"h1": "Welcome"}, "About": {"h1": "About us"}}


def test_a_listener_counts_bytes_per_host(folder: Folder) -> None:
    found = folder.crawl("--plugin", "traffic:BytesPerHost")
    counted = json.loads((folder.path / "bytes_per_host.json").read_text())
    (host,) = counted
    wire_bytes = sum(one.get("wire_bytes", 0) for one in found if one["type"] != "run")
    assert counted[host] >= wire_bytes > 0


def test_a_sink_writes_csv_and_goes_back(folder: Folder, web: Site) -> None:
    folder.crawl("--plugin", "pages_csv:PagesCsv", "-n", "1")
    table = folder.path / "pages.csv"
    assert list(csv.reader(table.read_text().splitlines())) == [
        [web.url("/"), "200", "Home"]
    ]
    with table.open("a") as file:
        file.write("written,but not,committed\n")
    done = folder.orbweb("resume", "out", "-q")
    assert done.returncode == 0, done.stderr
    assert [row[2] for row in csv.reader(table.read_text().splitlines())] == [
        "Home"
    ]  # still at 1 page


SHOP = """
[[site]]
match = '/shop/\\w+$'
fields.price = { select = "jsonld:Product.offers.price", type = "price" }
"""


def test_a_price_watcher_compares_with_the_last_crawl(tmp_path: Path) -> None:
    with shop_and_news() as shop:
        folder = Folder(tmp_path, shop.site)
        (tmp_path / "shop.toml").write_text(SHOP)
        url = shop.site.url("/shop/")

        def watch() -> str:
            done = folder.orbweb(
                "crawl", url, "-N", "-q", "-np", "--no-images", "-w", "0", "-d", "out",
                "--config", "shop.toml", "--plugin", "price_watch:PriceWatch",
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stderr

        assert "->" not in watch()
        assert "->" not in watch()
        shop.prices["desk"] = "€ 399,00"
        assert f"{url}desk: 449.5 -> 399\n" in watch()
        assert "->" not in watch()


TABLES = """<!doctype html><title>T</title><table><caption>Sizes</caption>
<tr><th>Name<th>Size <i>(mm)</i><tr><td>A4<td>210 <b>x</b> 297<tr><td>A5<td>148 x 210
<tr><td colspan=2>and smaller ones</table>
<table><tr><td>for <td>layout<tr><td><table><tr><th>K<tr><td>v</table></table>
<table></table><table><tr><th>Only<td>a side</table>"""


def test_a_table_scraper_makes_items_of_rows(tmp_path: Path) -> None:
    site = Site({"": reply(TABLES)})
    try:
        folder = Folder(tmp_path, site)
        found = folder.crawl("--plugin", "table_rows:TableRows")
        items = [(row["index"], row["data"]) for row in found if row["type"] == "item"]
        assert items == [
            (0, {"table": "Sizes", "row": {"Name": "A4", "Size (mm)": "210 x 297"}}),
            (1, {"table": "Sizes", "row": {"Name": "A5", "Size (mm)": "148 x 210"}}),
            (2, {"table": "", "row": {"K": "v"}}),
        ]
        columns = ("--columns", "url,data.table,data.row")
        done = folder.orbweb("export", "out", "-t", "jsonl", "--type", "item", *columns)
        assert json.loads(done.stdout.splitlines()[2])["data.row"] == {"K": "v"}
    finally:
        site.stop()


def test_a_sink_to_a_database_holds_each_page_once(folder: Folder, web: Site) -> None:
    folder.crawl("--plugin", "pages_db:PagesDatabase", "-n", "1")
    with closing(sqlite3.connect(folder.path / "pages.db")) as database:
        pages = "SELECT url, status, title FROM page"
        home = (web.url("/"), 200, "Home")
        assert database.execute(pages).fetchall() == [home]
        # as if a kill had come between the sink's commit and that of the crawl
        database.execute("INSERT INTO page (url) VALUES ('never committed')")
        database.commit()
        done = folder.orbweb("resume", "out", "-q", "-n", "10")
        assert done.returncode == 0, done.stderr
        assert database.execute(pages).fetchall() == [
            home, (web.url("/about"), 200, "About")
        ]  # fmt: skip
        folder.orbweb("recrawl", "out", "-q")
        assert len(database.execute(pages).fetchall()) == 4
