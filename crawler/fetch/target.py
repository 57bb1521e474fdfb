"""The target of a request, parsed from its URL. No I/O."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from crawler.model.errors import ProtocolFailure

# Serialised URLs only (WHATWG): ASCII, lower-case host, no default port. Only visible
# characters may reach the request line, because a space or a line end would split it.
URL = re.compile(
    r"(https?)://(?:([!-.0->A-~]*)@)?"
    r"((\[[0-9a-f:.]+\]|[!-.0-9;-?A-Z^-~]+)(?::(\d{1,5}))?)"
    r"(/[!-\"$-~]*)(?:#.*)?"
)


class Target(Struct, frozen=True):
    """Where a request goes."""

    origin: str
    """`scheme://host[:port]`; also the key of reusable connections."""
    secure: bool
    host: str
    """Host name or IP address; an IPv6 address has no brackets."""
    port: int
    authority: str
    """The value of the Host header."""
    path: str
    """Path and query: the request target in origin form."""
    userinfo: str | None


def parse_target(url: str) -> Target:
    """Parse a serialised http or https URL.

    Raises ProtocolFailure (stage request) for anything else.

    >>> parse_target("http://a.example:8080/x?y").authority
    'a.example:8080'
    """
    end = url.find("/", _FIRST_SLASH)
    path = url[end:]
    visible = path.isascii() and path.isprintable() and " " not in path
    if not visible or end < 0 or "#" in path:
        return _parsed(url)
    server = _server(url[: end + 1])
    return Target(
        server.origin, server.secure, server.host, server.port, server.authority, path,
        server.userinfo,
    )  # fmt: skip


_FIRST_SLASH = len("http://a")
"""Where the path begins at the earliest."""


def _parsed(url: str) -> Target:
    match = URL.fullmatch(url)
    if match is None:  # do not show the URL: it may contain a password
        raise ProtocolFailure("not a serialised http or https URL", stage="request")
    scheme, userinfo, authority, host, port, path = match.groups()
    if port and int(port) > 65535:
        raise ProtocolFailure(f"{port} is not a valid port", stage="request")
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


_server = lru_cache(maxsize=256)(_parsed)
"""`_parsed` for the root of a server, which most requests have in common."""
