"""Settings of a crawl that are changed while its machines run.

They are at the exchange, with a revision. Each machine looks for a later one, writes it
into its folder, and begins its processes anew, which take them as a resume does. A
server that has lost its data, or has older data, is told the revision by each machine.
"""

from __future__ import annotations

from typing import Protocol

from crawler.fleet.exchange_server import SharedCrawl
from crawler.model.errors import StateError


class SettingsServer(Protocol):
    """The part of the server that knows the settings."""

    def run_id(self) -> str | None: ...

    def revision(self) -> int: ...

    def crawl(self) -> SharedCrawl | None: ...

    def steer(self, crawl: SharedCrawl) -> bool: ...


def has_crawl(server: SettingsServer, crawl: SharedCrawl) -> bool:
    """Whether the server has the crawl. Raises StateError if it has another one."""
    run_id = server.run_id()
    if run_id not in (None, crawl.run_id):
        raise StateError(
            "the exchange has another crawl of this name by now; this one goes on "
            "when it is back there"
        )
    return run_id is not None


def newer_settings(server: SettingsServer, crawl: SharedCrawl) -> SharedCrawl | None:
    """The crawl as it was changed since `crawl`; None if it was not."""
    revision = server.revision()
    if revision < crawl.revision:
        server.steer(crawl)
    if revision <= crawl.revision:
        return None
    newer = server.crawl()
    return newer if newer is not None and newer.run_id == crawl.run_id else None
