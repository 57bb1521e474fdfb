"""Names to addresses."""

import socket as plain
import threading

import pytest

import hub
from hub import socket
from hub.resolver import Resolver, is_numeric
from hub.testing import VirtualClock


class Names:
    """A look-up that counts its calls, and blocks until ``go`` is set."""

    def __init__(self) -> None:
        self.requested: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.answer: object = [
            (plain.AF_INET, plain.SOCK_STREAM, 6, "", ("192.0.2.1", 80))
        ]

    def __call__(self, host: str, *args: object) -> list[object]:
        self.requested.append(host)
        self.go.wait(60)
        if isinstance(self.answer, BaseException):
            raise self.answer
        assert isinstance(self.answer, list)
        return self.answer


@pytest.mark.parametrize(
    ("host", "numeric"),
    [("127.0.0.1", True), ("::1", True), ("fe80::1%lo", True), (b"10.0.0.1", True),
     ("localhost", False), ("1.2.3", False), ("1.2.3.4.5", False), ("a:b", False),
     ("", False), ("127.0.0.1\0", False)],
)  # fmt: skip
def test_is_numeric(host: str | bytes, numeric: bool) -> None:
    assert is_numeric(host) is numeric


def test_numeric_addresses_need_no_thread() -> None:
    threads = set(threading.enumerate())
    for host in ("127.0.0.1", "::1", None):
        found = socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)
        assert found == plain.getaddrinfo(host, 80, type=plain.SOCK_STREAM)
    assert set(threading.enumerate()) <= threads


def test_answers_are_kept_for_a_while(clock: VirtualClock) -> None:
    names = Names()
    resolver = Resolver(names, ttl=60)
    first = resolver.getaddrinfo("a.example", 80)
    first.clear()  # the caller's own
    assert resolver.getaddrinfo("a.example", 80)
    assert names.requested == ["a.example"]
    resolver.getaddrinfo("a.example", 443)
    resolver.getaddrinfo("b.example", 80)
    assert len(names.requested) == 3
    hub.sleep(61)
    resolver.getaddrinfo("a.example", 80)
    assert len(names.requested) == 4
    assert resolver.statistics() == {"names": 3, "queries": 0, "hits": 1, "misses": 4}


def test_failures_are_kept_shorter(clock: VirtualClock) -> None:
    names = Names()
    names.answer = plain.gaierror(plain.EAI_NONAME, "no such name")
    resolver = Resolver(names, negative_ttl=5)
    raised = []
    for _ in range(2):
        with pytest.raises(plain.gaierror, match="no such name") as caught:
            resolver.getaddrinfo("no.example", 80)
        raised.append(caught.value)
    assert raised[0] is not raised[1], "a kept error must not be raised again itself"
    assert len(names.requested) == 1
    hub.sleep(6)
    with pytest.raises(plain.gaierror):
        resolver.getaddrinfo("no.example", 80)
    assert len(names.requested) == 2


def test_one_query_for_a_name() -> None:
    names = Names()
    names.go.clear()
    resolver = Resolver(names)
    asking = [hub.spawn(resolver.getaddrinfo, "a.example", 80) for _ in range(10)]
    hub.sleep(0.01)
    names.go.set()
    hub.joinall(asking)
    assert all(greenlet.value for greenlet in asking)
    assert names.requested == ["a.example"]


def test_a_query_goes_on_without_the_greenlet_that_began_it() -> None:
    names = Names()
    names.go.clear()
    resolver = Resolver(names)
    first = hub.spawn(resolver.getaddrinfo, "a.example", 80)
    second = hub.spawn(resolver.getaddrinfo, "a.example", 80)
    hub.sleep(0)
    first.kill()
    names.go.set()
    assert second.get()
    assert names.requested == ["a.example"]


def test_other_errors_are_not_kept() -> None:
    names = Names()
    names.answer = UnicodeError("label too long")
    resolver = Resolver(names)
    for _ in range(2):
        with pytest.raises(UnicodeError):
            resolver.getaddrinfo("a.example", 80)
    assert len(names.requested) == 2


def test_the_functions() -> None:
    assert socket.gethostbyname("127.0.0.1") == "127.0.0.1"
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    assert "127.0.0.1" in socket.gethostbyname_ex("localhost")[2]
    assert socket.gethostbyaddr("127.0.0.1")[0]
    assert socket.getnameinfo(("127.0.0.1", 80), 0) == plain.getnameinfo(
        ("127.0.0.1", 80), 0
    )
    assert socket.getfqdn("localhost") == plain.getfqdn("localhost")
