"""pool: never handed out twice, never closed while handed out, bounded, in time."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crawler.fetch.connect.pool import Pool


class Wire:
    """A connection that only remembers."""

    def __init__(self, origin: str) -> None:
        self.key = origin
        self.quiet = True
        self.closed = False

    def is_quiet(self) -> bool:
        return self.quiet

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
) -> Pool[Wire]:
    return Pool(per_origin, total, idle_s, clock or Clock())


def test_the_youngest_is_taken_first() -> None:
    p, a, b = pool(), Wire("o"), Wire("o")
    p.give(a)
    p.give(b)
    assert [p.take("o"), p.take("o"), p.take("o")] == [b, a, None]


def test_another_origin_gets_none() -> None:
    p = pool()
    p.give(Wire("http://a"))
    assert p.take("https://a") is None


def test_one_that_is_not_quiet_is_closed_and_the_next_taken() -> None:
    p, a, b = pool(), Wire("o"), Wire("o")
    p.give(a)
    p.give(b)
    b.quiet = False
    assert p.take("o") is a
    assert b.closed
    assert p.statistics().stale == 1


def test_old_ones_expire() -> None:
    clock = Clock()
    p, a, b = pool(clock=clock), Wire("a"), Wire("b")
    p.give(a)
    clock.now = 6
    p.give(b)
    clock.now = 10
    assert p.take("a") is None
    assert (a.closed, b.closed) == (True, False)
    assert p.take("b") is b


def test_the_oldest_makes_room() -> None:
    p = pool()
    a1, a2, a3, b, c = Wire("a"), Wire("a"), Wire("a"), Wire("b"), Wire("c")
    for wire in (a1, a2, a3):
        p.give(wire)
    assert [a1.closed, a2.closed, a3.closed] == [True, False, False]
    p.give(b)
    p.give(c)
    assert [a2.closed, a3.closed, b.closed, c.closed] == [True, False, False, False]
    assert p.statistics().crowded_out == 2


def test_what_is_dropped_is_closed_and_nothing_else() -> None:
    p, a, b, other = pool(), Wire("o"), Wire("o"), Wire("other")
    for one in (a, b, other):
        p.give(one)
    p.drop("o")
    p.drop("unknown")
    assert (a.closed, b.closed, other.closed) == (True, True, False)
    assert p.take("o") is None
    assert p.take("other") is other


def test_after_close_nothing_is_kept() -> None:
    p, a, b = pool(), Wire("a"), Wire("a")
    p.give(a)
    p.close()
    p.give(b)
    assert (a.closed, b.closed) == (True, True)
    assert p.statistics().idle == 0


class PoolMachine(RuleBasedStateMachine):
    """Against the plain truth: where is each connection?"""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.pool = pool(clock=self.clock)
        self.out: list[Wire] = []
        self.all: list[Wire] = []

    @rule(origin=st.sampled_from("abc"))
    def take(self, origin: str) -> None:
        wire = self.pool.take(origin)
        if wire is None:
            wire = Wire(origin)
            self.all.append(wire)
        assert wire not in self.out
        assert wire.key == origin
        assert not wire.closed
        assert wire.quiet
        self.out.append(wire)

    @rule(number=st.integers(0, 9))
    def give(self, number: int) -> None:
        if self.out:
            self.pool.give(self.out.pop(number % len(self.out)))

    @rule(number=st.integers(0, 99))
    def server_closes(self, number: int) -> None:
        idle = [w for w in self.all if w not in self.out and not w.closed]
        if idle:
            idle[number % len(idle)].quiet = False

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
