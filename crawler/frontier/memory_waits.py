"""What the store in memory knows of hosts and URLs that wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from crawler.frontier.memory_rows import HostRow, UrlRow
from crawler.frontier.throttle import Controller
from crawler.frontier.waits import SOON_S, HostGroup, HostWork, RetryCount
from crawler.model.policy_config import PolitenessConfig


def host_groups(hosts: Iterable[HostRow], now: float) -> list[HostGroup]:
    groups: dict[tuple[str, bool, bool, bool], list[HostRow]] = {}
    for host in hosts:
        throttle = host.throttle
        if _waits(host, now):
            key = (
                throttle.failure_code,
                host.parked,
                throttle.slowdown > 0,
                throttle.crawl_delay > 0,
            )
            groups.setdefault(key, []).append(host)
    return [
        HostGroup(
            *key,
            len(group),
            sum(sum(host.waiting.values()) for host in group),
            min(host.ready_at for host in group),
        )
        for key, group in sorted(groups.items())
    ]


def _waits(host: HostRow, now: float) -> bool:
    """Whether it has work and is not due, nor soon if it keeps a delay."""
    soon = 0.0 if host.throttle.failure_code or host.parked else SOON_S
    return host.has_work(images_only=False) and host.ready_at > now + soon


def waiting_hosts(
    hosts: Mapping[str, HostRow],
    later: Iterable[tuple[float, int, UrlRow]],
    now: float,
    limit: int,
) -> list[tuple[str, int]]:
    retries = Counter(url.host for at, _, url in later if at > now)
    found = [
        (name, sum(host.waiting.values()) + retries[name])
        for name, host in hosts.items()
        if retries[name] or _waits(host, now)
    ]
    found.sort(key=lambda one: -one[1])
    return found[:limit]


def retry_counts(
    later: Iterable[tuple[float, int, UrlRow]], now: float
) -> list[RetryCount]:
    moments: dict[str, list[float]] = {}
    for at, _, url in later:
        if at > now:
            moments.setdefault(url.code, []).append(at)
    return [
        RetryCount(code, len(all_of), min(all_of))
        for code, all_of in sorted(moments.items())
    ]


def slowest_hosts(
    hosts: Mapping[str, HostRow], config: PolitenessConfig, pages_left: int, limit: int
) -> list[HostWork]:
    controller = Controller(config)
    found = [
        HostWork(
            name,
            host.waiting["page"],
            host.waiting["image"],
            host.ready_at,
            host.throttle,
        )
        for name, host in hosts.items()
        if host.has_work(images_only=False)
        and not host.parked
        and not controller.given_up(host.throttle)
    ]
    found.sort(
        key=lambda host: (
            -controller.interval(host.throttle)
            * (min(host.pages, pages_left) + host.images)
        )
    )
    return found[:limit]
