"""The stores that the contract tests ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Store

MAKERS: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _folder: MemoryStore(),
    "sqlite": SqliteStore,
}


@pytest.fixture(params=MAKERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    store = MAKERS[request.param](tmp_path)
    yield store
    store.close()
