"""What only the durable store can do, and what can happen to its folder."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from crawler.frontier.sqlite.database import FILE_NAME
from crawler.frontier.sqlite.reader import open_state
from crawler.frontier.sqlite.seen_set import SeenCache
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.sqlite.tables import FORMAT, OLDEST
from crawler.frontier.store import Content, HostDue, Run
from crawler.frontier.throttle import HostThrottle
from crawler.model.crawl import StoredResponse
from crawler.model.errors import OutputError, StateError
from tests.helpers.frontier import FAR, found, lease_all, paths
from tests.helpers.paths import ROOT


def crash(store: SqliteStore) -> None:
    """What a kill leaves behind: nothing since the last commit, and no lock."""
    store.close()


def test_opening_takes_back_leases_and_forgets_what_was_not_committed(
    tmp_path: Path,
) -> None:
    store = SqliteStore(tmp_path)
    store.add([found("1"), found("2"), found("3")], 0.0)
    one, two, _three = lease_all(store, 0.0)
    store.retry(one, 5.0)
    store.block("b.example", 9.0)
    store.set("robots", "x", b"y")
    store.set_run(Run("r", "{}", 3))
    store.commit()
    store.finish(two, "page")
    store.add([found("4")], 1.0)
    store.set_position("records", 100)
    crash(store)

    store = SqliteStore(tmp_path)
    assert (store.counts()["queued"], store.counts()["page"]) == (3, 0)
    assert store.position("records") is None
    assert store.get("robots", "x") == b"y"
    assert store.run() == Run("r", "{}", 3)
    assert store.add([found("4"), found("2")], 2.0) == 1
    leases = lease_all(store, 6.0)
    assert [(p, le.attempts) for p, le in zip(paths(leases), leases, strict=True)] == [
        ("1", 1),
        ("2", 0),
        ("3", 0),
        ("4", 0),
    ]
    store.close()


def test_what_has_ended_leaves_the_queue_and_nothing_else_does(tmp_path: Path) -> None:
    """Rows are deleted in runs of numbers: those between two runs stay."""
    store = SqliteStore(tmp_path)
    names = [str(number) for number in range(8)]
    store.add([found(name, "page" if name < "4" else "image") for name in names], 0.0)
    leases = dict(zip(names, lease_all(store, 0.0), strict=True))
    answer = StoredResponse(b"digest", b"fields")
    for name in ("6", "0", "4", "7", "1", "3"):  # not in the order of discovery
        store.finish(leases[name], "page", stored=answer)
    store.commit()
    crash(store)
    store = SqliteStore(tmp_path)
    assert paths(lease_all(store, 1.0)) == ["2", "5"]
    store.close()


def test_what_is_stored_of_a_url_is_what_it_ended_with(tmp_path: Path) -> None:
    """Whether or not it has a code, a detail, or a response to be kept."""
    endings: dict[str, tuple[str | None, str | None, StoredResponse | None]] = {
        "new": (None, None, StoredResponse(b"1", b"fields")),
        "bare": (None, None, StoredResponse(b"2")),
        "changed": ("modified", "the same bytes", StoredResponse(b"3", b"more")),
        "gone": ("status_4xx", "404", None),
        "lost": (None, None, None),
    }
    store = SqliteStore(tmp_path)
    for stored in (StoredResponse(b"0", b"before"), None):
        store.add([found(name) for name in endings], 0.0)
        for lease in lease_all(store, 0.0):
            code, detail, after = endings[paths([lease])[0]]
            kept = (None, None, stored) if stored is not None else (code, detail, after)
            store.finish(lease, "page", *kept)
        store.commit()
        store.requeue_all(0.0, None, keep_cached_fields=True)
    ended = {paths([lease])[0]: lease.stored for lease in lease_all(store, 0.0)}
    before = StoredResponse(b"0", b"before")
    assert ended == {
        name: before if after is None else after
        for name, (_, _, after) in endings.items()
    }
    store.close()


def test_an_overturned_skip_survives(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.add([found("1", skip=FAR), found("2", skip=FAR)], 0.0)
    store.commit()
    store.close()
    store = SqliteStore(tmp_path)
    assert store.add([found("1"), found("2", skip=FAR)], 1.0) == 1
    store.commit()
    store.close()
    store = SqliteStore(tmp_path)
    assert [one.url for one in store.pending_skips(9)] == [found("2").url]
    assert paths(lease_all(store, 1.0)) == ["1"]
    store.close()


def test_what_has_left_the_memory_is_still_known(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store._recent = SeenCache(max_urls=4)
    urls = [found(str(n), depth=9) for n in range(50)]
    assert store.add(urls, 0.0) == 50
    assert store.add(urls, 0.0) == 0
    assert store.add([found("0", depth=3)], 0.0) == 0
    assert len(store._recent) <= 8
    assert paths(lease_all(store, 0.0))[0] == "0"
    store.close()


def test_a_second_process_is_told_who_has_the_folder(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    with pytest.raises(StateError, match=f"process {os.getpid()}"):
        SqliteStore(tmp_path)
    store.close()
    SqliteStore(tmp_path).close()


def test_the_lock_of_a_killed_process_is_gone_and_its_commits_are_there(
    tmp_path: Path,
) -> None:
    program = """
        import os, signal, sys
        from pathlib import Path
        from crawler.frontier.sqlite.store import SqliteStore
        from crawler.model.crawl import Discovered
        store = SqliteStore(Path(sys.argv[1]))
        for n in range(10):
            store.add([Discovered(f"https://a.example/{n}", "a", "page", 1)], 0.0)
            store.commit()
        store.add([Discovered("https://a.example/lost", "a", "page", 1)], 0.0)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)],
        cwd=ROOT,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    store = SqliteStore(tmp_path)
    assert paths(lease_all(store, 0.0)) == [str(n) for n in range(10)]
    store.close()


