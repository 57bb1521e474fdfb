"""The DNS resolver: host names to addresses, on the hub's own sockets.

Theory. The system's resolver blocks a thread for each name, so a few dead name servers
can stop a crawl of thousands of hosts, and it reports neither TTLs nor what went wrong.
Here each name is resolved by a *query*: a greenlet of its own, which all callers that
want the same name share. No name waits for another.

A query requests A and AAAA records at once. When one of the two has brought addresses,
the other is awaited for a moment only (RFC 8305 section 3). Packets get lost, so a
query makes several *attempts*, each at the next server, and the timeout doubles after
each round of all servers. A server that does not answer backs off (see `servers.py`).

Some names are not looked up in the DNS at all: IP addresses, hosts mapped by the user,
the hosts file, `localhost` and `invalid` (RFC 6761). Names without a dot and names
below `.local` are left to the system, because other services resolve those. If no name
server has ever answered, the system resolves every name.
"""

from __future__ import annotations

import os
import socket as standard
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

import hub
from crawler.fetch.deadline import Deadline
from crawler.fetch.dns.cache import CacheEntry, NameCache
from crawler.fetch.dns.files import (
    HOSTS,
    RESOLV_CONF,
    Server,
    parse_server,
    read_hosts,
    read_resolv_conf,
)
from crawler.fetch.dns.query import send_query
from crawler.fetch.dns.servers import NameServers
from crawler.fetch.dns.system import Mapped, Resolver, SystemResolver
from crawler.model.errors import (
    NameFailure,
    NameNotFound,
    NameServerFailure,
    NameTimeout,
)
from crawler.model.http_config import HttpConfig
from hub.event import AsyncResult
from hub.resolver import is_numeric

if TYPE_CHECKING:
    from crawler.fetch.dns.message import Answer, Question, RecordType

SYSTEM = "system"
"""The value of `dns_servers` that selects the system's resolver."""
ATTEMPT_TIMEOUT = 1.0
"""The timeout of the first attempts (seconds).

It doubles after each round of all servers, up to four times this.
"""
MIN_ATTEMPTS = 4
"""Attempts of one query; with more than two servers it is two attempts per server."""

_RECORD_TYPES: dict[str, tuple[RecordType, ...]] = {
    "any": ("A", "AAAA"),
    "ipv4": ("A",),
    "ipv6": ("AAAA",),
}
_LOCALHOST: tuple[str, ...] = ("127.0.0.1", "::1")


class DnsStatistics(Struct):
    """Counts since the start."""

    queries: int = 0
    questions: int = 0
    """Questions sent, repeated ones included."""
    cache_hits: int = 0
    stale: int = 0
    """Queries that failed and were answered by an expired cache entry."""
    system: int = 0
    """Names that were left to the system."""


