"""What the committer stores of contents: the first URL, and files without a record."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from crawler.engine.committer import Committer
from crawler.frontier.memory import MemoryStore
from crawler.frontier.store import Content, Ended, Run
from crawler.model.content_config import OutputConfig
from crawler.model.crawl import Discovered, Lease, Outcome, StoredResponse
from crawler.model.link_graph import OutLinks
from crawler.model.records import ImageRecord
from crawler.output.files import Journal
from crawler.output.images import ImageFiles

OLD, NEW = b"the old picture", b"the new picture"
FIRST, SECOND = "https://a.example/first.png", "https://a.example/second.png"


class Handle:
    """A lease without a waiting worker."""

    def detach(self) -> None:
        """Nothing is counted."""

    def finish(
        self,
        ended: Ended,
        found: Iterable[Discovered],
        code: str | None,
        detail: str | None,
        stored: StoredResponse | None,
        links: OutLinks | None,
    ) -> int:
        return 0


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fetched(url: str, data: bytes, before: bytes | None = None) -> Outcome:
    """The picture `data` under `url`, which had the bytes `before`."""
    stored = before and StoredResponse(bytes.fromhex(digest(before)), None)
    lease = Lease(
        url=url,
        url_id=0,
        host="a.example",
        kind="img",
        destination="image",
        depth=1,
        attempts=0,
        queued_ms=0,
        stored=stored or None,
    )
    record = ImageRecord(
        url=url,
        url_id="",
        host=lease.host,
        status=200,
        path="",
        format="png",
        sha256=digest(data),
    )
    return Outcome(lease, record, (), data)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def committer(store: MemoryStore, tmp_path: Path) -> Committer:
    return Committer(
        Run("2", "{}", previous_run_id="1"),
        store,
        {},
        ImageFiles(tmp_path, "{sha256}.{ext}", Journal(tmp_path / "journal")),
        lambda record: None,
        OutputConfig(),
        time.time,
    )


@pytest.mark.parametrize(("url", "first"), [(FIRST, None), (SECOND, FIRST)])
def test_bytes_lose_their_first_url_only_when_that_one_changes(
    store: MemoryStore, committer: Committer, url: str, first: str | None
) -> None:
    store.set_content(digest(OLD), Content("images/old.png", FIRST))
    committer.finish(Handle(), fetched(url, NEW, before=OLD))
    committer.commit()
    assert store.content(digest(OLD)) == Content("images/old.png", first)


def test_after_a_commit_no_picture_waits_in_the_journal(
    committer: Committer, tmp_path: Path
) -> None:
    committer.finish(Handle(), fetched(FIRST, NEW))
    committer.commit()
    assert len([*tmp_path.rglob("*.png")]) == 1
    assert (tmp_path / "journal").read_bytes() == b""
