"""What mypy has to know of the hub; `test_types.py` runs it over this file.

A line that ends in ``# E: code`` must have exactly that error, and no other line may
have one. Nothing here is run.
"""

from concurrent.futures import Future, as_completed
from typing import Any, assert_type

import hub
from hub.channel import Channel
from hub.event import AsyncResult
from hub.greenlet import Greenlet
from hub.pool import Group, Pool
from hub.queue import PriorityQueue, Queue, SimpleQueue
from hub.threadpool import ThreadPool, ThreadPoolExecutor


def length(text: str, factor: int = 1) -> int:
    return len(text) * factor


def nothing() -> None:
    pass


class Named:
    def method(self, number: int, *, key: bytes) -> float:
        return number * len(key) / 2


class Worker(Greenlet[[int], str]):
    """A subclass that overrides `_run`."""

    def _run(self, number: int) -> str:
        return str(number)


def greenlets() -> None:
    job = hub.spawn(length, "four", factor=2)
    assert_type(job.get(), int)
    assert_type(job.value, int | None)
    assert_type(job.exception, BaseException | None)
    assert_type(job.join(timeout=1), bool)
    hub.spawn(length, 4)  # E: arg-type
    hub.spawn(length)  # E: call-arg
    hub.spawn(length, "four", faktor=2)  # E: call-arg
    hub.spawn(length("four"))  # E: arg-type
    hub.spawn(nothing, 1)  # E: call-arg
    job.get().upper()  # E: attr-defined
    job.get(timeout="1")  # E: arg-type
    assert_type(hub.spawn(Named().method, 1, key=b"").get(), float)
    hub.spawn(Named().method, 1, key="")  # E: arg-type
    assert_type(hub.spawn(lambda: b"").get(), bytes)


def later_and_raw() -> None:
    assert_type(hub.spawn_later(1.5, length, "four").get(), int)
    hub.spawn_later(1.5, length, 4)  # E: arg-type
    hub.spawn_later("soon", length, "four")  # E: arg-type
    hub.spawn_raw(length, "four", 2)
    hub.spawn_raw(length, 4)  # E: arg-type


def made_by_hand() -> None:
    assert_type(Greenlet(length, "four").get(), int)
    Greenlet(length, 4)  # E: call-overload
    assert_type(Greenlet.spawn(length, "four").get(), int)
    Greenlet.spawn(length, 4)  # E: call-overload
    assert_type(Worker(None, 3).get(), str)
    assert_type(Worker.spawn(None, 3), Worker)


def links_and_joins() -> None:
    job = hub.spawn(length, "four")

    def ended(source: Greenlet[..., int]) -> None:
        assert_type(source.get(), int)

    def ended_with_text(source: Greenlet[..., str]) -> None:
        pass

    job.link(ended)
    job.link_value(ended)
    job.link_exception(ended)
    job.link(ended_with_text)  # E: arg-type
    jobs = [hub.spawn(length, "a"), hub.spawn(length, "b")]
    assert_type([done.get() for done in hub.joinall(jobs)], list[int])
    assert_type([done.get() for done in hub.iwait(jobs)], list[int])
    hub.joinall([length])  # E: type-var
    hub.killall(jobs, timeout="1")  # E: arg-type


def pools() -> None:
    pool = Pool(4)
    assert_type(pool.spawn(length, "four").get(), int)
    pool.spawn(length, 4)  # E: arg-type
    assert_type(pool.map(length, ["four"]), list[int])
    pool.map(length, [4])  # E: arg-type
    assert_type(pool.map_async(length, ["four"]).get(), list[int])
    assert_type(list(pool.imap(length, ["four"])), list[int])
    assert_type(list(pool.imap_unordered(length, ["four"], [2])), list[int])
    pool.imap(length, [4])  # E: arg-type
    pool.imap_unordered(length, [4])  # E: arg-type
    for number in pool.imap(length, ["four"]):
        number.upper()  # E: attr-defined
    assert_type(pool.apply(length, ("four",)), int)
    assert_type(pool.apply(length, ("four",), {"factor": 2}), int)
    pool.apply(nothing)
    pool.apply(length, (4,))  # E: arg-type
    pool.apply(length)  # E: arg-type
    assert_type(pool.apply_async(length, ("four",)).get(), int)
    assert_type(Group().spawn(length, "four").get(), int)
    Group().spawn(length, 4)  # E: arg-type


def nurseries() -> None:
    with hub.Nursery() as nursery:
        assert_type(nursery.spawn(length, "four").get(), int)
        nursery.spawn(length, 4)  # E: arg-type


def serving(*, task_status: hub.TaskStatus[int]) -> None:
    task_status.started(80)
    task_status.started("http")  # E: arg-type
    task_status.started()  # E: call-arg


def ready(*, task_status: hub.TaskStatus[None]) -> None:
    task_status.started()


def threads() -> None:
    pool = ThreadPool(2)
    assert_type(pool.spawn(length, "four"), AsyncResult[int])
    pool.spawn(length, 4)  # E: arg-type
    pool.submit(length, 4)  # E: arg-type
    assert_type(pool.map(length, ["four"]), list[int])
    assert_type(pool.apply(length, ("four",)), int)
    with ThreadPoolExecutor(2) as executor:
        future = executor.submit(length, "four")
        as_completed([future])
        plain: Future[int] = future
        assert_type(plain.result(), int)
        executor.submit(length, 4)  # E: arg-type
        assert_type(list(executor.map(length, ["four"])), list[int])


def results_and_queues() -> None:
    result = AsyncResult[int]()
    result.set(1)
    result.set("one")  # E: arg-type
    assert_type(result.get(), int)
    assert_type(result.wait(), int | None)
    queue = Queue[str](maxsize=2)
    queue.put("a")
    queue.put(1)  # E: arg-type
    assert_type(queue.get(timeout=1), str)
    assert_type(list(queue), list[str])
    assert_type(SimpleQueue(items=[1]).get(), int)
    assert_type(PriorityQueue[tuple[int, str]]().get(), tuple[int, str])
    channel = Channel[bytes]()
    channel.put(b"")
    channel.put("")  # E: arg-type
    assert_type(channel.get(), bytes)


def limits() -> None:
    assert_type(hub.with_timeout(1, length, "four"), int)
    hub.with_timeout(1, length, 4)  # E: call-overload
    assert_type(hub.with_timeout(1, length, "four", timeout_value=0), int)
    hub.signal_handler(10, length, "four")
    hub.signal_handler(10, length, 4)  # E: arg-type


def unknown_code(function: Any) -> None:
    """What has no types is accepted."""
    hub.spawn(function, 1, key=2).get().anything()
