"""Names to addresses by the DNS itself, on the hub's own sockets.

Theory. The system's resolver blocks a thread for each name, so that a few dead name
servers stop a crawl of thousands of hosts; it tells neither TTL nor what went wrong.
Here each name is a *flight*, a greenlet with a socket of its own: no name waits for
another, and all who want one name share its flight. A flight asks for A and AAAA at
once. If one of the two comes with addresses, the other is awaited for a moment only
(RFC 8305 section 3). Lost packets are asked for again, each time at the next server and
with more patience; a server that was silent rests for a while, longer each time, and is
asked only if all others rest too.

Not asked of the DNS: addresses, hosts mapped by hand, the hosts file, `localhost` and
`invalid` (RFC 6761). Left to the system: names without a dot and those of `.local`,
which other services answer, and everything if no server has ever answered us.
"""

from __future__ import annotations

import socket as standard
from collections.abc import Callable
from pathlib import Path
from secrets import randbits
from typing import TYPE_CHECKING

from msgspec import Struct

import hub
from crawler.fetch.deadline import Deadline
from crawler.fetch.dns.cache import CacheEntry, NameCache
from crawler.fetch.dns.files import Server, parse_server, read_hosts, read_resolv_conf
from crawler.fetch.dns.system import Mapped, Resolver, SystemResolver
from crawler.model.config import HttpConfig
from crawler.model.errors import (
    NameFailure,
    NameNotFound,
    NameServerFailure,
    NameTimeout,
)
from hub import socket
from hub.event import AsyncResult
from hub.resolver import is_numeric

if TYPE_CHECKING:
    from crawler.fetch.dns.message import Answer, Question, RecordType

SYSTEM = "system"
ATTEMPT_TIMEOUT = 1.0
"""Seconds for the first attempt; doubled after each round of all servers, to four times
this."""
ATTEMPTS = 4
"""At least; twice for each server if there are more than two."""
RESOLUTION_DELAY = 0.05
"""How long the other kind of address is awaited once there is one ("Resolution
Delay")."""
MAX_UNANSWERED = 3
"""Attempts without an answer from anybody, ever, after which the system is asked
instead."""
MIN_BACKOFF, MAX_BACKOFF = 2.0, 60.0

RESOLV_CONF, _HOSTS = Path("/etc/resolv.conf"), Path("/etc/hosts")
_KINDS: dict[str, tuple[RecordType, ...]] = {
    "any": ("A", "AAAA"),
    "ipv4": ("A",),
    "ipv6": ("AAAA",),
}
_LOCALHOST: tuple[str, ...] = ("127.0.0.1", "::1")


class Servers:
    """The name servers, and which of them rest."""

    def __init__(self, servers: list[Server], clock: Callable[[], float]) -> None:
        self._servers = servers
        self._clock = clock
        self._timeouts = dict.fromkeys(servers, 0)
        self._backoff_until = dict.fromkeys(servers, 0.0)
        self._ever_answered = False

    @property
    def is_usable(self) -> bool:
        """False if there are none, or if not one of many questions was ever
        answered."""
        silences = sum(self._timeouts.values())
        return self._ever_answered or (
            bool(self._servers) and silences < MAX_UNANSWERED
        )

    def order(self) -> list[Server]:
        """As configured, but those that rest come last, first of them who is back
        first."""
        now = self._clock()
        return sorted(
            self._servers, key=lambda s: max(0.0, self._backoff_until[s] - now)
        )

    def check(self, server: Server, *, answered: bool) -> None:
        """After an attempt: a silent server rests, longer each time in a row."""
        if answered:
            self._ever_answered = True
            self._timeouts[server] = 0
            self._backoff_until[server] = 0.0
            return
        self._timeouts[server] += 1
        rest = min(MIN_BACKOFF * 2 ** min(self._timeouts[server] - 1, 10), MAX_BACKOFF)
        self._backoff_until[server] = self._clock() + rest


class DnsStatistics(Struct):
    """Counts since the start."""

    queries: int = 0
    packets: int = 0
    """Questions sent, repeated ones included."""
    cache_hits: int = 0
    stale: int = 0
    system: int = 0
    """Look-ups left to the system."""


