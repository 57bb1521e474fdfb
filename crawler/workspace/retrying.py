"""Queueing failed URLs of a crawl again, in its state or in those of its shards."""

from __future__ import annotations

from pathlib import Path

from crawler.frontier.sqlite.database import has_fleet, shard_folder
from crawler.frontier.sqlite.fleet_file import read_fleet
from crawler.frontier.sqlite.store import SqliteStore
from crawler.model.errors import UsageError
from crawler.model.metadata import POISON_URLS, TRAPS, TRAPS_OUT_OF_MEMORY
from crawler.workspace.open import opened_store


def requeue_failed(
    folder: Path,
    reasons: tuple[str, ...],
    hosts: tuple[str, ...],
    *,
    now: float,
    dry_run: bool,
) -> int:
    """Queue failed URLs of the crawl in `folder` again, by code and host.

    Returns how many they are. Raises UsageError for a reason of skips that is decided
    where a URL is found: fetching the page again would not change it.
    """
    from crawler.frontier.sqlite.requeue import DECIDED_ON_DISCOVERY

    if fixed := set(DECIDED_ON_DISCOVERY).intersection(reasons):
        raise UsageError(
            f"--code {', '.join(sorted(fixed))}: decided where the URL was found, by "
            "the configuration; change that and begin anew with --fresh"
        )
    folders = [folder]
    if has_fleet(folder):
        fleet = read_fleet(folder)
        fleet.refuse_part(str(folder))
        shards = range(fleet.layout.shards)
        folders = [shard_folder(folder, shard) for shard in shards]
    counts = [_requeue(one, reasons, hosts, now, dry_run) for one in folders]
    return sum(counts)


def _requeue(
    folder: Path,
    reasons: tuple[str, ...],
    hosts: tuple[str, ...],
    now: float,
    dry_run: bool,
) -> int:
    with opened_store(folder) as store:
        count = store.requeue_failed(reasons, hosts, now)
        if "trap" in reasons:
            _forget(store, TRAPS)  # else they would be cut again at once
            _forget(store, TRAPS_OUT_OF_MEMORY)
        if not reasons or "parse" in reasons:
            _forget(store, POISON_URLS)
        if not dry_run:
            store.commit()
    return count


def _forget(store: SqliteStore, kind: str) -> None:
    for key, _ in store.items(kind):
        store.set(kind, key, None)
