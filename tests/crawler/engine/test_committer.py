"""The committer killed inside a batch: the next run repairs what is on disk."""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from crawler.engine.committer import Committer
from crawler.engine.stats import Stats
from crawler.frontier.frontier import Frontier
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Run
from crawler.model.content_config import OutputConfig
from crawler.model.crawl import Discovered, Lease, Outcome
from crawler.model.errors import OutputError
from crawler.model.policy_config import PolitenessConfig
from crawler.model.record_base import Record
from crawler.model.records import ImageRecord
from crawler.output.files import Journal
from crawler.output.images import ImageFiles
from crawler.output.registry import open_sink
from crawler.output.sink import DEFAULT_NAME, RecordSink

NO_SCHEMA = OutputConfig(schema_line=False)
PICTURE = b"the same picture under two URLs"
URLS = ("https://a.example/first.png", "https://a.example/second.png")


class Dying:
    """A sink that fails at the worst moment for a kill: the files are written."""

    def write(self, records: Sequence[Record]) -> None:
        raise OutputError("died")

    def flush(self) -> int | None:
        return None

    def close(self) -> None: ...


def image(lease: Lease) -> Outcome:
    record = ImageRecord(
        url=lease.url,
        url_id="",
        host=lease.host,
        status=200,
        path="",
        format="png",
        sha256=hashlib.sha256(PICTURE).hexdigest(),
        body_bytes=len(PICTURE),
    )
    return Outcome(lease, record, (), PICTURE)


def write(store: SqliteStore, folder: Path, sink: RecordSink, order: slice) -> None:
    """One run that commits the pictures in the given order, one batch each."""
    frontier = Frontier(store, PolitenessConfig(per_host=9, wait=0.0), time.time)
    files = ImageFiles(
        folder, "{host}/{stem}-{sha256:.8}.{ext}", Journal(folder / "journal")
    )
    run = store.run() or Run("run", "{}")
    stats = Stats(time.time)
    writer = Committer(
        run,
        store,
        {DEFAULT_NAME: sink},
        files,
        stats.count,
        OutputConfig(),
        time.time,
    )
    handles = sorted(
        (handle for _ in URLS if (handle := frontier.lease())),
        key=lambda handle: handle.lease.url,
    )
    for handle in handles[order]:
        handle.responded()
        writer.finish(handle, image(handle.lease))
        writer.commit()


def test_a_picture_left_behind_is_found_again_by_another_url(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "state")) as store:
        store.add([Discovered(url, "img", "image", 1) for url in URLS], time.time())
        store.set_run(Run("run", "{}"))
        store.commit()
        with pytest.raises(OutputError, match="died"):
            write(store, tmp_path, Dying(), slice(None))
    assert len([*(tmp_path / "images").rglob("*.png")]) == 1

    records = tmp_path / "records.jsonl"
    with (
        closing(SqliteStore(tmp_path / "state")) as store,
        closing(
            open_sink(str(records), store.position(DEFAULT_NAME), NO_SCHEMA)
        ) as sink,
    ):
        write(store, tmp_path, sink, slice(None, None, -1))
    lines = [json.loads(line) for line in records.read_bytes().splitlines()]
    assert [line["url"] for line in lines] == [*reversed(URLS)]
    assert [line["dup_of"] for line in lines] == [None, URLS[1]]
    (file,) = (tmp_path / "images").rglob("*.png")
    assert {line["path"] for line in lines} == {str(file.relative_to(tmp_path))}
    assert file.read_bytes() == PICTURE
