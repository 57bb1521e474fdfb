"""The address of an exchange: `valkey://HOST[:PORT]/CRAWL`. No I/O.

`redis://` is the same server protocol; `valkeys://` and `rediss://` are over TLS. USER
and PASSWORD may stand before HOST. `?db=N` names a database of the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from crawler.model.errors import UsageError

PASSWORD = "ORBWEB_EXCHANGE_PASSWORD"
"""The variable of the environment that may hold the password.

An argument of a program can be seen by all users of a machine.
"""
PORT = 6379
_SCHEMES = {"valkey": False, "redis": False, "valkeys": True, "rediss": True}
_is_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}").fullmatch


class Address(Struct, frozen=True):
    """Where the exchange of a crawl is."""

    host: str
    port: int
    crawl: str
    tls: bool = False
    user: str = ""
    password: str = ""
    db: int = 0

    def __str__(self) -> str:
        """The address as it is shown and stored: without the password."""
        scheme = "valkeys" if self.tls else "valkey"
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        db = f"?db={self.db}" if self.db else ""
        return f"{scheme}://{user}{host}:{self.port}/{self.crawl}{db}"


def parse_address(text: str, environ: Mapping[str, str]) -> Address:
    """The address; its password may be in `environ`. Raises UsageError."""
    try:
        parts = urlsplit(text)
        tls, host, port = _SCHEMES[parts.scheme], parts.hostname, parts.port
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        db = int(options.pop("db", "0"))
    except (KeyError, ValueError):
        host = None
    name = parts.path.removeprefix("/") if host else ""
    if not host or options or db < 0 or not _is_name(name):
        raise UsageError(
            f"--exchange: expected valkey://HOST[:PORT]/CRAWL ({_shown(text)}); CRAWL "
            "is a name of letters, digits and . _ -, and valkeys:// is over TLS"
        )
    address = Address(
        host,
        PORT if port is None else port,
        name,
        tls,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        db,
    )
    if not address.password:
        address = replace(address, password=environ.get(PASSWORD, ""))
    return address


def _shown(text: str) -> str:
    """The text without what may be a password."""
    return re.sub(r"//[^/]*@", "//...@", text)
