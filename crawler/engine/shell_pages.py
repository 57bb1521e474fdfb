"""How many pages of a crawl need JavaScript, and whether all of its seeds do.

The numbers are in the store, in the commit of each such page, so that they are those of
all runs of a crawl. Other pages cost nothing.
"""

from __future__ import annotations

from crawler.model.metadata import (
    NEEDS_JAVASCRIPT,
    KeyValue,
    Readable,
    increase,
    read_number,
)
from crawler.model.records import PageRecord


def count_shell(metadata: KeyValue, record: PageRecord) -> None:
    """Count a page that needs JavaScript."""
    for key in ("pages", "seeds") if record.depth == 0 else ("pages",):
        increase(metadata, NEEDS_JAVASCRIPT, key)


def shell_count(metadata: Readable) -> int:
    """The number of pages that need JavaScript."""
    return read_number(metadata, NEEDS_JAVASCRIPT, "pages")


def seeds_are_shells(metadata: Readable, seeds: int, pages: int) -> bool:
    """Whether all seeds need JavaScript, so that the crawl had to end there.

    `seeds` and `pages`: the numbers of the crawl. Seeds that failed, or that redirect
    to one page, are more than pages at depth 0; then all pages must be such.
    """
    at_seeds = read_number(metadata, NEEDS_JAVASCRIPT, "seeds")
    return at_seeds > 0 and (at_seeds >= seeds or shell_count(metadata) >= pages)
