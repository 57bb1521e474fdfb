"""The bound on style sheets that import style sheets, and on requisites of requisites.

A style sheet may import another, and a server can make that chain endless. So each
imported one is kept with its depth: 1 if a style sheet of a page imports it. The depth
of its page does not help, since that has no bound either. It is the same with SVG
images that show others, and frames in frames (`bodies.mirror`).
"""

from __future__ import annotations

from crawler.model.crawl import Lease, Skip
from crawler.model.metadata import IMPORT_DEPTH, KeyValue

MAX_IMPORT_DEPTH = 5


class StyleImports:
    """Counts how deep the style sheets of a crawl import each other.

    `what` names in the skip what is too deep.
    """

    def __init__(self, metadata: KeyValue, what: str = "@import") -> None:
        self._metadata = metadata
        self._skip = Skip("depth", f"{what}: more than {MAX_IMPORT_DEPTH} deep")

    def check(self, lease: Lease) -> Skip | None:
        """Whether what the style sheet of `lease` imports is too deep."""
        return self._skip if self._depth(lease.url) >= MAX_IMPORT_DEPTH else None

    def record(self, lease: Lease, imported: str) -> None:
        """The style sheet of `lease` imports that at the URL `imported`."""
        depth = b"%d" % (self._depth(lease.url) + 1)
        self._metadata.set(IMPORT_DEPTH, imported, depth)

    def _depth(self, url: str) -> int:
        return int(self._metadata.get(IMPORT_DEPTH, url) or 0)
