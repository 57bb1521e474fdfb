"""The options of `orbweb work` about snapshots."""

from __future__ import annotations

from crawler.cli.exchange import SHARDS_A_PROCESS
from crawler.fleet.machine_snapshots import SnapshotSettings
from crawler.fleet.snapshots import OPTION
from crawler.model.errors import UsageError
from crawler.output.objects.address import parse_root

TAKEN_OVER = 2
"""So many times as many it has at most with those of machines that are gone."""
MIN_EVERY_S = 5.0


def snapshot_settings(
    text: str, every_s: float, takeover_s: float, most: int | None, processes: int
) -> SnapshotSettings:
    """What the user has said of snapshots. Raises UsageError."""
    if every_s < MIN_EVERY_S:
        raise UsageError(
            f"--snapshot-every: at least {MIN_EVERY_S:.0f}s, since a snapshot has the "
            "whole state of a shard"
        )
    most = most or TAKEN_OVER * SHARDS_A_PROCESS * processes
    return SnapshotSettings(parse_root(text, OPTION), every_s, takeover_s, most)
