"""Parses the value of a Set-Cookie field (RFC 6265bis sections 5.6 and 5.7). No I/O."""

from __future__ import annotations

import re

from crawler.fetch.cookies.cookie import MAX_COOKIE, Cookie, RequestContext, SameSite
from crawler.fetch.cookies.date import parse_date
from crawler.fetch.cookies.matching import (
    default_path,
    domain_matches,
    is_ip_address,
    is_same_site,
)
from crawler.model.url import registrable_domain

MAX_ATTRIBUTE = 1024
"""Size of an attribute's value (characters); a longer attribute is ignored."""
MAX_AGE_S = 400 * 86400
"""Longest lifetime (seconds); longer ones are cut to it (section 5.5)."""

_PAST = -(2.0**53)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_WSP = " \t"
_MAX_AGE = re.compile(r"-?\d+", re.ASCII)
_SAME_SITE: dict[str, SameSite] = {"none": "none", "lax": "lax", "strict": "strict"}


def parse_set_cookie(value: str, request: RequestContext, now: float) -> Cookie | None:
    """The cookie that `value` sets in the response to `request`.

    `now`: seconds since the epoch. Returns None if the value is malformed or if this
    host may not set the cookie.
    """
    if _CONTROL.search(value):
        return None
    pair, _, rest = value.partition(";")
    name, equals, content = pair.partition("=")
    if not equals:
        name, content = "", pair
    name, content = name.strip(_WSP), content.strip(_WSP)
    if not (name or content) or len(name) + len(content) > MAX_COOKIE:
        return None
    attributes = _attributes(rest)
    domain = _domain(attributes.get("domain", ""), request.host)
    if domain is None:
        return None
    path = attributes.get("path", "")
    cookie = Cookie(
        name,
        content,
        domain or request.host,
        path if path.startswith("/") else default_path(request.path),
        _expiry(attributes, now),
        now,
        host_only=not domain,
        secure="secure" in attributes,
        http_only="httponly" in attributes,
        same_site=_SAME_SITE.get(attributes.get("samesite", "").lower(), "default"),
    )
    return cookie if _is_acceptable(cookie, request, "path" in attributes) else None


def _attributes(text: str) -> dict[str, str]:
    """Attribute values by lower-case name; the last attribute of a name wins.

    An Expires or a Max-Age that can't be parsed is ignored.
    """
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        name, value = name.strip(_WSP).lower(), value.strip(_WSP)
        if len(value) > MAX_ATTRIBUTE or not name:
            continue
        if name == "expires" and parse_date(value) is None:
            continue
        if name == "max-age" and not _MAX_AGE.fullmatch(value):
            continue
        found[name] = value
    return found


def _domain(attribute: str, host: str) -> str | None:
    """The domain that a Domain attribute sets the cookie for.

    "" means that the cookie is for `host` alone, None that it must be rejected.
    """
    domain = attribute.removeprefix(".").lower()
    if not domain:
        return ""
    if not domain.isascii() or not domain_matches(domain, host):
        return None
    if is_ip_address(domain) or registrable_domain(domain) is None:  # or public suffix
        return "" if domain == host else None
    return domain


def _expiry(attributes: dict[str, str], now: float) -> float | None:
    """The expiry (seconds since the epoch); Max-Age takes precedence over Expires."""
    if "max-age" in attributes:
        seconds = attributes["max-age"]
        if seconds.startswith("-") or not seconds.strip("0"):
            return _PAST
        # Converting a number of thousands of digits would take too long.
        return now + (MAX_AGE_S if len(seconds) > 12 else min(int(seconds), MAX_AGE_S))
    if "expires" in attributes:
        moment = parse_date(attributes["expires"])
        assert moment is not None
        return float(min(moment, now + MAX_AGE_S))
    return None


def _is_acceptable(cookie: Cookie, request: RequestContext, has_path: bool) -> bool:
    """Check Secure, SameSite and the name prefixes `__Secure-` and `__Host-`."""
    if cookie.secure and not request.secure:
        return False
    if cookie.same_site == "none":
        if not cookie.secure:
            return False
    elif request.subresource and not is_same_site(request):
        return False
    label = (cookie.name or cookie.value).lower()
    if not label.startswith(("__secure-", "__host-")):
        return True
    if not cookie.name or not cookie.secure:
        return False
    is_host = label.startswith("__host-")
    return not is_host or (cookie.host_only and has_path and cookie.path == "/")
