"""Snapshots as a user has them: a machine that is lost, and what is refused."""

from __future__ import annotations

import json
import shutil

import pytest

from crawler.cli import run
from crawler.fleet.exchange_server import Lease, Owner
from tests.helpers.killed_fleet import OPTIONS, endings
from tests.helpers.killed_fleet import run as run_program
from tests.helpers.many_hosts import ManyHosts
from tests.helpers.object_store import BUCKET, ObjectStore

SEED = "http://127.0.0.1:9/"


def begin(address: str) -> None:
    assert run(["crawl", SEED, "--exchange", address, "--shards", "2", "-q"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--snapshot", "/not/there"], "--snapshot /not/there: there is no such fold"),
        (["--snapshot", "ftp://x/y"], "--snapshot: only s3://, gs://, az:// and fold"),
        (["--snapshot", "s3://k@b/x"], "--snapshot: expected s3://BUCKET/PREFIX"),
        (
            ["--snapshot", "/", "--snapshot-every", "1s"],
            "-every: at least 5s",
        ),
        (["--snapshot", "/", "--snapshot-every", "soon"], "not a valid duration"),
    ],
)
def test_what_is_refused_before_anything_is_written(
    address, tmp_path, capsys, options, message
):
    begin(address)
    folder = tmp_path / "a"
    assert run(["work", str(folder), "--exchange", address, *options]) == 2
    assert message in capsys.readouterr().err
    assert not folder.exists()


def test_records_in_object_storage_have_no_snapshots(
    address, server, tmp_path, capsys, monkeypatch
):
    """Nor may a crawl that has snapshots get such an output later."""
    output = f"s3://{BUCKET}/pages.jsonl.gz"
    with ObjectStore() as store:
        for name, value in store.environ.items():
            monkeypatch.setenv(name, value)
        crawl = ["crawl", SEED, "--exchange", address, "-q"]
        assert run([*crawl, "--shards", "2", "-o", output]) == 0
        folder = tmp_path / "a"
        with_snapshots = ["--exchange", address, "--snapshot", str(tmp_path)]
        assert run(["work", str(folder), *with_snapshots]) == 2
        assert capsys.readouterr().err == (
            f"orbweb: --snapshot: the records of this crawl go to {output}, where they "
            "can't be cut back to a snapshot; leave --snapshot out, or begin the crawl "
            "anew without -o, since snapshots have the records, too\n"
        )
        assert not folder.exists()

        assert run([*crawl, "--shards", "2", "--fresh"]) == 0
        server.take(Lease(0, "token"), Owner("home", "box:/data"), 60)
        server.set_snapshot(Lease(0, "token"), 0.0)
        before = server.crawl()
        assert run([*crawl, "-o", output]) == 2
        shown = capsys.readouterr().err
        assert "--output: the machines of this crawl keep snapshots" in shown
        assert "leave -o out" in shown
        assert run([*crawl, "-o", "-"]) == 0, "this is no storage"
        assert server.crawl().config != before.config


def test_status_shows_how_old_snapshots_are(address, server, capsys):
    begin(address)
    for shard in range(2):
        server.take(Lease(shard, "token"), Owner("home", "box:/data"), 60)
    server.set_snapshot(Lease(0, "token"), 0.0)  # it has begun
    server.set_snapshot(Lease(1, "token"), 1.8e9)
    assert run(["status", "--exchange", address, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["snapshots"] == {"1": "2027-01-15T08:00:00Z"}
    assert run(["status", "--exchange", address]) == 0
    shown = capsys.readouterr().out
    assert "snapshots of shards 1: 0.0 s ago; 1 without" in shown


def test_a_machine_whose_folder_is_lost_goes_on_from_its_snapshots(
    address, server, tmp_path, capsys
):
    """By hand: another folder, which takes the shards over at once."""
    site = ManyHosts(hosts=8, pages=40, pictures=9)
    (store := tmp_path / "store").mkdir()
    options = ("--exchange", address, "--processes", "1", "-q")
    with_store = (*options, "--snapshot", str(store), "--takeover-after", "0s")
    begun = ("--exchange", address, "--shards", "2")
    try:
        assert run_program("crawl", site.url(0), *OPTIONS, *begun) == 0
        assert run_program("work", str(tmp_path / "a"), *with_store) == 0
        written = endings(tmp_path / "a")
        assert written.total() > 40
        requests = len(site.requested)
        shutil.move(tmp_path / "a", tmp_path / "old")
        assert run_program("work", str(tmp_path / "b"), *with_store) == 0
    finally:
        site.stop()
    assert endings(tmp_path / "b") == written
    assert len(site.requested) == requests, "all was in the snapshots"
    pictures = list((tmp_path / "b" / "images").rglob("*.svg"))
    assert len(pictures) == len(list((tmp_path / "old" / "images").rglob("*.svg")))

    assert run(["work", str(tmp_path / "old"), *options]) == 7
    assert "another machine has gone on from a snapshot" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "b" / "state" / "shards")
    assert run(["work", str(tmp_path / "b"), *options]) == 7
    shown = capsys.readouterr().err
    assert "shard 0 of the crawl has its state in a snapshot only: name with" in shown
