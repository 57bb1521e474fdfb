"""Where a request goes, read off its URL. No I/O."""

from __future__ import annotations

import re

from msgspec import Struct

from crawler.model.errors import ProtocolFailure

# Serialised URLs only (WHATWG): ASCII, lower-case host, no default port. Nothing
# outside of the visible characters may reach the request line, where a space or line
# end would split it.
URL = re.compile(
    r"(https?)://(?:([!-.0->A-~]*)@)?((\[[0-9a-f:.]+\]|[!-.0-9;-?A-Z^-~]+)(?::(\d{1,5}))?)"
    r"(/[!-\"$-~]*)(?:#.*)?"
)


class Target(Struct, frozen=True):
    """Where a request goes."""

    origin: str
    """`scheme://host[:port]`: the key of connections that may be used again."""
    secure: bool
    host: str
    """Name or address, an IPv6 address without its brackets."""
    port: int
    authority: str
    """As in the Host header."""
    path: str
    """With the query: the request target in origin form."""
    userinfo: str | None


def parse_target(url: str) -> Target:
    """Take the serialised http(s) URL apart. Raises ProtocolFailure (stage request) if
    it is none.

    >>> parse_target("http://a.example:8080/x?y").authority
    'a.example:8080'
    """
    match = URL.fullmatch(url)
    if match is None:  # nothing of the URL is shown: it may hold a password
        raise ProtocolFailure("not a serialised http or https URL", stage="request")
    scheme, userinfo, authority, host, port, path = match.groups()
    if port and int(port) > 65535:
        raise ProtocolFailure(f"there is no port {port}", stage="request")
    secure = scheme == "https"
    return Target(
        f"{scheme}://{authority}",
        secure,
        host.strip("[]"),
        int(port) if port else 443 if secure else 80,
        authority,
        path,
        userinfo,
    )
