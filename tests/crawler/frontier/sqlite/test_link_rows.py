"""How the links of documents are packed: what earlier rows were packed with counts."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import pytest

from crawler.frontier.sqlite import link_rows
from crawler.frontier.sqlite.store import SqliteStore
from crawler.model.documents import ImageLink, Link
from crawler.model.http import Hop
from crawler.model.link_graph import (
    MAX_TEXT,
    DocumentFacts,
    FoundLinks,
    OutLinks,
    SourceLinks,
)
from crawler.model.metadata import LINKS_DICTIONARY
from tests.helpers.frontier import found, lease_all

FACTS = DocumentFacts(200, 7, 1000, "Title")


def url(path: str) -> str:
    return found(path).url


def commit(store: SqliteStore, path: str, links: OutLinks, *new: str) -> None:
    """Finish the page at `path`, on which the URLs `new` were found first."""
    (lease,) = [one for one in lease_all(store, 0.0) if one.url == url(path)]
    store.add([found(one) for one in new], 0.0)
    store.finish(lease, "page", links=links)
    store.commit()


def rows(store: SqliteStore) -> list[SourceLinks]:
    return list(link_rows.read_links(store._db))


def test_links_are_numbered_by_discovery_also_after_a_restart(tmp_path: Path) -> None:
    links = OutLinks(
        FoundLinks(
            (
                Link(url("new"), "a", "New", "me"),
                Link(url("known"), "link_next", None, "next"),
                Link("https://b.example/", "a", "t" * (MAX_TEXT + 1)),
            ),
            (ImageLink(url("i.png"), "img", "An image"),),
        ),
        FACTS,
    )
    store = SqliteStore(tmp_path)
    store.add([found("1"), found("known")], 0.0)
    store.commit()
    store.close()
    store = SqliteStore(tmp_path)  # no number is known in memory any more
    commit(store, "1", links, "new")
    (source,) = rows(store)
    assert (source.url, source.facts) == (url("1"), FACTS)
    assert [
        (one.target, one.url, one.kind, one.text, one.rel) for one in source.links
    ] == [
        (3, None, "a", "New", "me"),
        (2, None, "link_next", None, None),
        (0, "https://b.example/", "a", "t" * MAX_TEXT, None),
        (0, url("i.png"), "img", "An image", None),
    ]
    store.close()


def test_a_number_belongs_to_the_key_of_a_url(tmp_path: Path) -> None:
    """A URL that a redirect leads to itself has a key, and so a number, of its own."""
    store = SqliteStore(tmp_path)
    store.add([found("1"), found("2")], 0.0)
    hop = Hop(url=url("2"), status=302)
    back = found("2", redirects=(hop,))
    store.add([back], 0.0)
    commit(store, "1", OutLinks(FoundLinks((Link(url("2"), "a"),))))
    (source,) = rows(store)
    assert [one.target for one in source.links] == [2]
    store.close()


@pytest.mark.parametrize("size", [100, 16 * 1024])
def test_rows_of_any_version_are_read_and_written(tmp_path: Path, size: int) -> None:
    """Versions before compressed with a window, and a dictionary, of up to 16 kB."""
    dictionary = bytes(random.Random(1).choices(range(33, 127), k=size))
    far = dictionary[-12_000:][:90]
    store = SqliteStore(tmp_path)
    store.set(LINKS_DICTIONARY, "", dictionary)
    store.add([found(str(number)) for number in range(1, 4)], 0.0)
    store.commit()
    store.close()

    store = SqliteStore(tmp_path)
    content = link_rows.PackedLinks(FACTS, [3], b"\1", far)
    packer = zlib.compressobj(6, zlib.DEFLATED, -14, 6, zdict=dictionary)
    encoded = link_rows._encode(content)
    packed = b"\1" + packer.compress(encoded) + packer.flush()
    assert len(packed) < 60
    store._db.execute("INSERT INTO outlink VALUES (1, ?)", (packed,))
    text = dictionary[-90:].decode()
    commit(store, "2", OutLinks(FoundLinks((Link(url("3"), "a", text),)), FACTS))
    first, second = rows(store)
    assert [one.text for one in first.links] == [far.decode()]
    assert [one.text for one in second.links] == [text]
    ((size_of_row,),) = store._db.execute(
        "SELECT length(links) FROM outlink WHERE seq = 2"
    )
    assert size_of_row < 60  # its text is that of the dictionary
    store.close()


def test_the_dictionary_comes_from_the_first_rows(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.add([found(str(number)) for number in range(40)], 0.0)
    long = [
        Link(url(str(n)), "a", f"The text of link {n} in a navigation")
        for n in range(30)
    ]
    leases = lease_all(store, 0.0)
    for lease in leases:
        store.finish(lease, "page", links=OutLinks(FoundLinks(tuple(long)), FACTS))
        store.commit()
    found_rows = rows(store)
    assert len(found_rows) == 40
    assert all(row.links == found_rows[0].links for row in found_rows)
    assert 0 < len(link_rows.read_dictionary(store._db)) <= 1 << 13
    sizes = [size for (size,) in store._db.execute("SELECT length(links) FROM outlink")]
    assert max(sizes[16:]) < min(sizes[:16]) / 3
    store.close()
