"""power_cut: what the disk never got is made again, and nothing is there twice."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import Summary, open_crawl
from crawler.frontier.sqlite.store import SqliteStore
from crawler.inspect.state import open_state
from crawler.model.config import Config
from crawler.model.content_config import BodiesConfig, OutputConfig
from crawler.model.errors import StateError
from crawler.model.metadata import BOOT
from crawler.model.policy_config import LimitsConfig, PolitenessConfig
from crawler.output.compression import open_unpacked
from crawler.output.lines import stream_files
from crawler.workspace import recovery
from crawler.workspace.paths import state_folder
from tests.helpers.crawling import TERMINAL, link, page, picture, png
from tests.site.page import reply
from tests.site.server import Site

PAGES = 12
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Pages in a row, each with an image; some of the images are the same."""
    numbers = range(PAGES)
    pictures = {
        f"p{n}.png": reply(png(colour=COLOURS[n % 3]), "image/png") for n in numbers
    }
    pages = {
        f"{n}": page(f"<p>{n}", link(f"/{n + 1}"), picture(f"/p{n}.png"))
        for n in range(PAGES)
    }
    site = Site({"": page(link("/0", "/moved")), **pages, **pictures,
                 "moved": reply(status=301, headers=(("Location", "/1"),)),
                 "robots.txt": reply(status=404)})  # fmt: skip
    yield site
    site.stop()


@pytest.fixture
def crawled(site: Site, tmp_path: Path) -> Config:
    """A crawl that is over."""
    return crawl_into(site, tmp_path)


def crawl_into(site: Site, folder: Path, output: tuple[str, ...] = ()) -> Config:
    config = Config(
        seeds=(site.url("/"),),
        dir=str(folder),
        output=output,
        politeness=PolitenessConfig(per_host=8, wait=0.0),
        records=OutputConfig(include=("links",)),
    )
    open_crawl(config, mode="new").run()
    return config


def restarted(config: Config) -> None:
    """The machine has stopped while the crawl was under way."""
    with closing(SqliteStore(state_folder(config.dir))) as store:
        store.set(BOOT, "", b"an earlier one")
        store.commit()


def resume(config: Config) -> tuple[int, Summary]:
    """How many URLs were found lost, and how it ended."""
    crawl = open_crawl(config, mode="resume")
    return crawl.lost, crawl.run()


def endings(config: Config, stream: bytes | None = None) -> list[dict[str, Any]]:
    """The records that end a URL."""
    if stream is None:
        stream = (Path(config.dir) / "records.jsonl").read_bytes()
    lines = map(json.loads, stream.splitlines())
    return [record for record in lines if record["type"] in TERMINAL]


def assert_whole(config: Config, summary: Summary, stream: bytes | None = None) -> None:
    """Each URL has one record, each image its file, and all agree."""
    ended = endings(config, stream)
    assert max(Counter(record["url"] for record in ended).values()) == 1
    kinds = Counter(record["type"] for record in ended)
    assert kinds == {"page": PAGES + 1, "image": PAGES, "redirect": 1, "error": 1}
    assert {kind: summary.counts[kind] for kind in kinds} == kinds
    assert summary.counts["queued"] == 0
    with open_state(Path(config.dir)) as (state, _):
        assert sum(host.usage.pages for host in state.hosts()) == PAGES + 1
    for record in ended:
        if record["type"] == "image":
            data = (Path(config.dir) / record["path"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == record["sha256"]


def cut(path: Path, left: int) -> None:
    with path.open("r+b") as file:
        file.truncate(left)


def blank(path: Path, left: int) -> None:
    """The file has its length, but what came last never reached the disk."""
    size = path.stat().st_size
    cut(path, left)
    cut(path, size)


@pytest.mark.parametrize("damage", [cut, blank])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.77, 0.999, 1.0])
def test_records_that_are_missing_are_written_again(
    crawled: Config,
    share: float,
    damage: Callable[[Path, int], None],
) -> None:
    before = len(endings(crawled))
    stream = Path(crawled.dir) / "records.jsonl"
    damage(stream, int(share * stream.stat().st_size))
    left = stream.read_bytes().rpartition(b"}\n")[0].count(b'"parent_url":') - (
        share > 0.01
    )
    restarted(crawled)
    lost, summary = resume(crawled)
    assert lost == before - left
    assert_whole(crawled, summary)
    assert resume(crawled)[0] == 0


