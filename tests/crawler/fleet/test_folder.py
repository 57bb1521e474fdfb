"""The folder of a crawl by shards: what commands read in it, and what they refuse."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from crawler.cli import run
from crawler.engine.archive.packing import pack_archive
from crawler.engine.builder import open_crawl
from crawler.engine.further_parts import make_mirror
from crawler.engine.uploading import Uploading
from crawler.fleet.grants import MIN_BYTES, SharedLimits
from crawler.fleet.messages import Ended
from crawler.fleet.outcome import summarise
from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite.database import open_shared, shard_folder
from crawler.frontier.sqlite.fleet_file import MAX_TOKENS, Fleet, FleetFile
from crawler.frontier.sqlite.lockfile import LockFile
from crawler.frontier.sqlite.shared_contents import NOWHERE, SharedContents
from crawler.frontier.state_reader import StateReader
from crawler.frontier.store import Content
from crawler.inspect.sharded_state import ShardedState
from crawler.inspect.state import open_states
from crawler.inspect.state_checks import StateValues
from crawler.model.config import Config
from crawler.model.content_config import BodiesConfig, ImagesConfig, WarcConfig
from crawler.model.crawl import Lease
from crawler.model.errors import StateError, UsageError
from crawler.model.http_config import HttpConfig
from crawler.model.metadata import EXTERNAL, NEEDS_JAVASCRIPT, REQUESTS_BY_CODE
from crawler.model.policy_config import (
    LimitsConfig,
    PolitenessConfig,
    ScopeConfig,
)
from crawler.model.shards import LastLease, Layout
from crawler.output.lines import stream_files
from crawler.policy.quotas import Quotas
from crawler.policy.traps import Traps
from crawler.workspace.outputs import outputs, record_streams
from crawler.workspace.shard_parts import as_part, as_parts
from crawler.workspace.shards import locked_fleet, remove_fleet
from tests.helpers.many_hosts import ManyHosts
from tests.helpers.object_store import BUCKET, ObjectStore
from tests.helpers.shard_crawls import RUN_ID, ShardCrawls, as_crawl
from tests.helpers.waczs import read_wacz

PAGES = 60


@pytest.fixture(scope="module")
def site() -> Iterator[ManyHosts]:
    site = ManyHosts(hosts=8, pages=PAGES, pictures=5)
    yield site
    site.stop()


@pytest.fixture(scope="module")
def crawled(site: ManyHosts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same crawl twice: in `one`, and by three shards in `many`."""
    place = tmp_path_factory.mktemp("crawled")
    config = _config(place / "many", site)
    ShardCrawls(config, 3).run()
    as_crawl(config, place / "one")
    return place


def _config(folder: Path, site: ManyHosts, **changes: Any) -> Config:
    config = Config(
        seeds=(site.url(0),),
        dir=str(folder),
        http=HttpConfig(allow_net=("127.0.0.0/8",)),
        politeness=PolitenessConfig(wait=0.0),
        scope=ScopeConfig(within="any"),
    )
    return replace(config, **changes)


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


def test_status_is_that_of_one_crawl(crawled, capsys):
    one, many = (
        json.loads(output(capsys, "status", str(crawled / name), "--json", "--why"))
        for name in ("one", "many")
    )
    for same in ("state", "counts", "bytes", "hosts", "errors_by_code", "why"):
        assert many[same] == one[same], same
    assert many["run_id"] == RUN_ID
    assert many["records"].endswith("many/records/part-002.jsonl")


@pytest.mark.parametrize("kind", [EXTERNAL, NEEDS_JAVASCRIPT, REQUESTS_BY_CODE])
def test_what_each_shard_counts_is_the_sum(kind: str) -> None:
    counts = {0: b"6", 1: None, 2: b"8"}
    shards = {
        number: cast(StateReader, SimpleNamespace(get=lambda *_, count=count: count))
        for number, count in counts.items()
    }
    state = ShardedState(Fleet(RUN_ID, "", Layout(3), 1), shards)
    assert state.get(kind, "urls") == b"14"


