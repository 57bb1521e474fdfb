"""What each host has cost a crawl so far: pages, bytes and time. No I/O, no clock.

A host's time is that of its requests and of the pauses it is owed after them (delays,
Retry-After, back-off); what overlaps counts once. So it does not run while the host
waits for its place among others, while it is parked, or while nobody crawls.
"""

from __future__ import annotations

from msgspec import Struct


class HostUsage(Struct, frozen=True):
    """The account of one host; the store keeps it, in the commit of what it was spent
    on."""

    pages: int = 0
    wire_bytes: int = 0
    """Of bodies, as they were received: also of those that broke off or were not
    kept."""
    seconds: float = 0.0
    until: float = 0.0
    """The end of the time that is booked, epoch seconds."""

    def charged(self, sent_at: float, until: float, wire_bytes: int) -> HostUsage:
        """With one request more, which kept the host busy from `sent_at` to `until`."""
        more = max(0.0, until - max(sent_at, self.until))
        end = max(self.until, until)
        return HostUsage(
            self.pages, self.wire_bytes + wire_bytes, self.seconds + more, end
        )

    def with_page(self) -> HostUsage:
        return HostUsage(self.pages + 1, self.wire_bytes, self.seconds, self.until)


NO_USAGE = HostUsage()