@pytest.mark.parametrize("damage", [cut, blank])
@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.999, 1.0])
def test_a_compressed_stream_is_cut_behind_its_last_whole_member(
    site: Site,
    tmp_path: Path,
    share: float,
    ending: str,
    damage: Callable[[Path, int], None],
) -> None:
    stream = tmp_path / f"r.jsonl{ending}"
    config = crawl_into(site, tmp_path, output=(str(stream),))
    damage(stream, int(share * stream.stat().st_size))
    restarted(config)
    lost, summary = resume(config)
    assert (lost == 0) is (share > 0.99)  # the last member ends no URL
    assert_whole(config, summary, open_unpacked(stream, ending).read())
    assert resume(config)[0] == 0


@pytest.mark.parametrize("left", [None, 0, 9], ids=["gone", "empty", "cut"])
def test_pictures_that_are_missing_are_fetched_again(
    crawled: Config, left: int | None
) -> None:
    name = next(
        record["path"] for record in endings(crawled) if record["type"] == "image"
    )
    path = Path(crawled.dir) / name
    path.unlink() if left is None else cut(path, left)
    restarted(crawled)
    lost, summary = resume(crawled)
    assert lost == PAGES / len(COLOURS)  # all that have these bytes
    ended = Counter(record["url"] for record in endings(crawled))
    assert sorted(ended.values())[-lost - 1 :] == [1] + [2] * lost
    latest = {record["url"]: record for record in endings(crawled)}
    for record in latest.values():
        if record["type"] == "image":
            data = (Path(crawled.dir) / record["path"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == record["sha256"]
    assert summary.counts["image"] == PAGES


@pytest.mark.parametrize("left", [None, 0, 9], ids=["gone", "empty", "cut"])
def test_saved_bodies_that_are_missing_are_fetched_again(
    site: Site, tmp_path: Path, left: int | None
) -> None:
    config = Config(
        seeds=(site.url("/"),),
        dir=str(tmp_path),
        politeness=PolitenessConfig(per_host=8, wait=0.0),
        bodies=BodiesConfig(("html",)),
    )
    open_crawl(config, mode="new").run()
    page = next(one for one in endings(config) if one["url"] == site.url("/3"))
    path = tmp_path / page["body_path"]
    whole = path.read_bytes()
    path.unlink() if left is None else cut(path, left)
    restarted(config)
    lost, summary = resume(config)
    assert lost == 1
    assert path.read_bytes() == whole
    assert summary.counts["page"] == PAGES + 1


def crawl_into_parts(site: Site, folder: Path) -> tuple[Config, list[Path]]:
    """A crawl with a commit for each record, so that it has many parts."""
    config = Config(
        seeds=(site.url("/"),),
        dir=str(folder),
        politeness=PolitenessConfig(per_host=1, wait=0.0),
        records=OutputConfig(rotate="6K"),
    )
    for pages in range(1, PAGES + 2):
        limited = replace(config, limits=LimitsConfig(max_pages=pages))
        open_crawl(limited, mode="new" if pages == 1 else "resume").run()
    open_crawl(config, mode="resume").run()
    parts = stream_files(folder / "records.jsonl")
    assert len(parts) > 3
    return config, parts


def text_of(parts: list[Path]) -> bytes:
    return b"".join(part.read_bytes() for part in parts)


@pytest.mark.parametrize("damage", [cut, blank])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_only_the_last_part_is_written_again(
    site: Site, tmp_path: Path, share: float, damage: Callable[[Path, int], None]
) -> None:
    config, parts = crawl_into_parts(site, tmp_path)
    last = parts[-1]
    finished = text_of(parts[:-1])
    ended = len(endings(config, last.read_bytes()))
    damage(last, int(share * last.stat().st_size))
    restarted(config)
    lost, summary = resume(config)
    assert lost <= ended
    assert (lost == 0) is (share == 1.0 or ended == 0)
    assert text_of(parts[:-1]) == finished
    assert_whole(config, summary, text_of(stream_files(tmp_path / "records.jsonl")))


@pytest.mark.parametrize("all_of_them", [False, True])
def test_what_was_taken_away_is_not_lost(
    site: Site, tmp_path: Path, all_of_them: bool
) -> None:
    config, parts = crawl_into_parts(site, tmp_path)
    taken = parts if all_of_them else parts[:-1]
    text = text_of(taken)
    for part in taken:
        part.unlink()
    restarted(config)
    lost, summary = resume(config)
    assert lost == 0
    text += text_of(stream_files(tmp_path / "records.jsonl"))
    assert_whole(config, summary, text)


def test_a_damaged_part_after_others_were_taken_away_loses_nothing(
    site: Site, tmp_path: Path
) -> None:
    """What can't be looked at is fetched again: a record may be there twice then."""
    config, parts = crawl_into_parts(site, tmp_path)
    for part in parts[:-1]:
        part.unlink()
    cut(parts[-1], parts[-1].stat().st_size // 2)
    restarted(config)
    lost, summary = resume(config)
    assert lost > 0
    text = text_of(stream_files(tmp_path / "records.jsonl"))
    ended = {record["url"] for record in endings(config, text)}
    assert len(ended) == summary.counts["page"] + PAGES + 2


def test_a_crawl_that_was_under_way_goes_on(site: Site, tmp_path: Path) -> None:
    config = Config(
        seeds=(site.url("/"),),
        dir=str(tmp_path),
        politeness=PolitenessConfig(per_host=1, wait=0.0),
        limits=LimitsConfig(max_pages=6),
    )
    open_crawl(config, mode="new").run()
    stream = tmp_path / "records.jsonl"
    cut(stream, stream.stat().st_size // 2)
    restarted(config)
    lost, summary = resume(replace(config, limits=LimitsConfig()))
    assert lost > 0
    assert_whole(config, summary)


def test_what_came_after_the_last_commit_is_not_believed(crawled: Config) -> None:
    stream = Path(crawled.dir) / "records.jsonl"
    last = stream.read_bytes().splitlines(keepends=True)[-1]
    with stream.open("ab") as file:
        file.write(last)
    restarted(crawled)
    lost, summary = resume(crawled)
    assert lost == 0
    assert_whole(crawled, summary)


def test_a_recrawl_asks_again_anyway(crawled: Config) -> None:
    stream = Path(crawled.dir) / "records.jsonl"
    cut(stream, stream.stat().st_size // 2)
    restarted(crawled)
    summary = open_crawl(crawled, mode="newer").run()
    assert summary.counts["page"] == PAGES + 1
    ended = endings(crawled)
    latest = Counter(
        one["type"] for one in ended if one["run_id"] == ended[-1]["run_id"]
    )
    assert latest == {"page": PAGES + 1, "image": PAGES, "redirect": 1, "error": 1}


def test_without_a_restart_a_short_stream_is_somebodys_doing(crawled: Config) -> None:
    stream = Path(crawled.dir) / "records.jsonl"
    cut(stream, stream.stat().st_size // 2)
    with pytest.raises(StateError, match="put the file back"):
        open_crawl(crawled, mode="resume")


def test_a_stream_that_was_moved_away_is_no_power_cut(crawled: Config) -> None:
    (Path(crawled.dir) / "records.jsonl").unlink()
    restarted(crawled)
    with pytest.raises(StateError, match="put the file back"):
        open_crawl(crawled, mode="resume")


def test_a_crawl_that_had_ended_is_left_alone(crawled: Config) -> None:
    """What a user has done to the images is kept, however often the machine starts."""
    with closing(SqliteStore(state_folder(crawled.dir))) as store:
        assert store.get(BOOT, "") is None
    name = next(
        record["path"] for record in endings(crawled) if record["type"] == "image"
    )
    (Path(crawled.dir) / name).write_bytes(b"smaller")
    assert resume(crawled)[0] == 0
    assert (Path(crawled.dir) / name).read_bytes() == b"smaller"


def test_where_no_boot_id_is_known_nothing_is_asked_again(
    crawled: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "boot_id", lambda: b"")
    with closing(SqliteStore(state_folder(crawled.dir))) as store:
        store.set(BOOT, "", b"")
        store.commit()
    assert resume(crawled)[0] == 0
