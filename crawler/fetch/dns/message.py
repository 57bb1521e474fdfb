"""Questions to a name server and what its answers say (RFC 1035), by dnspython. No I/O.

What is no answer to the question that was asked is not an answer at all: somebody on
the way may send one faster than the server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from msgspec import Struct

from crawler.model.errors import NameNotFound

RecordType = Literal["A", "AAAA"]

MAX_ADDRESSES = 16
"""Of one name and kind; the rest is not looked at."""
PAYLOAD = 1232
"""Bytes of an answer over UDP that pass every network unbroken (DNS Flag Day 2020)."""


class Answer(Struct, frozen=True):
    """What a server said of one name and kind."""

    said: Literal["addresses", "nothing", "nxdomain", "failure", "truncated"]
    """ "nothing": the name is there, and has no address of this kind."""
    addresses: tuple[str, ...] = ()
    ttl: int = 0
    """How long it may be believed, seconds; for the two negative ones by the zone's
    SOA."""


class Question:
    """One question. `number` makes an unguessable 16-bit integer."""

    def __init__(self, host: str, kind: RecordType, number: Callable[[], int]) -> None:
        """Raises NameNotFound for what can't be a name in the DNS."""
        try:
            name = dns.name.from_text(host)
            self._query = dns.message.make_query(
                name, kind, use_edns=0, payload=PAYLOAD, id=number()
            )
            self.wire = self._query.to_wire()
        except (dns.exception.DNSException, ValueError):
            raise NameNotFound(f"{host} is no name that the DNS can hold") from None
        self.kind = kind

    def answer(self, data: bytes) -> Answer | None:
        """What `data` says; None if it is no answer to this question."""
        try:
            message = dns.message.from_wire(data, ignore_trailing=True)
            if not self._query.is_response(message):
                return None
            if message.flags & dns.flags.TC:
                return Answer("truncated")
            return self._read(message)
        except (dns.exception.DNSException, ValueError, NotImplementedError):
            return None

    def _read(self, message: dns.message.Message) -> Answer | None:
        rcode = message.rcode()
        if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return Answer("failure")
        assert isinstance(message, dns.message.QueryMessage)
        chain = message.resolve_chaining()
        ttl = max(0, min(chain.minimum_ttl, 2**31 - 1))
        if chain.answer is None:
            return Answer(
                "nxdomain" if rcode == dns.rcode.NXDOMAIN else "nothing", (), ttl
            )
        found = tuple(dict.fromkeys(record.address for record in chain.answer))
        return Answer("addresses", found[:MAX_ADDRESSES], ttl)
