"""A cookie, and the request that sets it or sends it. No I/O."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

SameSite = Literal["default", "none", "lax", "strict"]

MAX_COOKIE = 4096
"""Size of name and value together (bytes)."""


class Cookie(Struct, frozen=True):
    """One stored cookie. `expires` and `created` are seconds since the epoch."""

    name: str
    value: str
    domain: str
    """Lower case, without a leading dot; an IPv6 address has no brackets."""
    path: str = "/"
    expires: float | None = None
    """None: kept until the end of the crawl."""
    created: float = 0.0
    host_only: bool = True
    secure: bool = False
    http_only: bool = False
    same_site: SameSite = "default"


class RequestContext(NamedTuple):
    """The parts of a request that decide about its cookies."""

    host: str
    """Serialised (WHATWG), lower case; an IPv6 address has no brackets."""
    path: str
    """The path of the URL; a query after it is ignored."""
    secure: bool
    """Whether the request goes over TLS."""
    initiator: str | None = None
    """`scheme://host` of the page with the link; None for a seed, which has none."""
    subresource: bool = False
    """True for an image, False for a page."""
