"""The demo's site, and the program in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.demo.server import DemoServer, serving
from tests.helpers.program import Orbweb


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    """The demo's server: blocking sockets in threads of this process."""
    with serving() as running:
        yield running


@pytest.fixture
def orbweb(tmp_path: Path) -> Orbweb:
    return Orbweb(tmp_path)
