"""The timeline of one request: its stage, for errors, and its phases. No I/O."""

from __future__ import annotations

from crawler.model.http import Peer, Response, Spool, Timings


class RequestTimeline:
    """Filled in as the request proceeds: times in seconds, phases in milliseconds."""

    __slots__ = (
        "broken", "connect_ms", "dns_ms", "first_byte", "head", "held", "peer",
        "response_head", "sent", "spooled", "stage", "started", "tls_ms", "transferred",
        "wire_bytes",
    )  # fmt: skip

    def __init__(self, now: float) -> None:
        self.held = 0
        """Bytes of the body received on earlier connections."""
        self.broken: Response | None = None
        """The beginning of a response whose connection broke in the body."""
        self.wire_bytes = 0
        """Body bytes received in all exchanges."""
        self.stage = "request"
        """One of dns, connect, tls, request, headers, body."""
        self.started = now
        self.sent: float | None = None
        self.first_byte: float | None = None
        self.dns_ms: int | None = None
        self.connect_ms: int | None = None
        self.tls_ms: int | None = None
        self.head = b""
        # Filled in for listeners only:
        self.peer: Peer | None = None
        self.response_head = b""
        self.transferred: bytes | None = None
        self.spooled: Spool | None = None

    def restart(self) -> None:
        """Begin another exchange for the same request."""
        self.stage = "request"
        self.broken = None
        self.sent = self.first_byte = None
        self.dns_ms = self.connect_ms = self.tls_ms = None
        self.head = self.response_head = b""
        self.peer = self.transferred = self.spooled = None

    def timings(self, now: float) -> Timings:
        """The phases of a request that has ended."""
        return Timings(
            round((now - self.started) * 1000),
            self.dns_ms,
            self.connect_ms,
            self.tls_ms,
            _ms(self.sent, self.first_byte),
            _ms(self.first_byte, now),
        )


def _ms(start: float | None, end: float | None) -> int | None:
    return None if start is None or end is None else round((end - start) * 1000)