def test_an_extraction_reads_all_parts(crawled, tmp_path, capsys):
    assert run(["extract", str(crawled / "many"), "-d", str(tmp_path / "text")]) == 0
    lines = (tmp_path / "text" / "records.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["type"] == "page" for line in lines) == PAGES


@pytest.mark.parametrize("command", ["urls", "hosts", "links"])
def test_lists_have_what_one_crawl_has(crawled, capsys, command):
    one, many = (
        sorted(output(capsys, command, str(crawled / name)).splitlines())
        for name in ("one", "many")
    )
    if command == "hosts":  # the times differ
        one, many = ([line.split()[:4] for line in lines] for lines in (one, many))
    assert many == one


def test_export_and_images_read_all_parts(crawled, site, capsys):
    text = output(
        capsys, "export", str(crawled / "many"), "-t", "urls", "--type", "page"
    )
    assert sorted(text.split()) == sorted(site.url(n) for n in range(PAGES))
    images = output(capsys, "images", str(crawled / "many")).splitlines()
    assert len(images) == PAGES // 5
    paths = [line.split()[-2] for line in images]
    assert all((crawled / "many" / path).is_file() for path in paths)


def test_a_picture_of_two_shards_is_said_to_be_the_same(crawled):
    files = (crawled / "many" / "records").glob("part-*.jsonl")
    records = [
        json.loads(line) for one in files for line in one.read_bytes().splitlines()
    ]
    images = [record for record in records if record["type"] == "image"]
    first = {one["sha256"]: one["url"] for one in images if one["dup_of"] is None}
    assert len(first) == 3
    shown_by = {one["path"].split("/")[1] for one in images}
    assert len(shown_by) > 1, "shards keep what they need until the other has committed"
    for one in images:
        assert one["dup_of"] in (None, first[one["sha256"]])
        assert (crawled / "many" / one["path"]).is_file()


def test_the_file_of_another_shard_is_named_once_its_record_is_committed(tmp_path):
    mine, other = (SharedContents(tmp_path, shard) for shard in (0, 1))
    mine.claim("ab", "https://a.example/1.png")
    assert mine.find("ab") is None
    assert other.find("ab") == Content(NOWHERE, "https://a.example/1.png")
    other.claim("ab", "https://b.example/2.png")
    other.publish([("ab", "images/part-001/2.png")])
    assert other.find("ab") == Content(NOWHERE, "https://a.example/1.png")
    mine.publish([("ab", "images/part-000/1.png")])
    assert other.find("ab") == Content(
        "images/part-000/1.png", "https://a.example/1.png"
    )
    mine.claim("ab", None)  # the URL has other bytes by now
    assert other.find("ab") == Content("images/part-000/1.png", None)
    mine.close()
    other.close()


def test_two_processes_may_make_a_file_at_the_same_moment(tmp_path, monkeypatch):
    path = tmp_path / "new.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(time, "sleep", lambda seconds: other.rollback())
        with closing(open_shared(path, "FULL", "CREATE TABLE a (b)")) as db:
            assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("number", [0, 17])
def test_explain_asks_the_owner(crawled, site, capsys, number):
    text = output(capsys, "explain", site.url(number), str(crawled / "many"))
    assert "fetched: page" in text


def test_retry_counts_over_all_shards(crawled, capsys):
    assert run(["retry", str(crawled / "many"), "--dry-run"]) == 0
    assert "0 failed URLs would be queued" in capsys.readouterr().err


def test_a_folder_that_was_moved_is_read(crawled, tmp_path, capsys):
    moved = tmp_path / "moved"
    moved.symlink_to(crawled / "many")
    assert output(capsys, "export", str(moved), "-t", "urls")


DEDUPED = "scope.dedupe_content=true"
REFUSED = {
    "another crawl over it": (["crawl", "URL", "-d", "many"], "holds a crawl"),
    "another one by processes": (
        ["crawl", "URL", "-d", "many", "--processes", "2"],
        "many holds a crawl already",
    ),
    "a crawl of one process": (
        ["resume", "one", "--processes", "2"],
        "one holds a crawl of one process, which can't be cut into shards",
    ),
    "no number": (["crawl", "URL", "--processes", "0"], "is not a number from 1 to"),
    "too many": (["crawl", "URL", "--processes", "many"], "is not a number from 1 to"),
    "duplicates over all": (
        ["crawl", "URL", "-d", "new", "--processes", "2", "--set", DEDUPED],
        "--processes: scope.dedupe_content needs a crawl of one process",
    ),
    "a missing file": (
        ["crawl", "URL", "-d", "new", "--processes", "2", "-b", "nowhere"],
        "nowhere can't be read",
    ),
    "a plug-in that is not there": (
        ["crawl", "URL", "-d", "new", "--processes", "2", "--plugin", "nix"],
        "no plug-in of this name",
    ),
    "another seed": (
        ["crawl", "URL", "-d", "many", "-N", "--processes", "2", "--set", DEDUPED],
        "--processes: scope.dedupe_content needs",
    ),
    "one shard of it": (
        ["resume", "many/state/shards/001"],
        "is one shard of the crawl in many",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_said_and_writes_nothing(
    crawled, site, capsys, monkeypatch, case
):
    monkeypatch.chdir(crawled)
    arguments, expected = REFUSED[case]
    before = sorted(Path().rglob("*.jsonl"))
    code = run([site.url(0) if one == "URL" else one for one in arguments])
    assert code == 2
    assert expected in capsys.readouterr().err
    assert sorted(Path().rglob("*.jsonl")) == before
    assert not Path("new").exists()


def test_a_crawl_that_runs_is_refused(crawled, capsys):
    with closing(LockFile(crawled / "many" / "state")):
        assert run(["resume", str(crawled / "many")]) == 7
    assert "is in use by a running crawl" in capsys.readouterr().err


def test_a_shard_that_still_stops_is_waited_for(crawled):
    state = shard_folder(crawled / "many", 1) / "state"
    lock = LockFile(state)
    stopping = locked_fleet(str(crawled / "many"), 3, patience=0.0)
    with pytest.raises(StateError, match=f"process {os.getpid()}"), stopping:
        pass
    lock.close()
    began = time.monotonic()
    with locked_fleet(str(crawled / "many"), 3, patience=60.0):
        assert time.monotonic() < began + 30


def test_the_program_refuses_it_as_one_crawl(crawled):
    config = Config(seeds=("https://example.com/",), dir=str(crawled / "many"))
    with pytest.raises(UsageError, match="is cut into shards: `orbweb resume"):
        open_crawl(config, mode="resume")


def test_the_part_of_a_machine_is_refused_with_what_goes_on_with_it(tmp_path):
    (tmp_path / "state").mkdir()
    with closing(FleetFile(tmp_path)) as file:
        file.set_fleet(Fleet(RUN_ID, "", Layout(3), 1, "valkey://cache/news"))
    config = Config(seeds=("https://example.com/",), dir=str(tmp_path))
    again = r"only `orbweb crawl URL --exchange valkey://cache/news --shards N --fresh`"
    both = rf"only `orbweb work .* valkey://cache/news` .*{again}"
    with pytest.raises(UsageError, match=both):
        open_crawl(config, mode="new")


def test_a_fleet_file_of_another_program(tmp_path):
    (tmp_path / "state").mkdir()
    refused = pytest.raises(StateError, match="does not tell how the crawl is cut")
    with closing(FleetFile(tmp_path)) as file, refused:
        file.fleet()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("out.jsonl", "out.part-003.jsonl"),
        ("a/b.c.jsonl.gz", "a/b.c.part-003.jsonl.gz"),
        ("records", "records.part-003"),
        ("s3://b/k/new.jsonl.zst", "s3://b/k/new.part-003.jsonl.zst"),
        ("-", "-"),
    ],
)
def test_the_names_of_parts(name, part):
    assert as_part(Config(dir="d", output=(name,)), 3).output == (part,)


def test_the_summary_is_that_of_one_crawl(site, tmp_path):
    """Also of external links, some of which fail."""
    config = _config(
        tmp_path / "many",
        site,
        scope=ScopeConfig(within="host", check_external=True),
        seeds=tuple(site.url(n) for n in (0, 1, 2)),
    )
    crawls = ShardCrawls(config, 3)
    crawls.run()
    one = as_crawl(config, tmp_path / "one")
    ended = [Ended(shard, found, []) for shard, found in crawls.summaries.items()]
    many = summarise(config, ended, [], one.elapsed_s)
    assert one.external > 0
    assert replace(many, dir=one.dir, counts=one.counts) == one
    assert many.counts == dict(one.counts.items())


def test_records_of_shards_go_to_object_storage(site, tmp_path, monkeypatch, capsys):
    config = _config(tmp_path, site, output=(f"s3://{BUCKET}/k/new.jsonl.gz",))
    with ObjectStore() as storage:
        for name, value in storage.environ.items():
            monkeypatch.setenv(name, value)
        crawls = ShardCrawls(config, 2)
        crawls.run()
        objects = dict(storage.objects)
        with pytest.raises(UsageError, match="another crawl has"):
            ShardCrawls(replace(config, dir=str(tmp_path / "other")), 2).run()
        for one in as_parts(config):
            Uploading(one).overwrite()
        ShardCrawls(replace(config, dir=str(tmp_path / "again")), 2).run()
    manifests = [data for name, data in objects.items() if name.endswith("json")]
    named = [part["name"] for data in manifests for part in json.loads(data)["parts"]]
    assert named == [f"new.part-00{n}-00001.jsonl.gz" for n in (0, 1)]
    lines = [
        line
        for name in named
        for line in gzip.decompress(objects[f"k/{name}"]).splitlines()
    ]
    assert sum(json.loads(line)["type"] == "page" for line in lines) == PAGES
    assert stream_files(outputs(as_parts(config)[0])[0].path) == []


def test_one_wacz_file_has_the_archives_of_all_shards(site, tmp_path):
    warc = WarcConfig(write=True, wacz=True, prefix="News")
    config = _config(tmp_path, site, warc=warc)
    ShardCrawls(config, 3).run()
    assert [*tmp_path.glob("*.wacz")] == []
    pack_archive(config, time.time(), lambda: True)
    packed = read_wacz(tmp_path / "News.wacz")
    assert len(packed.warcs) == 3
    assert {one["url"] for one in packed.pages} == {site.url(n) for n in range(PAGES)}
    assert len({one["id"] for one in packed.pages}) == len(packed.pages) == PAGES
    remove_fleet(config, [])
    assert [*tmp_path.rglob("News*")] == []


def test_the_mirror_of_all_shards_is_that_of_one_crawl(site, tmp_path):
    config = _config(tmp_path / "many", site, bodies=BodiesConfig(mirror=True))
    ShardCrawls(config, 3).run()
    many, one = (tmp_path / name / "mirror" for name in ("many", "one"))
    assert not many.exists()
    warned: list[str] = []
    with open_states(tmp_path / "many" / "state") as state:
        values = StateValues(state)
        traps = Traps(config.limits, values)
        first = make_mirror(config, values, traps, lambda: True, warned.append)
    summary = as_crawl(config, tmp_path / "one")
    assert warned == []
    assert first == str(summary.mirror).replace("/one/", "/many/")
    there, expected = (
        {path.relative_to(place): path.read_bytes() for path in files_in(place)}
        for place in (many, one)
    )
    assert len(there) > PAGES
    assert there == expected


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("processes", [None, "2"])
def test_a_fresh_crawl_leaves_no_records_of_shards(site, tmp_path, processes):
    config = _config(tmp_path, site, limits=LimitsConfig(max_pages=9))
    ShardCrawls(config, 3).run()
    assert len(list(tmp_path.glob("records/part-*.jsonl"))) == 3
    if processes is None:
        open_crawl(config, mode="fresh").run()
    else:
        remove_fleet(config, [as_part(config, 0)])
    assert list(tmp_path.glob("records/part-*.jsonl")) == []


def test_the_streams_of_a_crawl_without_shards(crawled):
    config = Config(dir=str(crawled / "one"))
    assert record_streams(config) == [[crawled / "one" / "records.jsonl"]]


def test_grants_are_what_the_limit_allows(tmp_path):
    with closing(FleetFile(tmp_path)) as file:
        granted = [file.grant("pages", shard, 0, 100, 8, 1) for shard in (0, 1)]
        assert granted == [12, 11]
        used = {0: 0, 1: 0}
        while file.left("pages", 100):
            for shard in used:
                used[shard] = file.grant("pages", shard, used[shard], 100, 8, 1)
        assert sum(used.values()) == 100
        file.release(0, 40, 0)
        assert file.left("pages", 100) == 100 - 40 - used[1]
        assert file.grant("bytes", 0, 0, 1000, 8, 64) == 125
        assert file.grant("pages", 1, used[1], 40, 8, 1) == used[1]
    assert Layout(3).version == 2


def quotas_of_shards(file: FleetFile, limits: LimitsConfig) -> list[Quotas]:
    """Those of two shards, which share `limits`."""
    return [
        Quotas(
            limits,
            ImagesConfig(),
            MemoryStore(),
            started=0.0,
            pages=0,
            grants=SharedLimits(file, shard, 2, limits),
        )
        for shard in (0, 1)
    ]


def test_a_shard_that_only_asks_is_granted_nothing(tmp_path):
    """It was, twice a second, and another one, which asked just after it, never was."""
    with closing(FleetFile(tmp_path)) as file:
        idle, busy = quotas_of_shards(file, LimitsConfig(max_pages=2))
        page = Lease("http://a.example/", 1, "a.example", "a", "page", 1, 0, 0)
        for _ in range(2):
            assert idle.reached(0.0) is None
            assert busy.reached(0.0, takes=True) is None
            assert busy.reserve_page(page)
        assert idle.reached(0.0) == busy.reached(0.0) == "limit_pages"
        assert not busy.reserve_page(page)
        idle, busy = quotas_of_shards(file, LimitsConfig(max_bytes=MIN_BYTES))
        assert idle.reached(0.0) is None
        assert busy.reached(0.0, takes=True) is None
        assert idle.reached(0.0) == "limit_bytes"
        busy.release()
        assert idle.reached(0.0) is None


def test_the_last_tokens_of_leases_are_kept(tmp_path):
    with closing(FleetFile(tmp_path)) as file:
        file.add_tokens({0: "other", 1: "first"})
        for number in range(MAX_TOKENS):
            file.add_tokens({1: str(number)})
    with closing(FleetFile(tmp_path)) as file:
        assert file.tokens(0) == ["other"]
        assert file.tokens(1) == [str(number) for number in range(MAX_TOKENS)]
        assert file.tokens(2) == []


def test_what_is_known_of_leases_is_kept(tmp_path):
    first, second = LastLease("1-a", "home1"), LastLease("2-b", "home2")
    with closing(FleetFile(tmp_path)) as file:
        file.set_last_leases({0: first, 1: first})
        file.set_last_leases({1: second})
        file.set_held("box:/data", [0, 1], 1.8e9)
        file.set_held("box:/data", [1], 1.9e9)
    with closing(FleetFile(tmp_path)) as file:
        assert file.last_leases() == {0: first, 1: second}
        assert file.held_until("box:/data") == {1: 1.9e9}
        assert file.held_until("box:/copy") == {}
