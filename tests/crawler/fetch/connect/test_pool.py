"""pool: no connection is handed out twice, or closed while in use; bounds, expiry."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crawler.fetch.connect.pool import Pool


class FakeConnection:
    """A connection that only records its state."""

    def __init__(self, origin: str) -> None:
        self.key = origin
        self.stale = False
        self.closed = False

    def is_stale(self) -> bool:
        return self.stale

    def close(self) -> None:
        self.closed = True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def pool(
    per_origin: int = 2,
    total: int = 3,
    idle_s: float = 10.0,
    clock: Clock | None = None,
) -> Pool[FakeConnection]:
    return Pool(per_origin, total, idle_s, clock or Clock())


def test_the_most_recently_used_is_acquired_first() -> None:
    p, a, b = pool(), FakeConnection("o"), FakeConnection("o")
    p.release(a)
    p.release(b)
    assert [p.acquire("o"), p.acquire("o"), p.acquire("o")] == [b, a, None]


def test_another_origin_gets_none() -> None:
    p = pool()
    p.release(FakeConnection("http://a"))
    assert p.acquire("https://a") is None


def test_a_stale_connection_is_closed_and_the_next_one_acquired() -> None:
    p, a, b = pool(), FakeConnection("o"), FakeConnection("o")
    p.release(a)
    p.release(b)
    b.stale = True
    assert p.acquire("o") is a
    assert b.closed
    assert p.statistics().stale == 1


def test_old_connections_expire() -> None:
    clock = Clock()
    p, a, b = pool(clock=clock), FakeConnection("a"), FakeConnection("b")
    p.release(a)
    clock.now = 6
    p.release(b)
    clock.now = 10
    assert p.acquire("a") is None
    assert (a.closed, b.closed) == (True, False)
    assert p.acquire("b") is b


def test_the_oldest_is_evicted() -> None:
    p = pool()
    a1, a2, a3, b, c = (
        FakeConnection("a"),
        FakeConnection("a"),
        FakeConnection("a"),
        FakeConnection("b"),
        FakeConnection("c"),
    )
    for wire in (a1, a2, a3):
        p.release(wire)
    assert [a1.closed, a2.closed, a3.closed] == [True, False, False]
    p.release(b)
    p.release(c)
    assert [a2.closed, a3.closed, b.closed, c.closed] == [True, False, False, False]
    assert p.statistics().evicted == 2


def test_close_idle_closes_the_connections_of_one_key_only() -> None:
    p, a, b, other = (
        pool(),
        FakeConnection("o"),
        FakeConnection("o"),
        FakeConnection("other"),
    )
    for one in (a, b, other):
        p.release(one)
    p.close_idle("o")
    p.close_idle("unknown")
    assert (a.closed, b.closed, other.closed) == (True, True, False)
    assert p.acquire("o") is None
    assert p.acquire("other") is other


def test_after_close_nothing_is_kept() -> None:
    p, a, b = pool(), FakeConnection("a"), FakeConnection("a")
    p.release(a)
    p.close()
    p.release(b)
    assert (a.closed, b.closed) == (True, True)
    assert p.statistics().idle == 0


class PoolMachine(RuleBasedStateMachine):
    """Compares the pool with a model that knows where each connection is."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.pool = pool(clock=self.clock)
        self.out: list[FakeConnection] = []
        self.all: list[FakeConnection] = []

    @rule(origin=st.sampled_from("abc"))
    def acquire(self, origin: str) -> None:
        wire = self.pool.acquire(origin)
        if wire is None:
            wire = FakeConnection(origin)
            self.all.append(wire)
        assert wire not in self.out
        assert wire.key == origin
        assert not wire.closed
        assert not wire.stale
        self.out.append(wire)

    @rule(number=st.integers(0, 9))
    def release(self, number: int) -> None:
        if self.out:
            self.pool.release(self.out.pop(number % len(self.out)))

    @rule(number=st.integers(0, 99))
    def server_closes(self, number: int) -> None:
        idle = [w for w in self.all if w not in self.out and not w.closed]
        if idle:
            idle[number % len(idle)].stale = True

    @rule(seconds=st.integers(0, 11))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds

    @invariant()
    def every_connection_is_idle_or_out_or_closed(self) -> None:
        idle = [w for w in self.all if w not in self.out and not w.closed]
        assert not any(wire.closed for wire in self.out)
        assert self.pool.statistics().idle == len(idle) <= 3
        assert all(sum(w.key == o for w in idle) <= 2 for o in "abc")


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
