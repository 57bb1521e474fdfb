"""`orbweb demo`: every record type in a few seconds, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from crawler.cli.commands.demo import is_demo
from crawler.demo.server import DemoServer
from tests.helpers.program import QUICK, Orbweb, kinds, records


def test_the_demo_shows_everything_and_is_quick(orbweb: Orbweb, tmp_path: Path) -> None:
    before = monotonic()
    done = orbweb("demo")
    assert done.returncode == 0
    assert monotonic() - before < 60  # its pauses are 6 of them
    found = kinds(records(tmp_path / "orbweb-demo" / "records.jsonl"))
    assert found.keys() == {
        "schema", "run", "robots", "page", "image", "file", "redirect", "error", "skip"
    }  # fmt: skip
    assert "jq -r" in done.stderr
    assert "duckdb -c" in done.stderr


def test_only_a_demo_is_replaced_by_a_demo(
    orbweb: Orbweb, server: DemoServer, tmp_path: Path
) -> None:
    orbweb(server.url, *QUICK, "-d", "mine", "-l", "0", "--no-images")
    before = (tmp_path / "mine" / "records.jsonl").read_bytes()
    assert not is_demo(str(tmp_path / "mine"))
    assert orbweb("demo", "-d", "mine").returncode == 2
    assert (tmp_path / "mine" / "records.jsonl").read_bytes() == before
    orbweb(
        server.url, *QUICK, "-d", "demo", "-s", "name=demo", "-l", "0", "--no-images"
    )
    assert is_demo(str(tmp_path / "demo"))
