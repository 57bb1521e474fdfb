"""What each host has cost a crawl so far: pages, bytes and time. No I/O, no clock.

The time of a host is that of its requests and of the pauses that follow them (delays,
Retry-After, back-off); what overlaps counts once. So it does not run while the host
waits for its turn among others, while it is parked, or while no crawl runs.
"""

from __future__ import annotations

from msgspec import Struct


class HostUsage(Struct, frozen=True):
    """The usage of one host.

    The store writes it in the same commit as the results that caused it.
    """

    pages: int = 0
    wire_bytes: int = 0
    """Bodies as they were received: also those that broke off or were not kept."""
    seconds: float = 0.0
    until: float = 0.0
    """The end of the time that is counted, seconds since the epoch."""

    def charged(self, sent_at: float, until: float, wire_bytes: int) -> HostUsage:
        """With one request more, which kept the host busy from `sent_at` to `until`."""
        more = max(0.0, until - max(sent_at, self.until))
        end = max(self.until, until)
        return HostUsage(
            self.pages, self.wire_bytes + wire_bytes, self.seconds + more, end
        )

    def with_page(self) -> HostUsage:
        """With one page more."""
        return HostUsage(self.pages + 1, self.wire_bytes, self.seconds, self.until)


NO_USAGE = HostUsage()
