"""The robots.txt of an origin as the state keeps it, and what it says of a URL. No I/O."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from crawler.policy.robots_txt import parse


class Fetched(Struct, frozen=True):
    """A robots.txt as it is kept in the store; no body: nothing is forbidden."""

    expires_at: float
    body: bytes | None


def recorded(note: bytes, url: str, agent: str) -> tuple[bool, str, float]:
    """What a note of the gate says of `url`: allowed or not, by which line, until
    when."""
    fetched = msgspec.msgpack.decode(note, type=Fetched)
    if fetched.body is None:
        return True, "robots.txt: there is none", fetched.expires_at
    return *parse(fetched.body, agent).allowed(url), fetched.expires_at
