"""Queries about hosts that wait, for the store and for readers of a state.

Each of them reads all hosts with work.
"""

from __future__ import annotations

import sqlite3

from crawler.frontier.sqlite.host_rows import THROTTLE
from crawler.frontier.throttle import HostThrottle
from crawler.frontier.waits import (
    MAX_RETRIES,
    SOON_S,
    HostGroup,
    HostWork,
    RetryCount,
)
from crawler.model.policy_config import PolitenessConfig

_WAITS = f"""
pages + images > 0 AND ready_at > :now
    AND (failure_code != '' OR parked OR ready_at > :now + {SOON_S})
"""
_GROUPS = f"""
SELECT failure_code, parked, slowdown > 0, crawl_delay > 0, count(*),
    sum(pages + images), min(ready_at)
FROM host WHERE {_WAITS} GROUP BY 1, 2, 3, 4
"""
_NAMES = f"""
SELECT name FROM host WHERE {_WAITS} AND failure_code = :code AND parked = :parked
    AND (slowdown > 0) = :slowed AND (crawl_delay > 0) = :delayed
ORDER BY pages + images DESC, host_id LIMIT :limit
"""
_RETRIES = """
SELECT coalesce(code, ''), count(*), min(due) FROM (
    SELECT retry_at AS due, seq FROM retry WHERE retry_at > ? ORDER BY 1 LIMIT ?
) JOIN url USING (seq) GROUP BY 1
"""
_HOSTS = f"""
WITH later AS (
    SELECT host_id, count(*) AS urls FROM (
        SELECT seq FROM retry WHERE retry_at > :now ORDER BY retry_at LIMIT :retries
    ) JOIN url USING (seq) GROUP BY 1
)
SELECT name, pages + images + coalesce(later.urls, 0)
FROM host LEFT JOIN later USING (host_id)
WHERE later.urls > 0 OR ({_WAITS}) ORDER BY 2 DESC, host_id LIMIT :limit
"""
# The interval is that of `Controller.interval`.
_SLOWEST = f"""
SELECT name, pages, images, ready_at, {THROTTLE} FROM host
WHERE pages + images > 0 AND parked = 0 AND parkings <= :max_parkings
ORDER BY (min(pages, :pages_left) + images) * max(
    :wait, crawl_delay, min(max(latency * :latency_counts, slowdown), :adaptive)
) DESC LIMIT :limit
"""


def host_groups(db: sqlite3.Connection, now: float) -> list[HostGroup]:
    """Hosts with work that are not due, by what they wait for."""
    return [
        HostGroup(code, bool(parked), bool(slowed), bool(delayed), *numbers)
        for code, parked, slowed, delayed, *numbers in db.execute(_GROUPS, {"now": now})
    ]


def waiting_hosts(
    db: sqlite3.Connection, now: float, limit: int
) -> list[tuple[str, int]]:
    """Hosts that are not due, or have URLs to try again, and their queued URLs."""
    values = {"now": now, "retries": MAX_RETRIES, "limit": limit}
    return db.execute(_HOSTS, values).fetchall()


def names_of_group(
    db: sqlite3.Connection, group: HostGroup, now: float, limit: int
) -> list[str]:
    """The first hosts of the group, those with the longest queues first."""
    values = {
        "now": now,
        "code": group.failure_code,
        "parked": group.parked,
        "slowed": group.slowed,
        "delayed": group.delayed,
        "limit": limit,
    }
    return [name for (name,) in db.execute(_NAMES, values)]


def retry_counts(db: sqlite3.Connection, now: float) -> list[RetryCount]:
    """URLs that wait for another attempt later than `now`, by code."""
    return [RetryCount(*row) for row in db.execute(_RETRIES, (now, MAX_RETRIES))]


def slowest_hosts(
    db: sqlite3.Connection, config: PolitenessConfig, pages_left: int, limit: int
) -> list[HostWork]:
    """The hosts whose queues take longest at the rate that politeness allows."""
    values = {
        "max_parkings": config.max_parkings,
        "pages_left": pages_left,
        "wait": config.wait,
        "latency_counts": config.wait > 0,
        "adaptive": config.max_adaptive_wait if config.adaptive else 0.0,
        "limit": limit,
    }
    return [
        HostWork(name, pages, images, ready_at, HostThrottle(*throttle))
        for name, pages, images, ready_at, *throttle in db.execute(_SLOWEST, values)
    ]
