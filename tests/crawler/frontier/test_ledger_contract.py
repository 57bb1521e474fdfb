"""The contract of `Ledger`, checked for each store."""

from __future__ import annotations

import pytest

from crawler.frontier.store import Content, Run, Store


def test_the_file_with_certain_bytes(store: Store) -> None:
    assert store.content("aa") is None
    store.set_content("aa", Content("images/1.png", "https://a.example/1.png"))
    store.set_content("aa", Content("images/2.png", "https://a.example/2.png"))
    assert store.content("aa") == Content("images/2.png", "https://a.example/2.png")


def test_run_and_positions(store: Store) -> None:
    assert store.run() is None
    assert store.position("records") is None
    store.set_run(Run("01J", "{}"))
    store.set_run(Run("01J", "{}", seq=7))
    store.set_position("records", 1 << 40)
    store.commit()
    assert store.run() == Run("01J", "{}", 7)
    assert store.position("records") == 1 << 40
    assert store.position("warc") is None


@pytest.mark.parametrize(
    "position", [0, 7, "part-3", b"\xff", None, [1, "a", b"b"], {"file": 3, "row": 4}]
)
def test_a_position_is_opaque(store: Store, position: object) -> None:
    store.set_position("records", 12)
    store.set_position("records", position)
    store.set_position("warc", 1)
    store.commit()
    assert store.position("records") == position
