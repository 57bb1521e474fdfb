"""Values that the frontier's tests are written in."""

from __future__ import annotations

from typing import Any

from crawler.frontier.store import Store
from crawler.model.crawl import Destination, Discovered, Lease, Skip

FAR = Skip("depth", "scope.depth: 3")


def found(
    path: str,
    destination: Destination = "page",
    depth: int = 1,
    host: str = "a",
    **more: Any,
) -> Discovered:
    """A discovered URL, https://HOST.example/PATH."""
    kind = "a" if destination == "page" else "img"
    return Discovered(
        f"https://{host}.example/{path}", kind, destination, depth, **more
    )


def lease_all(store: Store, now: float, limit: int = 100) -> list[Lease]:
    """Everything that can be leased now, host by host, pages first."""
    leases = []
    for host in store.claim(limit, now):
        for destination in ("page", "image"):
            leases += store.lease(host.name, destination, limit, now)
    return leases


def paths(leases: list[Lease]) -> list[str]:
    return [lease.url.split("/", 3)[3] for lease in leases]
