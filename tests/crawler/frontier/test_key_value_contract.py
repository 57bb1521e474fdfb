"""The contract of `KeyValue`, checked for each store."""

from __future__ import annotations

from crawler.frontier.store import Store


def test_values_by_kind_and_key(store: Store) -> None:
    assert store.get("robots", "https://a.example") is None
    store.set("robots", "https://b.example", b"")
    store.set("robots", "https://a.example", b"Disallow: /\xff")
    store.set("cookies", "a", b"1")
    assert store.get("robots", "https://b.example") == b""
    assert list(store.items("robots")) == [
        ("https://a.example", b"Disallow: /\xff"),
        ("https://b.example", b""),
    ]
    store.set("robots", "https://a.example", None)
    store.set("robots", "https://b.example", b"2")
    assert list(store.items("robots")) == [("https://b.example", b"2")]
