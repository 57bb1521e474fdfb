"""Which cookies belong to a request (RFC 6265bis sections 5.1 to 5.2, 5.8). No I/O."""

from __future__ import annotations

from crawler.fetch.cookies.cookie import Cookie, RequestContext
from crawler.model.url import registrable_domain


def is_sent(cookie: Cookie, request: RequestContext, cross_site: bool) -> bool:
    """Whether `cookie` is sent with `request`; `cross_site`: see `is_same_site`."""
    if cookie.host_only:
        if cookie.domain != request.host:
            return False
    elif not domain_matches(cookie.domain, request.host):
        return False
    if cookie.secure and not request.secure:
        return False
    restricted = request.subresource or cookie.same_site == "strict"
    if cross_site and restricted and cookie.same_site != "none":
        return False
    return path_matches(request.path.partition("?")[0], cookie.path)


def is_same_site(request: RequestContext) -> bool:
    """Whether `request` and its initiator share scheme and registrable domain.

    This is "schemeful same-site" (section 5.2). A request without an initiator is
    same-site.
    """
    if request.initiator is None:
        return True
    scheme, _, host = request.initiator.partition("://")
    if (scheme == "https") != request.secure:
        return False
    return cookie_domain(host) == cookie_domain(request.host)


def domain_matches(domain: str, host: str) -> bool:
    """Whether `host` is `domain` or a name below it (section 5.1.3)."""
    if domain == host:
        return True
    return host.endswith("." + domain) and not is_ip_address(host)


def path_matches(path: str, cookie_path: str) -> bool:
    """Whether `path` is `cookie_path` or lies below it (section 5.1.4)."""
    if not path.startswith(cookie_path):
        return False
    return (
        len(path) == len(cookie_path)
        or cookie_path.endswith("/")
        or path[len(cookie_path)] == "/"
    )


def default_path(path: str) -> str:
    """The folder of `path`: "/a" for "/a/b?c" (section 5.1.4)."""
    folder = path.partition("?")[0].rpartition("/")[0]
    return folder if folder.startswith("/") else "/"


def cookie_domain(host: str) -> str:
    """The registrable domain of `host`, or `host` itself where there is none."""
    return host if is_ip_address(host) else registrable_domain(host) or host


def is_ip_address(host: str) -> bool:
    """Whether a serialised host is an IP address."""
    # The last label of a serialised host name is never a number (WHATWG URL, "ends in
    # a number checker").
    return ":" in host or host.rpartition(".")[2].isdigit()
