"""happy_eyeballs: the first address that answers wins; no attempt is left behind."""

from __future__ import annotations

import errno
from collections import defaultdict

import pytest

import hub
from crawler.fetch.connect.happy_eyeballs import happy_eyeballs, interleave
from hub.event import AsyncResult


class FakeConnection:
    """A socket that only records whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Network:
    """Addresses that answer when the test says so.

    `delay` (seconds) is how long an address may stay silent before the next is tried.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self.gates: dict[str, AsyncResult[None]] = defaultdict(AsyncResult)
        self.tried: list[str] = []
        self.given_up: list[str] = []
        self.made: list[FakeConnection] = []

    def accept(self, address: str) -> None:
        self.gates[address].set(None)

    def refuse(self, address: str) -> None:
        self.fail(address, ConnectionRefusedError(111, address))

    def fail(self, address: str, error: OSError) -> None:
        self.gates[address].set_exception(error)

    def attempt(self, address: str) -> FakeConnection:
        self.tried.append(address)
        try:
            self.gates[address].get()
        except hub.GreenletExit:
            self.given_up.append(address)
            raise
        self.made.append(FakeConnection())
        return self.made[-1]

    def connect(self, *addresses: str) -> str:
        """Return the winner's address; check that only its socket is left open."""
        sock, address = happy_eyeballs(
            list(addresses),
            self.attempt,  # type: ignore[arg-type]
            self._delay,
        )
        hub.sleep(0)
        assert [wire for wire in self.made if not wire.closed] == [sock]
        return address

    def wait_tried(self, *addresses: str) -> None:
        with hub.Timeout(5):
            while self.tried != list(addresses):
                hub.sleep(0.001)


@pytest.fixture
def patient() -> Network:
    """A network in which no address is overtaken."""
    return Network(delay=60.0)


@pytest.fixture
def hasty() -> Network:
    """A network in which a silent address is overtaken at once."""
    return Network(delay=0.005)


def test_the_first_one_wins_if_it_answers_soon(patient: Network) -> None:
    patient.accept("a")
    assert patient.connect("a", "b") == "a"
    assert patient.tried == ["a"]


def test_a_silent_one_is_overtaken_and_given_up(hasty: Network) -> None:
    hasty.accept("b")
    assert hasty.connect("a", "b") == "b"
    assert hasty.given_up == ["a"]


def test_a_slow_one_may_still_win(hasty: Network) -> None:
    job = hub.spawn(hasty.connect, "a", "b")
    hasty.wait_tried("a", "b")
    hasty.accept("a")
    assert job.get() == "a"
    assert hasty.given_up == ["b"]


def test_a_refusal_starts_the_next_at_once(patient: Network) -> None:
    patient.refuse("a")
    patient.refuse("b")
    patient.accept("c")
    with hub.Timeout(5):
        assert patient.connect("a", "b", "c") == "c"


def test_when_two_succeed_at_once_one_stays_open(hasty: Network) -> None:
    job = hub.spawn(hasty.connect, "a", "b")
    hasty.wait_tried("a", "b")
    hasty.accept("a")
    hasty.accept("b")
    assert job.get() in ("a", "b")
    assert len(hasty.made) == 2


def test_if_all_fail_the_first_error_is_raised(hasty: Network) -> None:
    for address in "cba":
        hasty.refuse(address)
    with pytest.raises(ConnectionRefusedError, match="a"):
        hasty.connect("a", "b", "c")
    with pytest.raises(ConnectionRefusedError, match="b"):
        hasty.connect("b")


def test_an_address_without_a_route_hides_no_refusal(hasty: Network) -> None:
    hasty.fail("v6", OSError(errno.ENETUNREACH, "no route"))
    hasty.refuse("v4")
    with pytest.raises(ConnectionRefusedError, match="v4"):
        hasty.connect("v6", "v4")
    hasty.fail("other v6", OSError(errno.EADDRNOTAVAIL, "no address"))
    with pytest.raises(OSError, match="no route"):
        hasty.connect("v6", "other v6")


def test_a_timeout_of_the_caller_ends_all_attempts(hasty: Network) -> None:
    with pytest.raises(hub.Timeout), hub.Timeout(0.05):
        hasty.connect("a", "b")
    hub.sleep(0)
    assert sorted(hasty.given_up) == sorted(hasty.tried)


def test_families_take_turns() -> None:
    assert interleave(["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"]) == [
        "::1", "1.1.1.1", "::2", "2.2.2.2", "::3",
    ]  # fmt: skip
    assert interleave(["1.1.1.1", "2.2.2.2"]) == ["1.1.1.1", "2.2.2.2"]
