"""DNS messages: questions, and what an answer says (RFC 1035), by dnspython. No I/O.

A message that does not answer the question exactly is ignored, because an attacker may
send a forged one before the server's answer arrives.
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
"""Addresses used of one name and record type; further ones are ignored."""
PAYLOAD = 1232
"""Size of an answer over UDP (bytes) that no network fragments (DNS Flag Day 2020)."""


class Answer(Struct, frozen=True):
    """A server's answer for one name and record type."""

    result: Literal["addresses", "nodata", "nxdomain", "error", "truncated"]
    """ "nodata": the name exists, but has no address of this type."""
    addresses: tuple[str, ...] = ()
    ttl: int = 0
    """How long the answer is valid (seconds); for negative answers from the SOA."""


class Question:
    """A question for the addresses of `host`; `new_id` returns a random 16-bit number.

    Raises NameNotFound if `host` is not a valid name in the DNS.
    """

    def __init__(
        self, host: str, record_type: RecordType, new_id: Callable[[], int]
    ) -> None:
        try:
            name = dns.name.from_text(host)
            self._query = dns.message.make_query(
                name, record_type, use_edns=0, payload=PAYLOAD, id=new_id()
            )
            self.wire = self._query.to_wire()
        except (dns.exception.DNSException, ValueError):
            raise NameNotFound(f"{host} is not a valid DNS name") from None
        self.record_type = record_type

    def answer(self, data: bytes) -> Answer | None:
        """Parse `data`; None if it is not an answer to this question."""
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
            return Answer("error")
        assert isinstance(message, dns.message.QueryMessage)
        chain = message.resolve_chaining()
        ttl = max(0, min(chain.minimum_ttl, 2**31 - 1))
        if chain.answer is None:
            missing = rcode == dns.rcode.NXDOMAIN
            return Answer("nxdomain" if missing else "nodata", (), ttl)
        found = tuple(dict.fromkeys(record.address for record in chain.answer))
        return Answer("addresses", found[:MAX_ADDRESSES], ttl)
