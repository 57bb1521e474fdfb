"""Values that the frontier's tests are written in."""

from __future__ import annotations

from typing import Any

from crawler.frontier.store import Store
from crawler.model.crawl import Found, Lease, Skip, Want

FAR = Skip("depth", "scope.depth: 3")


def found(
    path: str, want: Want = "page", depth: int = 1, host: str = "a", **more: Any
) -> Found:
    """A Found at https://HOST.example/PATH."""
    kind = "a" if want == "page" else "img"
    return Found(f"https://{host}.example/{path}", kind, want, depth, **more)


def lease_all(store: Store, now: float, limit: int = 100) -> list[Lease]:
    """Everything that can be leased now, host by host, pages first."""
    leases = []
    for host in store.claim(limit, now):
        for want in ("page", "image"):
            leases += store.lease(host.name, want, limit, now)
    return leases


def paths(leases: list[Lease]) -> list[str]:
    return [lease.url.split("/", 3)[3] for lease in leases]
