"""A lease as the reader of its response, and as the committer sees it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from crawler.frontier.store import Ended
from crawler.model.crawl import Destination, Discovered, Lease, StoredResponse
from crawler.model.link_graph import OutLinks


class OpenLease(Protocol):
    """What a Reader needs of the lease whose response it reads."""

    @property
    def lease(self) -> Lease: ...

    def retry(
        self,
        at: float,
        code: str | None = None,
        detail: str | None = None,
        destination: Destination | None = None,
    ) -> None:
        """As `LeaseHandle.retry`."""
        ...

    def release(self) -> None:
        """As `LeaseHandle.release`."""
        ...


class Unfinished(Protocol):
    """What the committer needs of a lease whose outcome is known."""

    def detach(self) -> None:
        """The worker has done its part; `finish` follows later."""
        ...

    def finish(
        self,
        ended: Ended,
        found: Iterable[Discovered],
        code: str | None,
        detail: str | None,
        stored: StoredResponse | None,
        links: OutLinks | None,
    ) -> int:
        """Finish a lease with its terminal record.

        Returns how many URLs of `found` are new.
        """
        ...
