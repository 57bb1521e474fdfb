"""A state of each format since 4 is resumed by today's program, and ends exact.

`states/N/` is what a crawl of `tests/helpers/state_site.py` left that was killed in the
middle, by the last program with format N: the tables as SQL text, the records and the
images. Its clock is the time of the crawl, some time after that.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.frontier.sqlite.database import FILE_NAME, STATE_FOLDER
from crawler.frontier.sqlite.lockfile import LockFile
from crawler.frontier.sqlite.reader import open_state
from crawler.frontier.sqlite.tables import FORMAT
from crawler.inspect.status import began_at, read_status
from crawler.model.config import Config
from crawler.model.errors import StateError
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import PolitenessConfig, RetryConfig
from crawler.model.url import key_id
from crawler.workspace.open import stored_config
from crawler.workspace.recovery import boot_id
from tests.helpers.state_site import (
    BROKEN,
    IMAGES,
    PAGES,
    SEED,
    SKIPPED,
    StateSite,
)

STATES = Path(__file__).parent / "states"
RECORDED_BOOT = re.compile(r"(VALUES\('boot','',)X'[0-9A-F]+'")
"""The boot id of the machine where a crawl was recorded."""
FORMATS = sorted(int(path.name) for path in STATES.iterdir())
SITE = SEED.rstrip("/")
ENDED = {
    **{SITE + path: "page" for path in PAGES},
    **{SITE + path: "image" for path in IMAGES},
    **{path if "://" in path else SITE + path: "skip" for path in SKIPPED},
    SITE + BROKEN: "error",
    SITE + "/old": "redirect",
}


@pytest.fixture(params=FORMATS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A crawl's folder as the program of that format left it."""
    return state_of_format(request.param, tmp_path / "crawl")


