"""A lease as the reader of its response sees it: it may go back to the queue."""

from __future__ import annotations

from typing import Protocol

from crawler.model.crawl import Destination, Lease


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
