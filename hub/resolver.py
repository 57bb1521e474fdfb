"""Names to addresses: numeric ones at once, others in threads, cached, one flight a
name.

`Network` is what the sockets of a hub are made of and what resolves its names; the
simulated network of ``hub.testing`` takes the place of the system's by `use_network`.
"""

import socket
from collections.abc import Callable
from functools import cached_property
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
    """Whether ``host`` is an IPv4 or IPv6 address (with a scope, too) and needs no
    resolver."""
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
    """The system's resolver in threads, behind a cache.

    ``lookup`` is the blocking function that does it. Times in seconds: ``ttl`` for
    answers (getaddrinfo does not tell the record's own), ``negative_ttl`` for failures.
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
        from hub.threadpool import (
            ThreadPool,  # with concurrent.futures: not for addresses
        )

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
        """As ``socket.getaddrinfo``; raises its OSErrors."""
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
        """Ask a thread, or wait for the one that has been asked already."""
        query = self._queries.get(key)
        if query is None:
            query = self._queries[key] = self._threads.submit(self._lookup, *key)
            query.rawlink(lambda answered: self._store(key, answered))
        query.wait()
        error = query.exception
        return error if isinstance(error, OSError) else query.get()

    def _store(self, key: _Key, query: AsyncResult[list[AddressInfo]]) -> None:
        del self._queries[key]
        if len(self._cache) >= _MAX_NAMES:
            self._cache.clear()
        now = self._hub.loop.now()
        if isinstance(query.exception, OSError):
            self._cache[key] = (now + self._negative_ttl, query.exception)
        elif query.successful():
            self._cache[key] = (now + self._ttl, query.get())

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Another blocking look-up, in a thread, uncached."""
        return self._threads.submit(function, *args).get()

    def statistics(self) -> dict[str, int]:
        """What the cache holds and did."""
        return {
            "names": len(self._cache),
            "flights": len(self._queries),
            "hits": self.hits,
            "misses": self.misses,
        }


class NameResolver(Protocol):
    """What resolves a network's names."""

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
    """What a hub's sockets are made of, and what resolves its names."""

    resolver: NameResolver

    def socket(self, family: int, type: int, proto: int, fileno: int | None) -> Any:
        """A non-blocking socket: the operating system's, or something just like it."""
        ...


class SystemNetwork:
    """The real network: sockets of the operating system, names from `Resolver`."""

    def __init__(self) -> None:
        self.resolver: NameResolver = Resolver()

    def socket(
        self, family: int, type: int, proto: int, fileno: int | None
    ) -> socket.socket:
        """A non-blocking socket."""
        if fileno is None:
            return socket.socket(family, type | socket.SOCK_NONBLOCK, proto)
        adopted = socket.socket(family, type, proto, fileno)
        adopted.setblocking(False)
        return adopted


def network_of(hub: Hub) -> Network:
    """The network of ``hub``: the system's, unless `use_network` has given another."""
    return hub.service(SystemNetwork)


def use_network(hub: Hub, network: Network) -> None:
    """Have the sockets of ``hub`` that are made from now on belong to ``network``."""
    hub.services[SystemNetwork] = network
