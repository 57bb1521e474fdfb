"""resolver: names are resolved by name servers of the tests, in virtual time.

The servers are greenlets on real UDP sockets. On loopback a datagram arrives at once,
so virtual time passes only where the resolver waits for one that was lost.
"""

from __future__ import annotations

import socket as standard
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hub
from crawler.fetch.dns.cache import MAX_NEGATIVE_TTL, MAX_STALE
from crawler.fetch.dns.query import RESOLUTION_DELAY
from crawler.fetch.dns.resolver import ATTEMPT_TIMEOUT, MIN_ATTEMPTS, DnsResolver
from crawler.model.errors import (
    NameFailure,
    NameNotFound,
    NameServerFailure,
    NameTimeout,
)
from crawler.model.http_config import HttpConfig
from hub import socket
from hub.testing import VirtualClock, virtual_time
from tests.site.name_server import AAAA, A, Responder, records, respond


def _one_port() -> tuple[socket.socket, socket.socket]:
    """A listening and a datagram socket on the same port."""
    while True:
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(standard.AF_INET, standard.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
        else:
            return tcp, udp


class NameServer:
    """Answers with `reply(name, kind)`; None: does not answer."""

    def __init__(self, reply: Responder) -> None:
        self.asked: list[tuple[str, int]] = []
        self._reply = reply
        self._tcp, self._udp = _one_port()
        self.address = f"127.0.0.1:{self._udp.getsockname()[1]}"
        self._jobs = [hub.spawn(self._serve_udp), hub.spawn(self._serve_tcp)]

    def _answer(self, name: str, kind: int) -> bytes | None:
        self.asked.append((name, kind))
        return self._reply(name, kind)

    def _serve_udp(self) -> None:
        while True:
            query, sender = self._udp.recvfrom(4096)
            answer = respond(query, self._answer)
            if answer is not None:
                self._udp.sendto(answer, sender)

    def _serve_tcp(self) -> None:
        while True:
            sock, _ = self._tcp.accept()
            with sock:
                query = sock.recv(4096)[2:]
                answer = respond(
                    query, lambda name, kind: self._reply("tcp." + name, kind)
                )
                assert answer is not None
                sock.sendall(len(answer).to_bytes(2, "big") + answer)

    def close(self) -> None:
        hub.killall(self._jobs)
        self._udp.close()
        self._tcp.close()


class System:
    """Stands in for the system's resolver; records the names that were requested."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return ["192.0.2.99"]


class World:
    """A virtual clock, name servers, and resolvers that ask them."""

    def __init__(self, clock: VirtualClock, folder: Path) -> None:
        self.clock = clock
        self.servers: list[NameServer] = []
        self.system = System()
        self._folder = folder

    def serve(self, reply: Responder) -> NameServer:
        self.servers.append(NameServer(reply))
        return self.servers[-1]

    def resolver(
        self, *, hosts: str = "", has_ipv6: bool = True, **settings: object
    ) -> DnsResolver:
        servers = tuple(server.address for server in self.servers)
        config = HttpConfig(**{"dns_servers": servers, **settings})  # type: ignore[arg-type]
        (self._folder / "hosts").write_text(hosts)
        return DnsResolver(
            config,
            self.clock,
            self.system,
            hosts=self._folder / "hosts",
            resolv_conf=self._folder / "resolv.conf",
            has_ipv6=has_ipv6,
        )

    def took(self, step: Callable[[], object]) -> float:
        began = self.clock()
        step()
        return self.clock() - began


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with virtual_time() as clock:
        world = World(clock, tmp_path)
        yield world
        for server in world.servers:
            server.close()


def both(name: str, kind: int) -> bytes | None:
    return records("192.0.2.1") if kind == A else records("2001:db8::1")


def failing(resolver: DnsResolver, name: str, kind: type[NameFailure]) -> NameFailure:
    with pytest.raises(kind) as caught:
        resolver.resolve(name, 80)
    assert type(caught.value) is kind
    assert name in caught.value.message
    return caught.value


# -- answers


def test_both_record_types_are_asked_for_at_once(world: World) -> None:
    server = world.serve(both)
    assert world.resolver().resolve("a.example", 80) == ["2001:db8::1", "192.0.2.1"]
    assert sorted(server.asked) == [("a.example", A), ("a.example", AAAA)]
    assert world.clock() == 0


@pytest.mark.parametrize(
    ("family", "has_ipv6", "expected"),
    [("ipv4", True, ["192.0.2.1"]), ("ipv6", False, ["2001:db8::1"]),
     ("any", False, ["192.0.2.1"])],
)  # fmt: skip
def test_only_the_wanted_record_type_is_asked_for(
    world: World, family: str, has_ipv6: bool, expected: list[str]
) -> None:
    server = world.serve(both)
    resolver = world.resolver(address_family=family, has_ipv6=has_ipv6)
    assert resolver.resolve("a.example", 80) == expected
    assert len(server.asked) == 1


def test_the_other_record_type_is_awaited_for_a_moment_only(world: World) -> None:
    world.serve(lambda name, kind: records("192.0.2.1") if kind == A else None)
    resolver = world.resolver()
    took = world.took(lambda: resolver.resolve("a.example", 80))
    assert took == pytest.approx(RESOLUTION_DELAY)
    assert resolver.resolve("a.example", 80) == ["192.0.2.1"]


def test_callers_of_one_name_share_a_query(world: World) -> None:
    server = world.serve(both)
    resolver = world.resolver()
    jobs = [hub.spawn(resolver.resolve, "a.example", 80) for _ in range(100)]
    hub.joinall(jobs)
    assert all(job.get() == ["2001:db8::1", "192.0.2.1"] for job in jobs)
    assert len(server.asked) == 2
    assert resolver.statistics.queries == 1


def test_a_caller_that_gives_up_does_not_end_the_query_of_others(world: World) -> None:
    world.serve(
        lambda name, kind: (
            both(name, kind) if world.clock() >= ATTEMPT_TIMEOUT else None
        )
    )
    resolver = world.resolver()
    first, second = (hub.spawn(resolver.resolve, "a.example", 80) for _ in range(2))
    hub.sleep(ATTEMPT_TIMEOUT / 2)
    first.kill()
    assert second.get() == ["2001:db8::1", "192.0.2.1"]


def test_an_alias_is_followed_within_the_answer(world: World) -> None:
    alias = b"\x81\x80\0\1\0\2\0\0\0\0|\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1b\xc0\x0e"
    alias += b"\1b\xc0\x0e\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\7"
    world.serve(lambda name, kind: alias if kind == A else records())
    assert world.resolver().resolve("a.example", 80) == ["192.0.2.7"]


def test_no_more_than_sixteen_addresses_are_taken(world: World) -> None:
    many = [f"192.0.2.{n}" for n in range(60)]
    world.serve(lambda name, kind: records(*many))
    assert len(world.resolver(address_family="ipv4").resolve("a.example", 80)) == 16


def test_a_truncated_answer_is_requested_over_tcp(world: World) -> None:
    def reply(name: str, kind: int) -> bytes:
        return (
            records("192.0.2.5")
            if name.startswith("tcp.")
            else b"\x83\x80\0\1" + bytes(6) + b"|"
        )

    world.serve(reply)
    assert world.resolver(address_family="ipv4").resolve("a.example", 80) == [
        "192.0.2.5"
    ]


# -- failures


def test_failures_are_distinguished(world: World) -> None:
    answers = {
        "gone.example": records(rcode=3),
        "bare.example": records(),
        "broken.example": records(rcode=2),
        "refused.example": records(rcode=5),
        "silent.example": None,
    }
    world.serve(lambda name, kind: answers.get(name, records("192.0.2.1")))
    resolver = world.resolver()
    resolver.resolve("a.example", 80)
    failing(resolver, "gone.example", NameNotFound)
    failing(resolver, "bare.example", NameNotFound)
    failing(resolver, "broken.example", NameServerFailure)
    failing(resolver, "refused.example", NameServerFailure)
    assert world.clock() < 1
    failing(resolver, "silent.example", NameTimeout)


@pytest.mark.parametrize(
    "name", ["a..example", "x" * 64 + ".example", "a." * 130 + "example"]
)
def test_invalid_names(world: World, name: str) -> None:
    server = world.serve(both)
    failing(world.resolver(), name, NameNotFound)
    assert server.asked == []


def test_the_dns_timeout_holds(world: World) -> None:
    server = world.serve(
        lambda name, kind: None if "silent" in name else both(name, kind)
    )
    resolver = world.resolver(dns_timeout=2.5)
    resolver.resolve("a.example", 80)
    took = world.took(lambda: failing(resolver, "silent.example", NameTimeout))
    assert took == 2.5
    assert 2 <= len(server.asked) / 2 <= MIN_ATTEMPTS


def test_a_server_that_answers_with_an_error_is_asked_once(world: World) -> None:
    server = world.serve(lambda name, kind: records(rcode=2))
    failing(world.resolver(), "a.example", NameServerFailure)
    assert len(server.asked) == 2


def test_the_next_server_is_asked_and_the_silent_one_backs_off(world: World) -> None:
    dead = world.serve(lambda name, kind: None)
    world.serve(both)
    resolver = world.resolver()
    assert world.took(lambda: resolver.resolve("a.example", 80)) == ATTEMPT_TIMEOUT
    for number in range(20):
        assert world.took(lambda n=number: resolver.resolve(f"{n}.example", 80)) == 0  # type: ignore[misc]
    assert len(dead.asked) == 2
    hub.sleep(60)
    resolver.resolve("b.example", 80)
    assert len(dead.asked) == 4


def test_a_server_that_fails_is_followed_by_another(world: World) -> None:
    world.serve(lambda name, kind: records(rcode=2))
    world.serve(both)
    assert world.resolver().resolve("a.example", 80)
    assert world.clock() == 0


def test_a_port_where_nothing_listens(world: World) -> None:
    resolver = world.resolver(dns_servers=("127.0.0.1:9",))
    assert resolver.resolve("a.example", 80) == ["192.0.2.99"]  # the system is queried


# -- the cache


def test_answers_are_cached_for_their_ttl(world: World) -> None:
    server = world.serve(lambda name, kind: records("192.0.2.1", ttl=60))
    resolver = world.resolver(address_family="ipv4")
    for expected in (1, 1, 2):
        resolver.resolve("a.example", 80)
        assert len(server.asked) == expected
        hub.sleep(40)
    assert resolver.statistics.cache_hits == 1


def test_negative_answers_are_cached_too(world: World) -> None:
    server = world.serve(lambda name, kind: records(rcode=3))
    resolver = world.resolver(address_family="ipv4")
    for _ in range(5):
        failing(resolver, "gone.example", NameNotFound)
    assert len(server.asked) == 1
    hub.sleep(MAX_NEGATIVE_TTL + 1)
    failing(resolver, "gone.example", NameNotFound)
    assert len(server.asked) == 2


def test_a_stale_answer_is_better_than_none(world: World) -> None:
    state = {"up": True}
    world.serve(
        lambda name, kind: records("192.0.2.1") if state["up"] else records(rcode=2)
    )
    resolver = world.resolver(address_family="ipv4")
    resolver.resolve("a.example", 80)
    state["up"] = False
    hub.sleep(400)
    assert resolver.resolve("a.example", 80) == ["192.0.2.1"]
    assert resolver.statistics.stale == 1
    failing(resolver, "b.example", NameServerFailure)
    hub.sleep(MAX_STALE)
    failing(resolver, "a.example", NameServerFailure)


# -- what is not queried


def test_names_that_need_no_server(world: World) -> None:
    server = world.serve(both)
    hosts = (
        "10.1.1.1 printer.example printer # ours\n"
        "::7 six.example\n10.1.1.2 Printer.example\n"
    )
    resolver = world.resolver(hosts=hosts, resolve=("mapped.example:80:10.9.9.9",))
    assert resolver.resolve("printer.example", 80) == ["10.1.1.1", "10.1.1.2"]
    assert resolver.resolve("printer", 80) == ["10.1.1.1"]
    assert resolver.resolve("six.example", 80) == ["::7"]
    assert resolver.resolve("mapped.example", 80) == ["10.9.9.9"]
    assert resolver.resolve("127.0.0.1", 80) == ["127.0.0.1"]
    assert resolver.resolve("::1", 80) == ["::1"]
    assert resolver.resolve("localhost", 80) == ["127.0.0.1", "::1"]
    assert resolver.resolve("x.localhost", 80) == ["127.0.0.1", "::1"]
    failing(resolver, "some.invalid", NameNotFound)
    assert server.asked == []
    assert world.system.asked == []
    assert resolver.resolve("mapped.example", 81) == ["2001:db8::1", "192.0.2.1"]


@pytest.mark.parametrize("name", ["intranet", "printer.local"])
def test_names_that_are_left_to_the_system(world: World, name: str) -> None:
    world.serve(both)
    assert world.resolver().resolve(name, 80) == ["192.0.2.99"]


@pytest.mark.parametrize("seconds", [30.0, 10.0])
def test_the_system_is_asked_where_no_server_ever_answers(
    world: World, seconds: float
) -> None:
    server = world.serve(lambda name, kind: None)
    resolver = world.resolver(dns_timeout=seconds)
    took = world.took(lambda: resolver.resolve("a.example", 80))
    assert took <= seconds
    assert world.system.asked == ["a.example"]
    hub.sleep(5)  # until the query has ended
    asked = len(server.asked)
    assert world.took(lambda: resolver.resolve("b.example", 80)) == 0
    assert len(server.asked) == asked


def test_the_system_is_asked_where_there_is_no_server(world: World) -> None:
    assert world.resolver().resolve("a.example", 80) == ["192.0.2.99"]
