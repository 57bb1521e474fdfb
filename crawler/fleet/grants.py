"""What one shard may use of the limits of the whole crawl, page by page exact.

A shard is granted a part of what is left, the smaller the less is left, and gives back
what it does not need. A grant is on the disk before it is used, so that the shards
together never have more pages than the limit says, whatever dies. Bytes are known when
they have come, so that what is under way at the end of a grant is beyond it, as it is
in a crawl of one process.
"""

from __future__ import annotations

from crawler.frontier.sqlite.fleet_file import FleetFile
from crawler.model.policy_config import LimitsConfig

_PARTS = 4
"""A shard is granted this part of its fair share of what is left."""
MIN_BYTES = 64 * 1024


class SharedLimits:
    """The `Grants` of one shard, from the file that all shards share."""

    def __init__(
        self, file: FleetFile, shard: int, shards: int, limits: LimitsConfig
    ) -> None:
        self._file = file
        self._shard = shard
        self._share = _PARTS * shards
        self._limits = limits

    def pages(self, used: int) -> int:
        limit = self._limits.max_pages
        assert limit is not None
        return self._file.grant("pages", self._shard, used, limit, self._share, 1)

    def bytes(self, used: int) -> int:
        limit = self._limits.max_bytes
        assert limit is not None
        return self._file.grant(
            "bytes", self._shard, used, limit, self._share, MIN_BYTES
        )

    def has_pages(self) -> bool:
        limit = self._limits.max_pages
        return limit is None or self._file.left("pages", limit) > 0

    def has_bytes(self) -> bool:
        limit = self._limits.max_bytes
        return limit is None or self._file.left("bytes", limit) > 0

    def release(self, pages: int, received: int) -> None:
        self._file.release(self._shard, pages, received)
