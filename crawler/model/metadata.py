"""What rooms keep in the store beside URLs: small values under (kind, key).

They become durable in the store's commit, together with the records that they belong
to. The values of each kind, and who writes them:
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

ROBOTS_TXT = "robots"
"""By origin: its robots.txt (`policy/robots_cache.py`)."""
COOKIES = "cookies"
"""By domain: its cookies (`workspace/credential_files.py`)."""
SEED_REDIRECTS = "added seed"
"""By URL where the redirects of a seed end: the seed (`engine/seed_redirects.py`).

It is empty in a state of before, where each URL of such a chain is in scope.
"""
PAGES_OF_TEMPLATE = "template"
"""The number of pages by host and template, in decimal.

`limits.max_pages_per_template` bounds it.
"""
TRAPS = "traps"
"""By host: the templates that were cut (`policy/traps/`)."""
TRAPS_OUT_OF_MEMORY = "traps out of memory"
"""By host that is no longer in memory: the scores of its templates."""

POISON_URLS = "poison url"
"""By URL: how often the process died while it read the response, in decimal."""
BOOT = "boot"
"""Under "", while a run is under way: the boot id (`workspace/recovery.py`)."""
EXTRACTION = "extraction"
"""The fingerprint of the extraction settings of the stored responses, under "".

See `model/fingerprint.py`.
"""

PER_CRAWL = (PAGES_OF_TEMPLATE, TRAPS_OUT_OF_MEMORY, POISON_URLS)
"""Kinds of metadata that a recrawl clears."""


class KeyValue(Protocol):
    """Values under (kind, key), as a room sees the store."""

    def get(self, kind: str, key: str) -> bytes | None:
        """The value; None if there is none."""
        ...

    def set(self, kind: str, key: str, value: bytes | None) -> None:
        """Keep a value; None deletes it."""
        ...

    def items(self, kind: str) -> Iterable[tuple[str, bytes]]:
        """All keys and values of one kind, in order of the keys."""
        ...