def test_another_version_is_refused(tmp_path: Path) -> None:
    SqliteStore(tmp_path).close()
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    db.close()
    with pytest.raises(StateError, match=f"state format {FORMAT + 1}.*--fresh"):
        SqliteStore(tmp_path)
    with pytest.raises(StateError, match="state format"):  # not: in use
        SqliteStore(tmp_path)


def test_a_format_before_those_that_are_migrated_is_refused(tmp_path: Path) -> None:
    SqliteStore(tmp_path).close()
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.execute(f"PRAGMA user_version = {OLDEST - 1}")
    db.close()
    said = f"state format {OLDEST - 1}, .* from {OLDEST} on: .*orbweb that began"
    with pytest.raises(StateError, match=said):
        SqliteStore(tmp_path)
    with pytest.raises(StateError, match=said), open_state(tmp_path):
        pass


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.execute("CREATE TABLE mine (x)")
    db.close()
    with pytest.raises(StateError, match="not made by orbweb"):
        SqliteStore(tmp_path)


def test_damage_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 1000)
    with pytest.raises(StateError, match="damaged"):
        SqliteStore(tmp_path)


def test_damage_found_later_is_named(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.add([found(str(n)) for n in range(5000)], 0.0)
    store.commit()
    store.close()
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    data[4096 * 20 :] = b"\xff" * (len(data) - 4096 * 20)
    path.write_bytes(bytes(data))

    def read_all() -> None:
        with closing(SqliteStore(tmp_path)) as store:
            store.add([found(str(n)) for n in range(9000)], 0.0)

    with pytest.raises(StateError, match="damaged"):
        read_all()


def test_a_full_disk_is_named_and_nothing_committed_is_lost(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.add([found("1")], 0.0)
    store.commit()
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(OutputError, match=r"disk is full.*orbweb resume"):
        store.add([found(f"{n:0200}") for n in range(2000)], 0.0)
    store._db.execute("PRAGMA max_page_count = 1000000")
    with pytest.raises(
        OutputError, match="disk is full"
    ):  # too late: half a batch is lost
        store.add([found("2")], 0.0)
    with pytest.raises(OutputError, match="disk is full"):
        store.commit()
    store.close()
    store = SqliteStore(tmp_path)
    assert store.counts()["queued"] == 1
    store.close()


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/state can't be made"):
        SqliteStore(tmp_path / "file" / "state")


def test_contents_survive(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.set_content("aa", Content("images/1.png", "u"))
    store.commit()
    store.close()
    store = SqliteStore(tmp_path)
    assert store.content("aa") == Content("images/1.png", "u")
    store.close()


def test_a_retry_forgives_the_host(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        store.add([found("1")], 0.0)
        store.claim(1, 0.0)
        (lease,) = store.lease("a.example", "page", 1, 0.0)
        store.finish(lease, "error", "host_parked")
        store.set_throttle(
            "a.example",
            HostThrottle(crawl_delay=2.0, failures=9, parkings=4, failure_code="reset"),
        )
        store.park("a.example", 1e9)
        store.unclaim("a.example", 1e9)
        store.commit()
        assert store.requeue_failed(("host_parked",), (), 5.0) == 1
        assert store.claim(1, 5.0) == [
            HostDue("a.example", 5.0, HostThrottle(crawl_delay=2.0))
        ]
