"""Proxies: which one a URL goes through, and the messages sent to it. No I/O.

    http     http: URLs are requested from the proxy itself (absolute form, RFC 9112
             section 3.2.2); https: URLs use a tunnel (CONNECT, RFC 9110 section 9.3.6)
    socks5   a tunnel for both (RFC 1928, RFC 1929); the client resolves host names
    socks5h  the same, but the proxy resolves host names

Where the proxy resolves names, the address guard cannot see the IP address. It checks
hosts that are written as IP addresses; for all others the proxy is responsible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Literal
from urllib.parse import unquote

from msgspec import Struct

from crawler.fetch.auth.credentials import Credentials, basic
from crawler.fetch.connect.guard import Network
from crawler.fetch.target import Target
from crawler.model.errors import ProxyFailure, UsageError

Scheme = Literal["http", "socks5", "socks5h"]

DIRECT = "direct"
_PORTS: dict[str, int] = {"http": 3128, "socks5": 1080, "socks5h": 1080}
_URL = (
    r"(?ia)(?:([a-z0-9]+)://)?(?:([!-.0->A-~]*)@)?"
    r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?/?"
)


class Proxy(Struct, frozen=True):
    """One proxy. `key` identifies it and does not contain its password."""

    scheme: Scheme
    host: str
    port: int
    credentials: Credentials | None = None

    @property
    def key(self) -> str:
        user = f"{self.credentials.user}@" if self.credentials else ""
        return f"{self.scheme}://{user}{self.host}:{self.port}"

    @property
    def resolves(self) -> bool:
        """Whether the proxy resolves host names, and not the client."""
        return self.scheme != "socks5"

    def tunnels(self, target: Target) -> bool:
        """Whether the proxy tunnels to `target`; otherwise it answers by itself."""
        return self.scheme != "http" or target.secure

    def pool_key(self, target: Target) -> str:
        """The pool key of the connections that may be used for `target`."""
        return f"{self.key} {target.origin}" if self.tunnels(target) else self.key


def parse_proxy(text: str, name: str) -> Proxy:
    """Parse the URL of a proxy, which the setting or variable `name` contains.

    Raises UsageError, whose message contains `name` but never a password.
    """
    match = re.fullmatch(_URL, text.strip())
    if match is None:
        raise UsageError(
            f"{name}: not a valid proxy; write http://HOST:PORT or socks5h://HOST:PORT"
        )
    scheme, userinfo, host, port = match.groups()
    scheme = (scheme or "http").lower()
    if scheme == "socks":
        scheme = "socks5h"
    if scheme not in _PORTS:
        raise UsageError(
            f"{name}: proxies of type {scheme} are not supported; "
            "use http, socks5 or socks5h"
        )
    number = int(port) if port else _PORTS[scheme]
    if not 0 < number < 65536:
        raise UsageError(f"{name}: {number} is not a valid port")
    credentials = None
    if userinfo:
        user, _, password = userinfo.partition(":")
        credentials = Credentials(unquote(user), unquote(password))
        if scheme != "http" and not all(
            len(part.encode()) < 256 for part in (user, password)
        ):
            raise UsageError(
                f"{name}: user and password of a SOCKS proxy are limited to 255 bytes"
            )
    kind: Scheme = (
        "http" if scheme == "http" else "socks5" if scheme == "socks5" else "socks5h"
    )
    return Proxy(kind, host.strip("[]").lower(), number, credentials)


class Proxies:
    """Chooses the proxy for each URL.

    `setting` is a proxy's URL for all requests, "direct" for no proxy, or "" for the
    variables of `environ`: `http_proxy` (lower case only, because the caller of a CGI
    script can set HTTP_PROXY), `https_proxy`, `all_proxy` and `no_proxy`. Requests to
    this machine do not use the proxies of the environment. `exceptions` replaces
    `no_proxy` unless it is empty.
    """

    def __init__(
        self, setting: str, exceptions: Iterable[str], environ: Mapping[str, str]
    ) -> None:
        self._by_scheme: dict[bool, Proxy | None] = {True: None, False: None}
        self._bypass_loopback = not setting
        if setting and setting != DIRECT:
            both = parse_proxy(setting, "http.proxy")
            self._by_scheme = {True: both, False: both}
        elif not setting:
            for secure, names in _VARIABLES.items():
                self._by_scheme[secure] = _first(names, environ)
        written = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        self._exceptions = [
            _Exception(entry) for entry in exceptions or re.split(r"[\s,]+", written)
        ]

    def __bool__(self) -> bool:
        return any(self._by_scheme.values())

    def choose(self, target: Target) -> Proxy | None:
        """The proxy for `target`; None for a direct connection."""
        proxy = self._by_scheme[target.secure]
        if proxy is None or (self._bypass_loopback and _is_loopback(target.host)):
            return None
        if any(exception.covers(target) for exception in self._exceptions):
            return None
        return proxy


_VARIABLES = {
    False: ("http_proxy", "all_proxy", "ALL_PROXY"),
    True: ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
}


def _first(names: Iterable[str], environ: Mapping[str, str]) -> Proxy | None:
    for name in names:
        if text := environ.get(name):
            return parse_proxy(text, f"environment {name}")
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class _Exception:
    """An entry of no_proxy.

    It is `*`, a domain (with or without a leading dot), an IP address or a network, and
    may end in `:PORT`.
    """

    def __init__(self, entry: str) -> None:
        match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?", entry)
        host, port = match.groups() if match else (entry, None)  # an IPv6 address
        self._port = int(port) if port else None
        self._domain = host.strip("[]").lower().removeprefix("*.").strip(".")
        self._network: Network | None = None
        with suppress(ValueError):
            self._network = ip_network(self._domain, strict=False)

    def covers(self, target: Target) -> bool:
        if self._port not in (None, target.port):
            return False
        if self._domain == "*":
            return True
        if self._network is not None:
            try:
                return ip_address(target.host) in self._network
            except ValueError:
                return False
        return bool(self._domain) and f".{target.host}".endswith("." + self._domain)


# -- messages to a proxy


def proxy_authorization(proxy: Proxy) -> str | None:
    """The value of Proxy-Authorization; None without credentials.

    It is sent without waiting for a challenge, because the user gave the credentials
    for this proxy.
    """
    return basic(proxy.credentials) if proxy.credentials else None


def connect_head(proxy: Proxy, host: str, port: int, user_agent: str) -> bytes:
    """The CONNECT request for a tunnel to `host`:`port`."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [
        f"CONNECT {authority} HTTP/1.1",
        f"Host: {authority}",
        f"User-Agent: {user_agent}",
    ]
    if (authorization := proxy_authorization(proxy)) is not None:
        lines.append(f"Proxy-Authorization: {authorization}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def socks_greeting(proxy: Proxy) -> bytes:
    """Offer no authentication, and user and password if there are any (RFC 1928, 3)."""
    return b"\x05\x02\x00\x02" if proxy.credentials else b"\x05\x01\x00"


def socks_login(credentials: Credentials) -> bytes:
    """The username/password request (RFC 1929 section 2)."""
    user, password = credentials.user.encode(), credentials.password.encode()
    return b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password


def socks_request(host: str, port: int) -> bytes:
    """The request to connect to `host`, a name or an address (RFC 1928 section 4)."""
    try:
        address = ip_address(host)
        where = (b"\x01" if address.version == 4 else b"\x04") + address.packed
    except ValueError:
        name = host.encode("ascii")
        if len(name) > 255:
            raise ProxyFailure("the host name is too long for SOCKS") from None
        where = b"\x03" + bytes([len(name)]) + name
    return b"\x05\x01\x00" + where + port.to_bytes(2, "big")


SOCKS_REPLIES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live exceeded",
    7: "command not supported",
    8: "address type not supported",
}
