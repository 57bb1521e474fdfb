"""The stores that the contract tests ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite.shard_store import ShardStore
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Store
from crawler.model.shards import Layout, Owners

MAKERS: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _folder: MemoryStore(),
    "sqlite": SqliteStore,
    "shard": lambda folder: ShardStore(folder, 0, Owners(Layout(1)), 0.0),
}


@pytest.fixture(params=MAKERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    store = MAKERS[request.param](tmp_path)
    yield store
    store.close()
