"""Group and Pool."""

import pytest

import hub
from hub.pool import Group, Pool, PoolFull
from hub.testing import VirtualClock


def double(number: int) -> int:
    hub.sleep(number)
    return number * 2


def fail(number: int = 0) -> None:
    raise ValueError(number)


@pytest.mark.parametrize("group", [Group(), Pool(), Pool(1), Pool(3)])
def test_mapping(clock: VirtualClock, group: Group) -> None:
    numbers = [3, 1, 2]
    assert group.map(double, numbers) == [6, 2, 4]
    assert list(group.imap(double, numbers)) == [6, 2, 4]
    assert sorted(group.imap_unordered(double, numbers)) == [2, 4, 6]
    assert group.map_async(double, numbers).get() == [6, 2, 4]
    assert group.apply(double, (4,)) == 8
    assert group.apply_async(double, (4,)).get() == 8
    assert list(group.imap(pow, [2, 3], [3, 2])) == [8, 9]
    assert group.join()
    assert len(group) == 0


def test_unordered_comes_in_the_order_of_ending(clock: VirtualClock) -> None:
    assert list(Pool(3).imap_unordered(double, [3, 1, 2])) == [2, 4, 6]


def test_spawn_waits_when_full(clock: VirtualClock) -> None:
    pool = Pool(2)
    for _ in range(4):
        pool.spawn(hub.sleep, 1)
    assert clock.time == 1
    assert pool.full()
    assert len(pool) == 2
    assert pool.free_count() == 0
    assert pool.wait_available() == 2
    pool.join()
    assert pool.free_count() == 2
    assert pool.statistics() == {"members": 0, "size": 2}


def test_a_full_pool_refuses_without_waiting(clock: VirtualClock) -> None:
    pool = Pool(1)
    pool.spawn(hub.sleep, 5)
    with pytest.raises(PoolFull):
        pool.add(hub.Greenlet(double), blocking=False)
    with pytest.raises(PoolFull):
        pool.add(hub.Greenlet(double), timeout=1)
    pool.kill()
    assert clock.time == 1


def test_kill(clock: VirtualClock) -> None:
    pool = Pool(3)
    for _ in range(3):
        pool.spawn(hub.sleep, 100)
    hub.sleep(1)
    member = next(iter(pool))
    pool.killone(member)
    assert member.dead
    assert len(pool) == 2
    pool.kill()
    assert len(pool) == 0
    assert pool.free_count() == 3
    assert clock.time == 1


def test_kill_reaches_those_who_come_meanwhile(clock: VirtualClock) -> None:
    group = Group()

    def breed() -> None:
        try:
            hub.sleep(100)
        finally:
            if generations:
                generations.pop()
                group.spawn(breed)

    generations = [1, 2]
    group.spawn(breed)
    hub.sleep(1)
    group.kill()
    assert len(group) == 0


def test_join_with_timeout_and_error(clock: VirtualClock) -> None:
    group = Group()
    group.spawn(hub.sleep, 5)
    assert group.join(timeout=1) is False
    member = group.spawn(fail)
    with pytest.raises(ValueError, match="0"):
        group.join(raise_error=True)
    assert member.dead
    assert group.join() is True


def test_errors_come_out_where_the_values_would(clock: VirtualClock) -> None:
    pool = Pool(2)
    with pytest.raises(ValueError, match="1"):
        pool.map(fail, [1])
    results = pool.imap(lambda number: 1 // number, [1, 0, 1])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert next(results) == 1
    with pytest.raises(StopIteration):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_an_error_of_the_iterable_comes_out_at_its_place() -> None:
    def numbers() -> object:
        yield 1
        raise KeyError("end")

    results = Pool(2).imap(abs, numbers())
    assert next(results) == 1
    with pytest.raises(KeyError):
        next(results)


def test_imap_runs_ahead_only_as_far_as_allowed(clock: VirtualClock) -> None:
    begun: list[int] = []
    results = Group().imap(begun.append, range(10), maxsize=2)
    hub.sleep(1)
    assert begun == [0, 1]
    next(results)
    hub.sleep(1)
    assert begun == [0, 1, 2]
    assert len(list(results)) == 9


def test_membership() -> None:
    member = hub.spawn(hub.sleep, 10)
    group = Group([member])
    assert member in group
    assert list(group) == [member]
    group.add(member)
    group.discard(member)
    assert member not in group
    assert not group.full()
    assert group.wait_available()
    member.kill()


def test_callbacks(clock: VirtualClock) -> None:
    got: list[object] = []
    pool = Pool(1)
    pool.apply_async(double, (1,), callback=got.append)
    pool.apply_async(double, (2,), callback=got.append)  # full: must not wait
    pool.map_async(double, [3], callback=got.append)
    assert clock.time == 0
    hub.get_hub().join()
    assert sorted(map(str, got)) == ["2", "4", "[6]"]


def test_apply_by_a_member_does_not_wait_for_a_slot() -> None:
    pool = Pool(1)
    assert pool.apply(lambda: pool.apply(abs, (-1,))) == 1


def test_sizes() -> None:
    with pytest.raises(ValueError, match="-1"):
        Pool(-1)


def test_a_member_error_is_reported_though_the_pool_links_it(own_hub: hub.Hub) -> None:
    seen: list[object] = []
    own_hub.handle_error = lambda context, kind, value, trace: seen.append(kind)
    pool = Pool(1)
    pool.spawn(fail)
    pool.join()
    assert seen == [ValueError]
