"""Snapshots in a folder: taken of real states and files, and put elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from crawler.fleet.restoring import restore
from crawler.fleet.snapshot_taker import COPY, SnapshotTaker, Taken
from crawler.fleet.snapshots import Piece, SnapshotStore, pieces_to_keep
from crawler.frontier.mail import Content, Mark, Message, encode
from crawler.frontier.sqlite.database import shard_folder
from crawler.frontier.sqlite.shard_store import ShardStore
from crawler.frontier.store import Run
from crawler.model.config import Config
from crawler.model.errors import StateError, UsageError
from crawler.model.shards import Layout, Owners
from crawler.output.objects.address import parse_root
from crawler.output.objects.bucket import StorageError
from crawler.output.sink import DEFAULT_NAME
from crawler.workspace.paths import state_folder
from tests.helpers.frontier import found

LAYOUT = Layout(2)
OWNERS = Owners(LAYOUT)
HOST = next(f"h{n}" for n in range(99) if OWNERS.of_host(f"h{n}.example") == 1)
RUN = "0" * 26
RECORDS, PICTURE = "records/part-001.jsonl", "images/part-001/a b=%.png"


def nothing() -> None:
    """A snapshot may count."""


class Place:
    """The folder of a machine that runs shard 1, and what it takes snapshots with."""

    def __init__(self, folder: Path, root: Path, now: float = 1.8e9) -> None:
        self.folder = folder
        self.now = now
        config = Config(seeds=("http://x.example/",), dir=str(folder))
        self.snapshots = SnapshotStore(f"file://{root}", RUN, 2)
        self.taker = SnapshotTaker(
            self.snapshots, config, RUN, 2, "1", lambda: self.now
        )

    def open(self) -> ShardStore:
        state = state_folder(shard_folder(self.folder, 1))
        self.store = ShardStore(state, 1, OWNERS, self.now)
        if self.store.run() is None:
            self.store.set_run(Run(RUN, "{}", 0, None))
            self.store.commit()
        return self.store

    def write(self, text: str, *, committed: bool = True) -> None:
        """Write a record of a URL, and commit both."""
        path = self.folder / RECORDS
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"{text}\n")
        if committed:
            self.store.add([found(text, host=HOST)], self.now)
            self.store.set_position(DEFAULT_NAME, path.stat().st_size)
            self.store.commit()

    def take(self) -> Taken | None:
        self.now += 1
        return self.taker.take(1, nothing)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (place := tmp_path / "store").mkdir()
    return place


@pytest.fixture
def place(tmp_path: Path, root: Path) -> Iterator[Place]:
    made = Place(tmp_path / "one", root)
    with closing(made.open()):
        yield made


def files_in(root: Path) -> list[str]:
    return sorted(
        str(one.relative_to(root / RUN)) for one in root.rglob("*") if one.is_file()
    )


def test_a_shard_goes_on_elsewhere_from_its_newest_snapshot(place, root, tmp_path):
    place.write("first")
    place.store.accept(Message(0, Mark(7, 1), encode(Content())))
    place.store.commit()
    picture = place.folder / PICTURE
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    assert place.take() == Taken(place.now, {0: Mark(7, 1)})
    place.write("second")
    place.write("not committed", committed=False)
    assert place.take() is not None
    place.write("after it")

    other = Place(tmp_path / "two", root, place.now + 60)
    taken = restore(other.snapshots, other.folder, 1)
    assert taken is not None
    assert (other.folder / RECORDS).read_text() == "first\nsecond\n"
    assert (other.folder / PICTURE).read_bytes() == b"a picture"
    with closing(other.open()) as store:
        assert store.epoch > place.store.epoch
        assert store.counts()["queued"] == 2
        assert store.taken() == {0: Mark(7, 1)}
        assert store.position(DEFAULT_NAME) == len("first\nsecond\n")
        assert other.take() is not None
        with pytest.raises(StateError, match="has run shard 1 of the crawl from"):
            Place(place.folder, root, place.now).take()


def test_the_restored_shard_tells_every_sender_what_it_has(place, tmp_path, root):
    assert place.take() is not None
    other = Place(tmp_path / "two", root)
    restore(other.snapshots, other.folder, 1)
    with closing(other.open()) as store:
        assert store.make_safe() == {0: Mark()}


def test_a_store_keeps_one_snapshot_of_a_shard(place, root):
    sizes = []
    for number in range(4):
        place.write(f"{number}" * 3000)
        place.take()
        sizes.append(len(files_in(root)))
    assert sizes == [3, 3, 3, 3], "manifest, state, and one small piece of records"
    assert not (state_folder(shard_folder(place.folder, 1)) / COPY).exists()


def test_a_snapshot_that_may_not_count_is_not_seen(place, root):
    """The lease has ended meanwhile; its objects go with the next snapshot."""
    place.write("first")
    place.take()

    def lost() -> None:
        raise StateError("lost")

    before = place.snapshots.newest(1)
    place.write("second")
    with pytest.raises(StateError, match="lost"):
        place.taker.take(1, lost)
    assert place.snapshots.newest(1) == before
    place.take()
    assert len(files_in(root)) == 3


def test_what_an_owner_writes_late_is_older_than_what_the_next_one_has(
    place, root, tmp_path
):
    place.write("first")
    place.take()
    other = Place(tmp_path / "two", root, place.now + 60)
    restore(other.snapshots, other.folder, 1)
    with closing(other.open()):
        other.write("its own")
        other.take()
        newest = other.snapshots.newest(1)
        place.write("late")
        place.now += 1000  # its clock is far ahead
        place.take()
        assert other.snapshots.newest(1) == newest
        again = Place(tmp_path / "three", root)
        assert restore(again.snapshots, again.folder, 1) == newest
        assert (again.folder / RECORDS).read_text() == "first\nits own\n"


def test_a_large_file_is_uploaded_once(place, monkeypatch):
    monkeypatch.setattr("crawler.fleet.snapshot_taker.SMALL_PIECE", 100)
    put: list[int] = []
    monkeypatch.setattr(
        place.snapshots, "put", lambda key, content: put.append(len(content))
        if isinstance(content, bytes) else None
    )  # fmt: skip
    for text in ("x" * 150, "y" * 50, "z" * 20):
        place.write(text)
        place.take()
    assert put == [151, 51, 51 + 21]


@pytest.mark.parametrize(
    ("pieces", "length", "kept"),
    [
        ([10, 10], 20, [10, 10]),
        ([10, 3], 13, [10, 3]),
        ([10, 3], 14, [10]),
        ([10, 10], 25, [10, 10]),
        ([10, 10], 19, []),
    ],
)
def test_pieces_that_a_longer_file_still_has(pieces, length, kept):
    before = [Piece(str(number), size) for number, size in enumerate(pieces)]
    assert [one.bytes for one in pieces_to_keep(before, length, 5)] == kept


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run_id": "1" * 26}, "is a snapshot of another crawl"),
        ({"shard": 0}, "is a snapshot of another crawl"),
        ({"format": 2}, "was written by another version of orbweb"),
        (None, "is no snapshot"),
    ],
)
def test_another_snapshot_is_refused_and_nothing_is_written(
    place, root, tmp_path, change, message
):
    place.take()
    (file,) = root.rglob("*.json")
    content = {} if change is None else json.loads(file.read_bytes()) | change
    file.write_bytes(msgspec.json.encode(content))
    with pytest.raises(StateError, match=message):
        restore(place.snapshots, tmp_path / "two", 1)
    assert not (tmp_path / "two").exists()


def test_a_shard_without_a_snapshot_is_none(place, tmp_path):
    assert restore(place.snapshots, tmp_path / "two", 0) is None


def test_a_state_that_is_gone_or_damaged_leaves_no_state(place, root, tmp_path):
    place.take()
    (packed,) = root.rglob("*.zst")
    whole = packed.read_bytes()
    packed.write_bytes(whole[:-40])
    other = Place(tmp_path / "two", root)
    with pytest.raises(StateError, match="is damaged"):
        restore(other.snapshots, other.folder, 1)
    packed.unlink()
    with pytest.raises(StorageError, match="there is no such object any more"):
        restore(other.snapshots, other.folder, 1)
    packed.write_bytes(whole)
    restore(other.snapshots, other.folder, 1)
    with closing(other.open()) as store:
        assert store.run() == Run(RUN, "{}", 0, None)


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("gs://bucket", "gs://bucket"),
        ("/", "file:///"),
        ("file:///", "file:///"),
    ],
)
def test_where_snapshots_may_be(text, root):
    assert parse_root(text, "--snapshot") == root


@pytest.mark.parametrize(
    "text", ["/not/there", "ftp://x/y", "s3://", "s3://key@bucket/x", "s3://b/../x"]
)
def test_another_place_is_refused_in_one_sentence(text):
    with pytest.raises(UsageError, match=r"^--snapshot"):
        parse_root(text, "--snapshot")
