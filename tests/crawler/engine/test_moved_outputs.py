"""SIGHUP: records whose file was moved away go on in a new one, and stay exact."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.engine.crawl import Crawl
from crawler.frontier.sqlite.store import SqliteStore
from crawler.model.config import Config
from crawler.model.errors import StateError, UsageError
from crawler.model.metadata import BOOT
from tests.helpers.crawling import config, link, page
from tests.site.server import Site

PAGES = 12


@pytest.fixture
def site(serve) -> Site:  # type: ignore[no-untyped-def]
    """A chain of pages: one request after the other."""
    pages = {str(n): page(link(f"/{n + 1}")) for n in range(1, PAGES)}
    started: Site = serve(index=page(link("/1")), **pages, **{str(PAGES): page()})
    return started


def at_page(number: int, crawl: Crawl, act: Any) -> None:
    """Call `act` when so many pages are committed."""
    seen = []

    def listen(record: Any) -> None:
        if record.type == "page":
            seen.append(record)
            if len(seen) == number:
                act()

    crawl.events.on_record(listen)


def lines(*files: Path) -> list[dict[str, Any]]:
    """The records of some files, each of which begins with the schema line."""
    found = []
    for file in files:
        data = file.read_bytes()
        text = gzip.decompress(data) if file.suffix == ".gz" else data
        assert text.endswith(b"\n")
        schema, *rest = map(json.loads, text.splitlines())
        assert schema["type"] == "schema"
        found += rest
    return found


def assert_exact(records: list[dict[str, Any]]) -> None:
    assert [one["seq"] for one in records] == list(range(1, len(records) + 1))
    urls = [one["url"] for one in records if one["type"] == "page"]
    assert len(urls) == len(set(urls)) == PAGES + 1


def snapshot(folder: Path, name: str) -> Path:
    """What a `kill -9` would leave at this moment, in another folder."""
    return Path(shutil.copytree(folder, folder.parent / name))


def resumed(folder: Path, settings: Config) -> None:
    open_crawl(moved_to(folder, settings), mode="resume").run()


def moved_to(folder: Path, settings: Config) -> Config:
    return replace(settings, dir=str(folder))


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_records_go_on_in_a_new_file(site: Site, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"r.jsonl{ending}"
    old = tmp_path / f"old.jsonl{ending}"
    crawl = open_crawl(config(site, tmp_path / "c", output=(str(out),)), mode="new")

    def rotate() -> None:
        out.rename(old)
        crawl.reopen_outputs()

    at_page(5, crawl, rotate)
    assert crawl.run().exit_code == 0
    assert len(lines(old)) > 4
    assert len(lines(out)) > 4
    assert_exact(lines(old, out))


def test_a_file_that_was_not_moved_stays(site: Site, tmp_path: Path) -> None:
    crawl = open_crawl(config(site, tmp_path), mode="new")
    at_page(3, crawl, crawl.reopen_outputs)
    crawl.run()
    assert_exact(lines(tmp_path / "records.jsonl"))


def test_an_empty_file_in_its_place_is_taken_and_another_is_not(
    site: Site, tmp_path: Path
) -> None:
    """logrotate creates the new file by default."""
    crawl = open_crawl(config(site, tmp_path), mode="new")
    path, warnings = tmp_path / "records.jsonl", []
    crawl.events.on_warning(warnings.append)

    def rotate(name: str, content: str) -> None:
        path.rename(tmp_path / name)
        path.write_text(content)
        crawl.reopen_outputs()

    at_page(3, crawl, lambda: rotate("a", ""))
    at_page(6, crawl, lambda: rotate("b", "mine"))
    crawl.run()
    assert path.read_text() == "mine"
    assert_exact(lines(tmp_path / "a", tmp_path / "b"))
    [warning] = warnings
    assert "is another file now, and is not empty" in warning
    assert "the records go on in the file of before" in warning


def test_a_crawl_killed_at_each_step_goes_on_exactly(
    site: Site, tmp_path: Path
) -> None:
    settings = config(site, tmp_path / "c")
    crawl = open_crawl(settings, mode="new")
    path = tmp_path / "c" / "records.jsonl"

    def rotate() -> None:
        path.rename(path.with_name("old"))
        snapshot(tmp_path / "c", "before")
        crawl.reopen_outputs()
        snapshot(tmp_path / "c", "begun")
        missing = snapshot(tmp_path / "c", "committed")  # and nothing is opened yet
        (missing / path.name).unlink()
        dirty = snapshot(tmp_path / "c", "written")  # and nothing is committed yet
        with (dirty / path.name).open("a") as file:
            file.write('{"type":"page"}\n{"ty')

    at_page(5, crawl, rotate)
    at_page(8, crawl, lambda: snapshot(tmp_path / "c", "later"))
    crawl.run()
    for name in ("begun", "committed", "written", "later"):
        folder = tmp_path / name
        resumed(folder, settings)
        assert_exact(lines(folder / "old", folder / path.name))

    folder = tmp_path / "before"
    with pytest.raises(StateError, match="put the file back"):
        resumed(folder, settings)
    (folder / "old").rename(folder / path.name)
    resumed(folder, settings)
    assert_exact(lines(folder / path.name))


def test_a_power_cut_later_fetches_nothing_of_the_moved_file_again(
    site: Site, tmp_path: Path
) -> None:
    settings = config(site, tmp_path / "c")
    crawl = open_crawl(settings, mode="new")
    path = tmp_path / "c" / "records.jsonl"

    def rotate() -> None:
        path.rename(path.with_name("old"))
        crawl.reopen_outputs()

    at_page(5, crawl, rotate)
    at_page(8, crawl, lambda: snapshot(tmp_path / "c", "cut"))
    crawl.run()
    folder = tmp_path / "cut"
    store = SqliteStore(folder / "state")
    store.set(BOOT, "", b"another start of the machine")
    store.commit()
    store.close()
    resumed(folder, settings)
    assert_exact(lines(folder / "old", folder / path.name))


def test_a_further_output_is_refused_then(site: Site, tmp_path: Path) -> None:
    settings = config(site, tmp_path / "c")
    crawl = open_crawl(settings, mode="new")
    path = tmp_path / "c" / "records.jsonl"

    def rotate() -> None:
        path.rename(path.with_name("old"))
        crawl.reopen_outputs()
        snapshot(tmp_path / "c", "cut")

    at_page(5, crawl, rotate)
    crawl.run()
    folder = tmp_path / "cut"
    more = replace(
        settings, output=(str(folder / path.name), str(tmp_path / "2.jsonl"))
    )
    with pytest.raises(UsageError, match="moved away"):
        resumed(folder, more)
