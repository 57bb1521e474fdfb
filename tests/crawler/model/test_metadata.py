"""Numbers that are kept as metadata."""

from crawler.frontier.memory import MemoryStore
from crawler.model.metadata import EXTERNAL, ITEMS, increase, read_number


def test_a_number_is_read_as_it_was_added_up() -> None:
    store = MemoryStore()
    assert read_number(store, ITEMS, "items") == 0
    increase(store, ITEMS, "items")
    increase(store, ITEMS, "items", 41)
    assert read_number(store, ITEMS, "items") == 42
    assert read_number(store, ITEMS, "others") == 0
    assert read_number(store, EXTERNAL, "items") == 0
