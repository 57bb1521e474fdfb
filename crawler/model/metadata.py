"""What stages keep in the store beside URLs: small values under (kind, key), in its
transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

ROBOTS_TXT = "robots"
"""By origin: its robots.txt (`gate.Fetched`)."""
COOKIES = "cookies"
"""By domain: its cookies."""
ADDED_SEEDS = "scope"
"""By URL that a seed redirected to: it is in scope, also after a resume."""
PAGES_OF_TEMPLATE = "template"
"""By host and template: its pages against `limits.max_pages_per_template`, in
decimal."""
TRAPS = "traps"
"""By host: the templates that were cut (`traps.Cut` by name)."""
TRAPS_OUT_OF_MEMORY = "traps out of memory"
"""By host for which there was no room: what else was learnt of its templates
(`traps.ledger`)."""

POISON_URLS = "deadly"
"""By URL: how often the process died while it read what came of it, in decimal."""
BOOT = "boot"
"""Under "", while a run is under way: the machine's boot id (`power_cut.py`)."""
EXTRACTION = "reading"
"""Under "": under which settings the answers of this state were read
(`revisit.reading`)."""

PER_CRAWL = (PAGES_OF_TEMPLATE, TRAPS_OUT_OF_MEMORY, POISON_URLS)
"""What a further crawl into the same state counts anew."""


class KeyValue(Protocol):
    """What a stage needs of the store."""

    def get(self, kind: str, key: str) -> bytes | None: ...

    def set(self, kind: str, key: str, value: bytes | None) -> None:
        """None deletes it."""
        ...

    def items(self, kind: str) -> Iterable[tuple[str, bytes]]: ...