class DnsResolver:
    """Resolves names with `config.dns_servers`, or the servers of `resolv_conf`.

    `clock` returns monotonic time (seconds). `system` resolves the names that are not
    looked up in the DNS. The other arguments are there for tests.
    """

    def __init__(
        self,
        config: HttpConfig,
        clock: Callable[[], float],
        system: Resolver,
        *,
        resolv_conf: Path = RESOLV_CONF,
        hosts: Path = HOSTS,
        has_ipv6: bool | None = None,
    ) -> None:
        self._timeout = config.dns_timeout
        self._mapped = Mapped(config.resolve)
        self._has_ipv6 = _reaches_ipv6() if has_ipv6 is None else has_ipv6
        # Without a route to the IPv6 Internet, AAAA records would be of no use.
        only_ipv4 = config.address_family == "any" and not self._has_ipv6
        family = "ipv4" if only_ipv4 else config.address_family
        self._record_types = _RECORD_TYPES[family]
        self._clock = clock
        self._system = system
        configured = [parse_server(text) for text in config.dns_servers]
        self._servers = NameServers(
            configured or read_resolv_conf(_read(resolv_conf)), clock
        )
        self._hosts = read_hosts(_read(hosts))
        self._cache = NameCache()
        self._queries: dict[str, AsyncResult[CacheEntry]] = {}
        self.statistics = DnsStatistics()

    def resolve(self, host: str, port: int) -> list[str]:
        """See `Resolver`."""
        if (mapped := self._mapped.find(host, port)) is not None:
            return mapped
        if is_numeric(host):
            return [host]
        name = host.rstrip(".").lower()
        entry = self._cache.get(name, self._clock())
        if entry is not None:
            self.statistics.cache_hits += 1
        elif (local := self._local(name)) is not None:
            return local
        elif not self._is_for_the_system(name):
            entry = self._query_in_time(name)
        if entry is None or (
            entry.failure is not None and not self._servers.are_usable
        ):
            self.statistics.system += 1
            return self._system.resolve(host, port)
        if entry.failure is not None:
            kind, message = entry.failure
            raise kind(message)
        return list(entry.addresses)

    def _local(self, name: str) -> list[str] | None:
        """The addresses of a name in the hosts file or below `localhost`."""
        found = self._hosts.get(name)
        if found is None and (name == "localhost" or name.endswith(".localhost")):
            found = _LOCALHOST
        if name.endswith(".invalid"):
            raise NameNotFound(
                f"{name}: .invalid is for names that do not exist (RFC 6761)"
            )
        usable = [
            address
            for address in found or ()
            if ("AAAA" if ":" in address else "A") in self._record_types
        ]
        return usable or None

    def _is_for_the_system(self, name: str) -> bool:
        if "." not in name or name.endswith(".local"):
            return True
        return not self._servers.are_usable

    def _timeout_error(self, host: str) -> NameTimeout:
        return NameTimeout(f"no address for {host} within {self._timeout:g} s")

    def _query_in_time(self, name: str) -> CacheEntry | None:
        """Query `name`; None if that timed out and no server has ever answered."""
        try:
            with Deadline(self._timeout, lambda: self._timeout_error(name)):
                return self._query(name)
        except NameTimeout:
            if self._servers.are_usable:
                raise
        return None

    def _query(self, name: str) -> CacheEntry:
        """Start a query for `name`, or join the one that is under way."""
        query = self._queries.get(name)
        if query is None:
            query = self._queries[name] = AsyncResult()
            self.statistics.queries += 1
            hub.spawn(self._run_query, name, query)
        return query.get()

    def _run_query(self, name: str, query: AsyncResult[CacheEntry]) -> None:
        try:
            query.set(self._look_up(name))
        except BaseException as error:
            query.set_exception(error)
            if not isinstance(error, Exception):
                raise
        finally:
            del self._queries[name]

    def _look_up(self, name: str) -> CacheEntry:
        # Imported here, because dnspython takes 50 ms and few commands need it.
        from crawler.fetch.dns.message import Question

        try:
            questions = [
                Question(name, record_type, lambda: int.from_bytes(os.urandom(2)))
                for record_type in self._record_types
            ]
            answers = self._query_servers(name, questions)
            addresses = [a for answer in answers for a in answer.addresses]
            ttl = min(a.ttl for a in answers if a.addresses or not addresses)
            if not addresses:
                missing = NameNotFound(f"there is no address for {name}")
                return self._cache.put_negative(name, missing, ttl, self._clock())
            addresses.sort(key=lambda address: (":" in address) != self._has_ipv6)
            return self._cache.put(name, tuple(addresses), ttl, self._clock())
        except NameFailure as failure:
            entry = self._cache.put_failure(name, failure, self._clock())
            self.statistics.stale += bool(entry.addresses)
            return entry

    def _query_servers(self, name: str, questions: list[Question]) -> list[Answer]:
        """Usable answers to all questions, or to one of them if that is sufficient."""
        answers: dict[RecordType, Answer] = {}
        failed: set[Server] = set()
        servers = self._servers.in_order()
        for attempt in range(max(MIN_ATTEMPTS, 2 * len(servers))):
            server = servers[attempt % len(servers)]
            timeout = ATTEMPT_TIMEOUT * min(2 ** (attempt // len(servers)), 4)
            missing = [q for q in questions if q.record_type not in answers]
            self.statistics.questions += len(missing)
            received = send_query(server, missing, timeout, self._clock)
            self._servers.record_attempt(server, answered=bool(received))
            for record_type, answer in received.items():
                if answer.result == "error":
                    failed.add(server)
                else:
                    answers[record_type] = answer
            if len(answers) == len(questions) or any(
                map(_is_sufficient, answers.values())
            ):
                return list(answers.values())
            if len(failed) == len(servers):
                break
        if failed:
            raise NameServerFailure(f"the name servers failed to resolve {name}")
        raise NameTimeout(f"no name server answered for {name}")


def _is_sufficient(answer: Answer) -> bool:
    """Whether the other record type need not be awaited.

    Addresses of one type are enough, and a name that does not exist has no records of
    any type.
    """
    return bool(answer.addresses) or answer.result == "nxdomain"


def _reaches_ipv6() -> bool:
    """Whether there is a route to the IPv6 Internet; sends nothing to find out."""
    try:
        with standard.socket(standard.AF_INET6, standard.SOCK_DGRAM) as probe:
            probe.connect(("2000::1", 53))
    except OSError:
        return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def open_resolver(config: HttpConfig, clock: Callable[[], float]) -> Resolver:
    """The resolver that `config` selects. `clock` returns monotonic time (seconds)."""
    system = SystemResolver(config)
    if config.dns_servers == (SYSTEM,):
        return system
    return DnsResolver(config, clock, system)
