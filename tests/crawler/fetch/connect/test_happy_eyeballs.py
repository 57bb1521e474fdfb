"""race: the first address that answers wins, and nobody is left behind."""

from __future__ import annotations

from collections import defaultdict

import pytest

import hub
from crawler.fetch.connect import happy_eyeballs
from crawler.fetch.connect.happy_eyeballs import connect_first, interleave
from hub.event import AsyncResult


class Wire:
    """A socket that only remembers."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Network:
    """Each address answers when the test says so."""

    def __init__(self) -> None:
        self.gates: dict[str, AsyncResult[None]] = defaultdict(AsyncResult)
        self.tried: list[str] = []
        self.given_up: list[str] = []
        self.made: list[Wire] = []

    def accept(self, address: str) -> None:
        self.gates[address].set(None)

    def refuse(self, address: str) -> None:
        self.gates[address].set_exception(ConnectionRefusedError(111, address))

    def attempt(self, address: str) -> Wire:
        self.tried.append(address)
        try:
            self.gates[address].get()
        except hub.GreenletExit:
            self.given_up.append(address)
            raise
        self.made.append(Wire())
        return self.made[-1]

    def connect(self, *addresses: str) -> str:
        """The winner's address; checks that only its socket is left."""
        sock, address = connect_first(list(addresses), self.attempt)  # type: ignore[arg-type]
        hub.sleep(0)
        assert [wire for wire in self.made if not wire.closed] == [sock]
        return address

    def wait_tried(self, *addresses: str) -> None:
        with hub.Timeout(5):
            while self.tried != list(addresses):
                hub.sleep(0.001)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(happy_eyeballs, "DELAY", 60.0)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(happy_eyeballs, "DELAY", 0.005)


@pytest.mark.usefixtures("patient")
def test_the_first_one_wins_if_it_answers_soon(network: Network) -> None:
    network.accept("a")
    assert network.connect("a", "b") == "a"
    assert network.tried == ["a"]


@pytest.mark.usefixtures("hasty")
def test_a_silent_one_is_overtaken_and_given_up(network: Network) -> None:
    network.accept("b")
    assert network.connect("a", "b") == "b"
    assert network.given_up == ["a"]


@pytest.mark.usefixtures("hasty")
def test_a_slow_one_may_still_win(network: Network) -> None:
    job = hub.spawn(network.connect, "a", "b")
    network.wait_tried("a", "b")
    network.accept("a")
    assert job.get() == "a"
    assert network.given_up == ["b"]


@pytest.mark.usefixtures("patient")
def test_a_refusal_starts_the_next_at_once(network: Network) -> None:
    network.refuse("a")
    network.refuse("b")
    network.accept("c")
    with hub.Timeout(5):
        assert network.connect("a", "b", "c") == "c"


@pytest.mark.usefixtures("hasty")
def test_of_two_at_once_one_is_left_open(network: Network) -> None:
    job = hub.spawn(network.connect, "a", "b")
    network.wait_tried("a", "b")
    network.accept("a")
    network.accept("b")
    assert job.get() in ("a", "b")
    assert len(network.made) == 2


@pytest.mark.usefixtures("hasty")
def test_if_all_fail_the_first_tells_why(network: Network) -> None:
    for address in "cba":
        network.refuse(address)
    with pytest.raises(ConnectionRefusedError, match="a"):
        network.connect("a", "b", "c")
    with pytest.raises(ConnectionRefusedError, match="b"):
        network.connect("b")


@pytest.mark.usefixtures("hasty")
def test_a_timeout_around_the_race_ends_all_attempts(network: Network) -> None:
    with pytest.raises(hub.Timeout), hub.Timeout(0.05):
        network.connect("a", "b")
    hub.sleep(0)
    assert sorted(network.given_up) == sorted(network.tried)


def test_families_take_turns() -> None:
    assert interleave(["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"]) == [
        "::1", "1.1.1.1", "::2", "2.2.2.2", "::3",
    ]  # fmt: skip
    assert interleave(["1.1.1.1", "2.2.2.2"]) == ["1.1.1.1", "2.2.2.2"]
