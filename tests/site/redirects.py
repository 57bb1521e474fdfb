"""Redirects: chains, loops, odd Locations."""

from __future__ import annotations

from tests.site.page import Handler, Page, ok, raw, reply
from tests.site.server import Exchange


def redirect(exchange: Exchange) -> None:
    """A chain of as many redirects as the path says, which ends at /arrived."""
    left = int(exchange.arg("1"))
    location = f"/redirect/{left - 1}" if left > 1 else "/arrived"
    exchange.reply(status=302, headers=[("Location", location)])


def redirect_status(exchange: Exchange) -> None:
    """One redirect with the status of the path."""
    exchange.reply(status=int(exchange.arg("301")), headers=[("Location", "/arrived")])


def redirect_endless(exchange: Exchange) -> None:
    """Each hop redirects to a new one."""
    number = int(exchange.arg("0"))
    exchange.reply(
        status=302, headers=[("Location", f"/redirect-endless/{number + 1}")]
    )


def cookie_gate(exchange: Exchange) -> None:
    """Sets a cookie and redirects to itself; a client with the cookie gets the page."""
    if "passed=yes" in exchange.hit.headers.get("cookie", ""):
        exchange.reply("<p>welcome")
    else:
        headers = [("Set-Cookie", "passed=yes"), ("Location", "/cookie-gate")]
        exchange.reply(status=302, headers=headers)


def cookie_loop(exchange: Exchange) -> None:
    """Sets another cookie each time, and redirects for ever."""
    cookie = ("Set-Cookie", f"try={len(exchange.site.log)}")
    exchange.reply(status=302, headers=[cookie, ("Location", "/cookie-loop")])


def bounce(exchange: Exchange) -> None:
    """Redirects to a page that sets a cookie and redirects back."""
    if "known=yes" in exchange.hit.headers.get("cookie", ""):
        exchange.reply("<p>welcome back")
    else:
        exchange.reply(status=302, headers=[("Location", "/bounce-login")])


def bounce_login(exchange: Exchange) -> None:
    headers = [("Set-Cookie", "known=yes"), ("Location", "/bounce")]
    exchange.reply(status=302, headers=headers)


def redirect_other_host(exchange: Exchange) -> None:
    """Redirects to another loopback address, which is another host to a client."""
    location = exchange.site.url("/arrived", "127.0.0.2")
    exchange.reply(status=302, headers=[("Location", location)])


def to(location: str, status: int = 302) -> Handler:
    return reply(status=status, headers=(("Location", location),))


def location_raw(location: bytes) -> Handler:
    return raw(
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
        + location
        + b"\r\n\r\n"
    )


REDIRECTED = ok(b"", 302)

PAGES = [
    Page("/arrived", reply("<p>arrived"), ok(b"<p>arrived")),
    Page("/redirect/3", redirect, REDIRECTED),
    *[
        Page(f"/redirect-status/{status}", redirect_status, ok(b"", status))
        for status in (301, 302, 303, 307, 308)
    ],
    Page("/redirect-endless/0", redirect_endless, REDIRECTED),
    Page("/redirect-other-host", redirect_other_host, REDIRECTED),
    Page("/loop", to("/loop"), REDIRECTED),
    Page("/loop-a", to("/loop-b"), REDIRECTED),
    Page("/loop-b", to("/loop-a"), REDIRECTED),
    Page("/cookie-gate", cookie_gate, ok(b"<p>welcome")),
    Page("/cookie-loop", cookie_loop, REDIRECTED),
    Page("/bounce", bounce),
    Page("/bounce-login", bounce_login, REDIRECTED),
    Page(
        "/set-cookie",
        reply("<p>set", headers=(("Set-Cookie", "visit=1; Path=/"),)),
        ok(),
    ),
    Page("/redirect-relative", to("arrived"), REDIRECTED),
    Page("/redirect-scheme-relative", to("//127.0.0.2/arrived"), REDIRECTED),
    Page("/redirect-fragment", to("/arrived#here"), REDIRECTED),
    Page("/redirect-spaces", to("/arrived with spaces"), REDIRECTED),
    Page("/redirect-utf-8", location_raw("/caf\u00e9".encode()), REDIRECTED),
    Page("/redirect-latin-1", location_raw(b"/caf\xe9"), REDIRECTED),
    Page("/redirect-empty", to(""), REDIRECTED),
    Page("/redirect-nowhere", reply(status=302), REDIRECTED),
    Page("/redirect-javascript", to("javascript:alert(1)"), REDIRECTED),
    Page("/redirect-file", to("file:///etc/passwd"), REDIRECTED),
    Page("/redirect-ftp", to("ftp://127.0.0.1/x"), REDIRECTED),
    Page("/redirect-data", to("data:text/html,hi"), REDIRECTED),
    Page(
        "/redirect-metadata", to("http://169.254.169.254/latest/meta-data/"), REDIRECTED
    ),
    Page("/redirect-private", to("http://10.255.255.1/"), REDIRECTED),
    Page("/redirect-long", to("/" + "a" * 20_000), REDIRECTED),
    Page(
        "/redirect-twice",
        reply(status=302, headers=(("Location", "/arrived"), ("Location", "/loop"))),
        REDIRECTED,
    ),
    Page(
        "/redirect-twice-the-same",
        reply(status=302, headers=(("Location", "/arrived"), ("Location", "/arrived"))),
        REDIRECTED,
    ),
    *[
        Page(f"/redirect-as-{status}", to("/arrived", status), ok(b"", status))
        for status in (300, 304, 305, 306, 399)
    ],
    *[
        Page(
            f"/redirect-nowhere-as-{status}",
            reply("<p>choose", status=status),
            ok(status=status),
        )
        for status in (300, 301, 303, 305, 306, 307, 308, 399)
    ],
    Page(
        "/redirect-with-body",
        reply(
            "<a href=/arrived>go</a>", status=302, headers=(("Location", "/arrived"),)
        ),
        ok(b"<a href=/arrived>go</a>", 302),
    ),
]
