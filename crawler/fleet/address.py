"""The address of an exchange: `valkey://HOST[:PORT]/CRAWL`. No I/O.

Of a cluster several nodes may be named, `HOST:PORT,HOST:PORT`: any of them leads to it.
`redis://` is the same server protocol; `valkeys://` and `rediss://` are over TLS. USER
and PASSWORD may stand before HOST, once. `?db=N` names a database of the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from crawler.model.errors import UsageError

PASSWORD = "ORBWEB_EXCHANGE_PASSWORD"
"""The variable of the environment that may hold the password.

An argument of a program can be seen by all users of a machine.
"""
PORT = 6379
_SCHEMES = {"valkey": False, "redis": False, "valkeys": True, "rediss": True}
_is_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}").fullmatch


class Node(NamedTuple):
    """A server, or a node of a cluster."""

    host: str
    port: int

    @property
    def where(self) -> str:
        """The node as an address has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Address(Struct, frozen=True):
    """Where the exchange of a crawl is."""

    nodes: tuple[Node, ...]
    """One, or several of a cluster."""
    crawl: str
    tls: bool = False
    user: str = ""
    password: str = ""
    db: int = 0

    @property
    def where(self) -> str:
        """Its nodes, as messages name them."""
        return ",".join(node.where for node in self.nodes)

    def __str__(self) -> str:
        """The address as it is shown and stored: without the password."""
        scheme = "valkeys" if self.tls else "valkey"
        user = f"{self.user}@" if self.user else ""
        db = f"?db={self.db}" if self.db else ""
        return f"{scheme}://{user}{self.where}/{self.crawl}{db}"


def parse_address(text: str, environ: Mapping[str, str]) -> Address:
    """The address; its password may be in `environ`. Raises UsageError."""
    try:
        parts = urlsplit(text)
        tls = _SCHEMES[parts.scheme]
        login, _, hosts = parts.netloc.rpartition("@")
        nodes = tuple(map(_node, hosts.split(",")))
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        db = int(options.pop("db", "0"))
        name = parts.path.removeprefix("/")
        user, _, password = login.partition(":")
        # all nodes have the same users, so that one is named before all of them
        is_each = "," in user or ("," in password and "@" in password)
        if options or db < 0 or is_each or not _is_name(name):
            raise ValueError
    except (KeyError, ValueError):
        raise UsageError(
            f"--exchange: expected valkey://HOST[:PORT]/CRAWL ({_shown(text)}); CRAWL "
            "is a name of letters, digits and . _ -, valkeys:// is over TLS, and of a "
            "cluster several may be named: HOST:PORT,HOST:PORT"
        ) from None
    password = unquote(password) or environ.get(PASSWORD, "")
    return Address(nodes, name, tls, unquote(user), password, db)


def _node(text: str) -> Node:
    """The node at `HOST[:PORT]`. Raises ValueError."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.netloc != text:
        raise ValueError
    return Node(parts.hostname, PORT if parts.port is None else parts.port)


def _shown(text: str) -> str:
    """The text without what may be a password."""
    return re.sub(r"//[^/]*@", "//...@", text)
