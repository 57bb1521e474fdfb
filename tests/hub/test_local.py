"""Greenlet-local values."""

import gc
import weakref

import pytest

import hub
from hub.local import all_local_dicts_for_greenlet, local


def test_every_greenlet_has_its_own() -> None:
    values = local()
    values.name = "main"

    def body(name: str) -> str:
        assert not hasattr(values, "name")
        values.name = name
        hub.sleep(0)
        return str(values.name)

    greenlets = [hub.spawn(body, name) for name in "ab"]
    hub.joinall(greenlets)
    assert [greenlet.value for greenlet in greenlets] == ["a", "b"]
    assert values.name == "main"
    assert values.__dict__ == {"name": "main"}
    del values.name
    with pytest.raises(AttributeError):
        values.name  # noqa: B018
    with pytest.raises(AttributeError):
        del values.name


def test_init_of_a_subclass_runs_in_every_greenlet() -> None:
    class Counter(local):
        step = 1

        def __init__(self, start: int) -> None:
            self.count = start

        def up(self) -> int:
            self.count += self.step
            return self.count

    counter = Counter(10)
    assert [counter.up(), counter.up()] == [11, 12]
    assert hub.spawn(counter.up).get() == 11
    assert counter.count == 12


def test_arguments_without_init_are_refused() -> None:
    with pytest.raises(TypeError):
        local(1)


def test_properties_and_slots_of_a_subclass() -> None:
    class Both(local):
        __slots__ = ("shared",)

        @property
        def double(self) -> int:
            return int(self.own) * 2

        @double.setter
        def double(self, value: int) -> None:
            self.own = value // 2

    both = Both()
    both.shared, both.double = "for all", 8
    assert both.own == 4
    assert hub.spawn(lambda: (both.shared, hasattr(both, "own"))).get() == (
        "for all",
        False,
    )
    del both.shared
    assert not hasattr(both, "shared")


def test_the_dict_is_not_to_be_replaced() -> None:
    values = local()
    with pytest.raises(AttributeError):
        values.__dict__ = {}
    with pytest.raises(AttributeError):
        del values.__dict__


class Thing:
    pass


def test_values_end_with_the_greenlet() -> None:
    values = local()

    def body() -> "weakref.ref[Thing]":
        values.thing = Thing()
        return weakref.ref(values.thing)

    greenlet = hub.spawn(body)
    gone = greenlet.get()
    del greenlet
    hub.sleep(0)
    gc.collect()
    assert gone() is None


def test_values_end_with_the_local() -> None:
    values = local()
    values.thing = Thing()
    gone = weakref.ref(values.thing)
    del values
    gc.collect()
    assert gone() is None


def test_the_values_of_another_greenlet_can_be_looked_at() -> None:
    class Named(local):
        pass

    plain, named = local(), Named()

    def work() -> None:
        plain.number = 1
        named.name = "x"
        hub.sleep(0)

    working = hub.spawn(work)
    hub.sleep(0)
    assert all_local_dicts_for_greenlet(working) == [
        ((local, id(plain)), {"number": 1}),
        ((Named, id(named)), {"name": "x"}),
    ]
    working.join()
    assert all_local_dicts_for_greenlet(working) == []


def test_a_data_descriptor_of_a_subclass_comes_first() -> None:
    class Fixed(local):
        @property
        def number(self) -> int:
            return 7

    class Fixed2(Fixed):
        """The descriptor is inherited."""

    for fixed in (Fixed(), Fixed2()):
        fixed.__dict__["number"] = 1
        fixed.other = 2
        assert (fixed.number, fixed.other) == (7, 2)
        with pytest.raises(AttributeError) as caught:
            fixed.missing  # noqa: B018
        assert caught.value.__context__ is None
