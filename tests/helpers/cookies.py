"""Cookie jars and requests for tests, made from URLs."""

from __future__ import annotations

from urllib.parse import urlsplit

from crawler.fetch.cookies.cookie import RequestContext
from crawler.fetch.cookies.jar import CookieJar

NOW = 1_700_000_000.0
"""The time at which the cookies are set (seconds since the epoch)."""


def request(url: str, by: str | None = None, image: bool = False) -> RequestContext:
    """A request for `url`, whose link was found on the page `by`."""
    parts = urlsplit(url)
    initiator = by and f"{urlsplit(by).scheme}://{urlsplit(by).hostname}"
    return RequestContext(
        parts.hostname or "",
        parts.path or "/",
        parts.scheme == "https",
        initiator,
        image,
    )


def jar_of(*values: str, url: str = "https://a.example/") -> CookieJar:
    """A jar with the cookies that a response of `url` set."""
    jar = CookieJar()
    jar.receive(values, request(url), NOW)
    return jar


def sent(jar: CookieJar, url: str, later: float = 0.0) -> str | None:
    """The Cookie header of a request for `url`, `later` seconds after NOW."""
    return jar.header(request(url), NOW + later)