class DnsResolver:
    """Resolves names by the servers of `config.dns_servers`, or of the system's
    resolv.conf.

    `clock`: seconds, monotonic. `system`: asked where the DNS is not the one to ask.
    The rest is for tests.
    """

    def __init__(
        self,
        config: HttpConfig,
        clock: Callable[[], float],
        system: Resolver,
        *,
        resolv_conf: Path = RESOLV_CONF,
        hosts: Path = _HOSTS,
        timeout: float = ATTEMPT_TIMEOUT,
        has_ipv6: bool | None = None,
    ) -> None:
        self._timeout = config.dns_timeout
        self._mapped = Mapped(config.resolve)
        self._has_ipv6 = _reaches_ipv6() if has_ipv6 is None else has_ipv6
        # Without a way to any IPv6 address half of the questions would be for nothing.
        lacking = config.address_family == "any" and not self._has_ipv6
        self._kinds = _KINDS["ipv4" if lacking else config.address_family]
        self._clock = clock
        self._system = system
        servers = [parse_server(text) for text in config.dns_servers]
        self._servers = Servers(servers or read_resolv_conf(_read(resolv_conf)), clock)
        self._hosts = read_hosts(_read(hosts))
        self._attempt_timeout = timeout
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
        known = self._cache.get(name, self._clock())
        if known is not None:
            self.statistics.cache_hits += 1
        elif (local := self._local(name)) is not None:
            return local
        elif not self._is_for_the_system(name):
            known = self._query_within_timeout(name)
        if known is None or (known.failure is not None and not self._servers.is_usable):
            self.statistics.system += 1
            return self._system.resolve(host, port)
        if known.failure is not None:
            kind, message = known.failure
            raise kind(message)
        return list(known.addresses)

    def _local(self, name: str) -> list[str] | None:
        found = self._hosts.get(name)
        if found is None and (name == "localhost" or name.endswith(".localhost")):
            found = _LOCALHOST
        if name.endswith(".invalid"):
            raise NameNotFound(
                f"{name}: .invalid is for names that do not exist (RFC 6761)"
            )
        fitting = [
            a for a in found or () if ("AAAA" if ":" in a else "A") in self._kinds
        ]
        return fitting or None

    def _is_for_the_system(self, name: str) -> bool:
        return "." not in name or name.endswith(".local") or not self._servers.is_usable

    def _timeout_error(self, host: str) -> NameTimeout:
        return NameTimeout(f"no address for {host} within {self._timeout:g} s")

    def _query_within_timeout(self, name: str) -> CacheEntry | None:
        """None if that took too long, and no server has ever answered."""
        try:
            with Deadline(self._timeout, lambda: self._timeout_error(name)):
                return self._query(name)
        except NameTimeout:
            if self._servers.is_usable:
                raise
        return None

    def _query(self, name: str) -> CacheEntry:
        """Look `name` up, or wait for who is at it."""
        query = self._queries.get(name)
        if query is None:
            query = self._queries[name] = AsyncResult()
            self.statistics.queries += 1
            hub.spawn(self._run_query, name, query)
        return query.get()

    def _run_query(self, name: str, query: AsyncResult[CacheEntry]) -> None:
        try:
            query.set(self._resolve_by_dns(name))
        except BaseException as error:
            query.set_exception(error)
            if not isinstance(error, Exception):
                raise
        finally:
            del self._queries[name]

    def _resolve_by_dns(self, name: str) -> CacheEntry:
        from crawler.fetch.dns.message import (
            Question,  # dnspython: 50 ms that few commands need
        )

        try:
            questions = [
                Question(name, kind, lambda: randbits(16)) for kind in self._kinds
            ]
            answers = self._ask_servers(name, questions)
            addresses = [a for answer in answers for a in answer.addresses]
            ttl = min(a.ttl for a in answers if a.addresses or not addresses)
            if not addresses:
                missing = NameNotFound(f"there is no address for {name}")
                return self._cache.denied(name, missing, ttl, self._clock())
            addresses.sort(key=lambda address: (":" in address) != self._has_ipv6)
            return self._cache.found(name, tuple(addresses), ttl, self._clock())
        except NameFailure as failure:
            known = self._cache.failed(name, failure, self._clock())
            self.statistics.stale += bool(known.addresses)
            return known

    def _ask_servers(self, name: str, questions: list[Question]) -> list[Answer]:
        """Usable answers to all questions, or to one of them if that is enough."""
        answers: dict[RecordType, Answer] = {}
        failed: set[Server] = set()
        order = self._servers.order()
        for attempt in range(max(ATTEMPTS, 2 * len(order))):
            server = order[attempt % len(order)]
            timeout = min(
                self._attempt_timeout * 2 ** (attempt // len(order)),
                4 * self._attempt_timeout,
            )
            missing = [
                question for question in questions if question.kind not in answers
            ]
            got = self._attempt(server, missing, timeout)
            self._servers.check(server, answered=bool(got))
            for kind, answer in got.items():
                if answer.said == "failure":
                    failed.add(server)
                else:
                    answers[kind] = answer
            if len(answers) == len(questions) or any(map(_is_enough, answers.values())):
                return list(answers.values())
            if len(failed) == len(order):
                break
        if failed:
            raise NameServerFailure(
                f"the name servers could not say the address of {name}"
            )
        raise NameTimeout(f"no name server answered for {name}")

    # -- one server
    # ------------------------------------------------------------------------------

    def _attempt(
        self, server: Server, questions: list[Question], timeout: float
    ) -> dict[RecordType, Answer]:
        """What `server` answers within `timeout`."""
        family = standard.AF_INET6 if ":" in server.address else standard.AF_INET
        # A socket of its own: the port is a secret that a forged answer would have to
        # guess, and what comes late for one question can't meet another.
        with socket.socket(family, standard.SOCK_DGRAM) as sock:
            try:
                sock.connect((server.address, server.port))
                for question in questions:
                    sock.send(question.wire)
                    self.statistics.packets += 1
                got = self._collect(sock, questions, timeout)
            except OSError:  # nobody listens there, or the network is gone
                return {}
        for question in questions:
            answer = got.get(question.kind)
            if answer is not None and answer.said == "truncated":
                del got[question.kind]
                with hub.Timeout(timeout, False):
                    if (whole := _ask_over_tcp(server, question, family)) is not None:
                        got[question.kind] = whole
        return got

    def _collect(
        self, sock: socket.socket, questions: list[Question], timeout: float
    ) -> dict[RecordType, Answer]:
        got: dict[RecordType, Answer] = {}
        end = self._clock() + timeout
        while len(got) < len(questions):
            left = end - self._clock()
            if left <= 0:
                break
            sock.settimeout(left)
            try:
                data = sock.recv(4096)
            except TimeoutError:
                break
            for question in questions:
                answer = question.answer(data)
                if answer is not None:
                    got.setdefault(question.kind, answer)
                    if answer.addresses:
                        end = min(end, self._clock() + RESOLUTION_DELAY)
        return got


def _is_enough(answer: Answer) -> bool:
    """Addresses of one kind will do, and a name that is not there is not there for any
    kind."""
    return bool(answer.addresses) or answer.said == "nxdomain"


def _reaches_ipv6() -> bool:
    """Whether there is a way to the IPv6 Internet; nothing is sent to find out."""
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
    """The resolver that `config` asks for."""
    system = SystemResolver(config)
    if config.dns_servers == (SYSTEM,):
        return system
    return DnsResolver(config, clock, system)


def _ask_over_tcp(server: Server, question: Question, family: int) -> Answer | None:
    """The whole of an answer that was too long for UDP (RFC 7766)."""
    try:
        with socket.socket(family, standard.SOCK_STREAM) as sock:
            sock.connect((server.address, server.port))
            sock.sendall(len(question.wire).to_bytes(2, "big") + question.wire)
            size = int.from_bytes(_exactly(sock, 2), "big")
            answer = question.answer(_exactly(sock, size))
    except (OSError, EOFError):
        return None
    return answer if answer is not None and answer.said != "truncated" else None


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