def state_of_format(number: int, folder: Path) -> Path:
    """Write the recorded crawl of a format to `folder`, as if it was killed here.

    After a restart of the machine more would be fetched again (`recovery.py`).
    """
    shutil.copytree(STATES / str(number), folder)
    state = folder / STATE_FOLDER
    state.mkdir()
    with closing(sqlite3.connect(state / FILE_NAME)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        here = rf"\1X'{boot_id().hex()}'"
        text, found = RECORDED_BOOT.subn(here, (folder / "state.sql").read_text())
        assert found == 1
        db.executescript(text)
        assert _version(db) == number
    (folder / "state.sql").unlink()
    return folder


@pytest.fixture
def site() -> Iterator[StateSite]:
    with StateSite() as site:
        yield site


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def records(folder: Path) -> list[dict[str, Any]]:
    """All records but the schema and the run's."""
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    return [
        record
        for record in map(json.loads, lines)
        if record["type"] not in ("schema", "run", "robots")
    ]


def resume(folder: Path, site: StateSite) -> None:
    """Resume the crawl an hour after it was killed, on today's proxy."""
    config = stored_config(folder)
    config = replace(
        config,
        http=replace(config.http, proxy=site.proxy),
        politeness=replace(config.politeness, wait=0.0, max_wait=0.0),
    )
    with open_state(folder / STATE_FOLDER) as state:
        run = state.run()
    assert run is not None
    shift = began_at(run.run_id) + 3600 - time.time()
    crawl = open_crawl(config, mode="resume", clock=lambda: time.time() + shift)
    summary = crawl.run()
    assert (summary.finish_reason, summary.exit_code) == ("done", 0)


def test_there_is_a_state_of_each_format() -> None:
    assert list(range(4, FORMAT + 1)) == FORMATS


def test_it_is_resumed_and_ends_exact(folder: Path, site: StateSite) -> None:
    before = records(folder)
    assert 0 < len(before) < len(ENDED)
    resume(folder, site)
    after = records(folder)
    assert after[: len(before)] == before
    assert {record["url"]: record["type"] for record in after} == ENDED
    assert len(after) == len(ENDED)
    assert Counter(record["run_id"] for record in after).keys() == {before[0]["run_id"]}
    assert [record["seq"] for record in after] == sorted(
        {record["seq"] for record in after}
    )
    fetched = {record["url"].removeprefix(SITE) for record in before}
    assert not fetched & set(site.requests)
    assert sorted(set(site.requests)) == sorted(site.requests)


def test_what_it_had_learnt_is_used(folder: Path, site: StateSite) -> None:
    resume(folder, site)
    assert "/robots.txt" not in site.requests
    assert set(site.cookies) == {"id=7"}
    with open_state(folder / STATE_FOLDER) as state:
        row = state.url(SITE + "/busy")
    assert row is not None
    assert row.attempts == 2


def test_its_configuration_is_read(folder: Path) -> None:
    config = stored_config(folder)
    expected = Config(
        seeds=(SEED,),
        dir=str(folder),
        concurrency=7,
        http=HttpConfig(
            proxy="http://127.0.0.1:9",
            no_proxy=("nothing.invalid",),
            max_idle_per_host=5,
            max_idle=99,
        ),
        politeness=PolitenessConfig(
            per_host=1,
            wait=0.25,
            max_wait=0.3,
            max_adaptive_wait=33.0,
            park_time=1800.0,  # the default of those programs
            max_parkings=2,
        ),
        retry=RetryConfig(backoff=600.0, max_backoff=900.0),
    )
    assert config.records.record == ("skips", "robots")
    assert replace(config, records=expected.records) == expected


def test_a_former_reason_has_todays_name(tmp_path: Path) -> None:
    folder = state_of_format(4, tmp_path / "crawl")
    file = folder / STATE_FOLDER / FILE_NAME
    with closing(sqlite3.connect(file)) as db, db:
        db.executescript("""
            UPDATE host SET trouble = 'robots_deferred';
            UPDATE skip SET reason = 'robots_deferred';
            UPDATE url SET code = 'robots_deferred' WHERE code = 'robots';
            UPDATE count SET name = 'skip robots_deferred' WHERE name = 'skip robots';
        """)
    status = read_status(folder / STATE_FOLDER)
    assert status is not None
    assert status.reasons["skip"] == {"robots_unavailable": 1, "scope": 1}
    with closing(sqlite3.connect(file)) as db:
        former = [
            row
            for query in (
                "SELECT failure_code FROM host",
                "SELECT code FROM url WHERE code IS NOT NULL",
                "SELECT reason FROM skip",
                "SELECT name FROM count",
            )
            for (row,) in db.execute(query).fetchall()
        ]
    assert "robots_unavailable" in former
    assert [row for row in former if "robots_deferred" in row] == []


def test_a_look_at_it_brings_it_to_todays_format(folder: Path) -> None:
    status = read_status(folder / STATE_FOLDER)
    assert status is not None
    assert status.counts["page"] == 7
    assert (status.retries, status.pid) == (1, None)
    assert status.reasons["skip"] == {"robots": 1, "scope": 1}
    with closing(sqlite3.connect(folder / STATE_FOLDER / FILE_NAME)) as db:
        assert _version(db) == FORMAT


def test_an_earlier_format_in_use_is_left_alone(folder: Path) -> None:
    state = folder / STATE_FOLDER
    with closing(sqlite3.connect(state / FILE_NAME)) as db:
        if _version(db) == FORMAT:
            return  # a look needs no lock
    with closing(LockFile(state)), pytest.raises(StateError, match="in use"):
        read_status(state)


def test_pages_whose_links_are_unknown_are_fetched_whole(
    tmp_path: Path, site: StateSite
) -> None:
    """What was fetched before format 8 has no row of links, so a 304 is of no use."""
    folder = state_of_format(7, tmp_path / "crawl")
    resume(folder, site)
    requests = len(site.requests)
    config = replace(
        stored_config(folder),
        dir=str(folder),
        http=HttpConfig(proxy=site.proxy),
        politeness=PolitenessConfig(wait=0.0, per_host=4),
    )
    assert open_crawl(config, mode="newer").run().exit_code == 0
    assert set(PAGES) <= set(site.requests[requests:])
    with open_state(folder / STATE_FOLDER) as state:
        sources = {source.url for source in state.source_links()}
    assert sources == {SITE + path for path in (*PAGES, "/old")}


EQUIVALENT = [
    # path, state in the old format, the redirects over which it was found
    ("/%7efetched", "page", None),
    ("/~fetched", "queued", None),
    ("/%7Ewaits", "queued", None),
    ("/%7ewaits", "queued", None),
    ("/%7eskipped", "pending skip", None),
    ("/~skipped", "queued", None),
    ("/%7esent-on", "redirect", None),
    ("/~sent-on", "page", "/%7esent-on"),
    ("/%c3%a9", "queued", None),
    ("/%C3%BC", "queued", None),
]


def add_equivalent(file: Path) -> None:
    """Put URLs into a state of format 5 as its program stored them."""
    states = {"queued": 0, "pending skip": 1, "page": 2, "redirect": 5}
    with closing(sqlite3.connect(file)) as db, db:
        for seq, (path, state, source) in enumerate(EQUIVALENT, start=1000):
            url = SITE + path
            hops = source and json.dumps([{"url": SITE + source, "status": 301}])
            db.execute("INSERT INTO seen VALUES (?, ?)", (key_id(url), seq))
            db.execute(
                "INSERT INTO url (seq, host_id, url, kind, destination, depth,"
                " origin_id, state, redirects) VALUES (?, 1, ?, 'a', 0, 1, 2, ?, ?)",
                (seq, url, states[state], hops),
            )
            if state == "queued":
                db.execute("INSERT INTO queue VALUES (1, 0, 1, ?)", (seq,))
                db.execute("UPDATE host SET pages = pages + 1 WHERE host_id = 1")
            elif state == "pending skip":
                db.execute("INSERT INTO skip VALUES (?, 'scope', 'x')", (seq,))
            name = state.removeprefix("pending ")
            db.execute("UPDATE count SET n = n + 1 WHERE name = ?", (name,))


def test_equivalent_urls_become_one(tmp_path: Path, site: StateSite) -> None:
    folder = state_of_format(5, tmp_path / "crawl")
    file = folder / STATE_FOLDER / FILE_NAME
    with closing(sqlite3.connect(file)) as db:
        (before,) = db.execute("SELECT count(*) FROM url").fetchone()
    add_equivalent(file)
    status = read_status(folder / STATE_FOLDER)
    assert status is not None
    assert (status.counts["page"], status.counts["redirect"]) == (9, 2)
    with open_state(folder / STATE_FOLDER) as state:
        found = {path: state.url(SITE + path) for path, *_ in EQUIVALENT}
        kept = {path: row and row.url.removeprefix(SITE) for path, row in found.items()}
        host = state.host("site.example")
    assert kept == {
        "/%7efetched": "/%7efetched", "/~fetched": "/%7efetched",
        "/%7Ewaits": "/%7Ewaits", "/%7ewaits": "/%7Ewaits",
        "/%7eskipped": "/~skipped", "/~skipped": "/~skipped",
        "/%7esent-on": "/%7esent-on", "/~sent-on": "/~sent-on",
        "/%c3%a9": "/%c3%a9", "/%C3%BC": "/%C3%BC",
    }  # fmt: skip
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM url").fetchone() == (before + 7,)
        assert db.execute("SELECT count(*) FROM seen").fetchone() == (before + 7,)
        orphans = "SELECT count(*) FROM {} WHERE seq NOT IN (SELECT seq FROM url)"
        for table in ("seen", "queue", "retry", "skip"):
            assert db.execute(orphans.format(table)).fetchone() == (0,), table
        waiting = "SELECT count(*) FROM queue WHERE host_id = 1 AND destination = 0"
        assert host is not None
        assert db.execute(waiting).fetchone() == (host.pages,)
    resume(folder, site)
    asked = [path for path in site.requests if "~" in path or "%" in path]
    assert sorted(asked) == ["/%7Ewaits", "/%C3%BC", "/%c3%a9", "/~skipped"]
