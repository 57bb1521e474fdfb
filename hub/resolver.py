"""Names to addresses: numeric addresses at once, names in threads and cached.

Two greenlets that ask for the same name share one query. `Network` makes the sockets of
a hub and resolves its names; `use_network` replaces the operating system's by the
simulated network of ``hub.testing``.
"""

import socket
from collections.abc import Callable
from functools import cached_property
from socket import socket as StandardSocket  # the original, also while it is patched
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hub.current import get_hub
from hub.event import AsyncResult
from hub.hub import Hub

if TYPE_CHECKING:
    from hub.threadpool import ThreadPool

__all__ = [
    "NameResolver",
    "Network",
    "Resolver",
    "SystemNetwork",
    "is_numeric",
    "network_of",
    "use_network",
]

T = TypeVar("T")

AddressInfo = tuple[Any, Any, int, str, Any]
_Key = tuple[Any, ...]

_TTL, _NEGATIVE_TTL, _MAX_NAMES = 60.0, 5.0, 10_000


def is_numeric(host: str | bytes) -> bool:
    """Whether ``host`` is an IPv4 or IPv6 address, with or without a scope."""
    text = host.decode("latin-1") if isinstance(host, bytes | bytearray) else host
    if ":" in text:
        text = text.partition("%")[0]
        return _parses(socket.AF_INET6, text)
    return _parses(socket.AF_INET, text)


def _parses(family: int, text: str) -> bool:
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):
        return False
    return True


class Resolver:
    """The system's resolver in native threads, behind a cache.

    ``lookup`` is the blocking function that resolves. ``ttl`` and ``negative_ttl`` are
    how long an answer and a failure are kept (s); getaddrinfo does not return the TTL
    of the record itself. ``threads`` is the bound on threads.
    """

    def __init__(
        self,
        lookup: Callable[..., list[AddressInfo]] = socket.getaddrinfo,
        threads: int = 16,
        ttl: float = _TTL,
        negative_ttl: float = _NEGATIVE_TTL,
    ) -> None:
        self._hub = get_hub()
        self._lookup = lookup
        self._max_threads = threads
        self._ttl = ttl
        self._negative_ttl = negative_ttl
        self._cache: dict[_Key, tuple[float, list[AddressInfo] | OSError]] = {}
        self._queries: dict[_Key, AsyncResult[list[AddressInfo]]] = {}
        self.hits = 0
        self.misses = 0

    @cached_property
    def _threads(self) -> "ThreadPool":
        # It loads concurrent.futures, which a program without names does not need.
        from hub.threadpool import ThreadPool

        return ThreadPool(self._max_threads)

    def getaddrinfo(
        self,
        host: str | bytes | None,
        port: str | bytes | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[AddressInfo]:
        """As ``socket.getaddrinfo``; raises the same OSErrors."""
        if not host or is_numeric(host):
            return list(self._lookup(host, port, family, type, proto, flags))
        key = (host, port, family, type, proto, flags)
        expires, answer = self._cache.get(key, (-1.0, []))
        if expires > self._hub.loop.now():
            self.hits += 1
        else:
            self.misses += 1
            answer = self._query(key)
        if isinstance(answer, OSError):
            raise answer.__class__(*answer.args)
        return list(answer)

    def _query(self, key: _Key) -> list[AddressInfo] | OSError:
        """Query in a thread, or wait for the query that is under way."""
        query = self._queries.get(key)
        if query is None:
            query = self._queries[key] = self._threads.submit(self._lookup, *key)
            query.rawlink(lambda answered: self._store(key, answered))
        query.wait()
        error = query.exception
        return error if isinstance(error, OSError) else query.get()

    def _store(self, key: _Key, query: AsyncResult[list[AddressInfo]]) -> None:
        """Keep the answer of a query that has ended."""
        del self._queries[key]
        if len(self._cache) >= _MAX_NAMES:
            self._cache.clear()
        now = self._hub.loop.now()
        if isinstance(query.exception, OSError):
            self._cache[key] = (now + self._negative_ttl, query.exception)
        elif query.successful():
            self._cache[key] = (now + self._ttl, query.get())

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call another blocking look-up in a thread, without the cache."""
        return self._threads.submit(function, *args).get()

    def statistics(self) -> dict[str, int]:
        """How many names are cached, queries run, and calls hit or missed the cache."""
        return {
            "names": len(self._cache),
            "queries": len(self._queries),
            "hits": self.hits,
            "misses": self.misses,
        }


class NameResolver(Protocol):
    """The part of a network that resolves names."""

    def getaddrinfo(
        self,
        host: str | bytes | None,
        port: str | bytes | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[AddressInfo]: ...

    def call(self, function: Callable[..., T], *args: Any) -> T: ...


class Network(Protocol):
    """Makes the sockets of a hub, and resolves its names."""

    resolver: NameResolver

    def socket(self, family: int, type: int, proto: int, fileno: int | None) -> Any:
        """Make a non-blocking socket, or an object with the same calls."""
        ...


class SystemNetwork:
    """The real network: sockets of the operating system, names from `Resolver`."""

    def __init__(self) -> None:
        self.resolver: NameResolver = Resolver()

    def socket(
        self, family: int, type: int, proto: int, fileno: int | None
    ) -> StandardSocket:
        """Make a non-blocking socket."""
        if fileno is None:
            return StandardSocket(family, type | socket.SOCK_NONBLOCK, proto)
        adopted = StandardSocket(family, type, proto, fileno)
        adopted.setblocking(False)
        return adopted


def network_of(hub: Hub) -> Network:
    """Return the network of ``hub``: the system's, unless `use_network` set another."""
    return hub.service(SystemNetwork)


def use_network(hub: Hub, network: Network) -> None:
    """Let the sockets that ``hub`` makes from now on belong to ``network``."""
    hub.services[SystemNetwork] = network
