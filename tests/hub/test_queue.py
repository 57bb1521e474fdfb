"""Queues and channels."""

import threading

import pytest

import hub
from hub.queue import (
    Channel,
    Empty,
    Full,
    JoinableQueue,
    LifoQueue,
    PriorityQueue,
    Queue,
    ShutDown,
    SimpleQueue,
)
from hub.testing import VirtualClock


@pytest.mark.parametrize(
    ("kind", "order"), [(SimpleQueue, "bac"), (Queue, "bac"), (LifoQueue, "cab"),
                        (PriorityQueue, "abc")]
)  # fmt: skip
def test_order(kind: type[SimpleQueue[str]], order: str) -> None:
    queue = kind()
    for item in "bac":
        queue.put(item)
    assert len(queue) == queue.qsize() == 3
    assert queue.peek() == order[0]
    assert "".join(queue.get() for _ in range(3)) == order
    assert queue.empty()
    assert bool(queue)


def test_bounds() -> None:
    queue: Queue[int] = Queue(2)
    assert queue.maxsize == 2
    queue.put(1)
    queue.put_nowait(2)
    assert queue.full()
    with pytest.raises(Full):
        queue.put_nowait(3)
    with pytest.raises(Full):
        queue.put(3, timeout=0)
    queue.get()
    queue.get_nowait()
    with pytest.raises(Empty):
        queue.get_nowait()
    with pytest.raises(Empty):
        queue.peek_nowait()
    assert Queue(0).maxsize is None
    with pytest.raises(ValueError, match="negative"):
        queue.get(timeout=-1)


def test_getters_are_served_in_order() -> None:
    queue: Queue[int] = Queue()
    order: list[tuple[int, int]] = []
    greenlets = [
        hub.spawn(lambda number=number: order.append((number, queue.get())))
        for number in range(4)
    ]
    hub.sleep(0)
    for item in range(4):
        queue.put(item)
    hub.joinall(greenlets)
    assert order == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_putters_are_served_in_order() -> None:
    queue: Queue[int] = Queue(1)
    greenlets = [hub.spawn(queue.put, number) for number in range(5)]
    assert [queue.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    hub.joinall(greenlets)


def test_who_comes_later_does_not_overtake(clock: VirtualClock) -> None:
    queue: Queue[str] = Queue()
    waiting = hub.spawn(queue.get)
    hub.sleep(0)
    queue.put("item")
    with pytest.raises(Empty):
        queue.get_nowait()
    assert waiting.get() == "item"


def test_waiting_with_timeout(clock: VirtualClock) -> None:
    queue: Queue[int] = Queue(1)
    with pytest.raises(Empty):
        queue.get(timeout=2)
    queue.put(1)
    with pytest.raises(Full):
        queue.put(2, timeout=3)
    assert clock.time == 5


def test_item_in_the_turn_of_the_getters_timeout(clock: VirtualClock) -> None:
    """The first getter times out when the item comes: the second must get it."""
    queue: Queue[str] = Queue()

    def patient() -> str:
        with hub.Timeout(1, False):
            return "first " + queue.get()
        return "timed out"

    first = hub.spawn(patient)
    second = hub.spawn(queue.get)
    hub.sleep(0)
    hub.get_hub().loop.call_later(1, lambda: queue.put("item"))
    hub.joinall([first, second], timeout=5)
    got = [first.value, second.value]
    assert got in (["timed out", "item"], ["first item", None])
    second.kill()
    assert queue.empty()


def test_killed_after_being_promised_an_item(clock: VirtualClock) -> None:
    queue: Queue[str] = Queue()
    first, second = hub.spawn(queue.get), hub.spawn(queue.get)
    hub.sleep(0)
    hub.get_hub().loop.call_soon(lambda: first.throw(hub.GreenletExit))
    queue.put("item")
    assert second.get(timeout=1) == "item"


def test_a_killed_putter_passes_its_slot_on(clock: VirtualClock) -> None:
    queue: Queue[str] = Queue(1)
    queue.put("old")
    first, second = hub.spawn(queue.put, "first"), hub.spawn(queue.put, "second")
    hub.sleep(0)
    hub.get_hub().loop.call_soon(lambda: first.throw(hub.GreenletExit))
    assert queue.get() == "old"
    second.get(timeout=1)
    assert queue.get_nowait() == "second"


def test_peek_wakes_the_next_too() -> None:
    queue: Queue[str] = Queue()
    peeking, getting = hub.spawn(queue.peek), hub.spawn(queue.get)
    hub.sleep(0)
    queue.put("item")
    assert peeking.get() == "item"
    assert getting.get() == "item"


def test_iteration_ends_at_stop_iteration() -> None:
    queue: SimpleQueue[object] = SimpleQueue(items=[1, 2, StopIteration])
    assert list(queue) == [1, 2]


def test_maxsize_can_grow() -> None:
    queue: Queue[int] = Queue(1, items=[0])
    waiting = hub.spawn(queue.put, 1)
    hub.sleep(0)
    queue.maxsize = 2
    waiting.get(timeout=1)
    assert queue.statistics() == {"qsize": 2, "maxsize": 2, "getters": 0, "putters": 0}


def test_a_waiting_putter_gets_a_slot_when_the_bound_is_lifted() -> None:
    queue: Queue[int] = Queue(1, items=[0])
    waiting = [hub.spawn(queue.put, number) for number in (1, 2, 3)]
    hub.sleep(0)
    queue.maxsize = None
    hub.joinall(waiting, timeout=1, raise_error=True)
    assert [queue.get_nowait() for _ in range(4)] == [0, 1, 2, 3]


def test_a_queue_fed_from_a_thread_wakes_the_hub() -> None:
    queue: Queue[int] = Queue()
    thread = threading.Thread(
        target=lambda: [queue.put(number) for number in range(1000)]
    )
    thread.start()
    assert [queue.get(timeout=60) for _ in range(1000)] == list(range(1000))
    thread.join()


def test_task_done_and_join(clock: VirtualClock) -> None:
    queue: Queue[int] = JoinableQueue(items=[1, 2])
    assert queue.unfinished_tasks == 2

    def work() -> None:
        while True:
            queue.get()
            hub.sleep(1)
            queue.task_done()

    worker = hub.spawn(work)
    assert queue.join(timeout=1.5) is False
    assert queue.join() is True
    assert clock.time == 2
    assert queue.join() is True
    with pytest.raises(ValueError, match="more often"):
        queue.task_done()
    worker.kill()


def test_a_refused_put_is_no_task() -> None:
    queue: Queue[int] = Queue(1, items=[1])
    with pytest.raises(Full):
        queue.put_nowait(2)
    assert queue.unfinished_tasks == 1


def test_shutdown() -> None:
    queue: Queue[int] = Queue(1, items=[1])
    putting = hub.spawn(queue.put, 2)
    hub.sleep(0)
    queue.shutdown()
    with pytest.raises(ShutDown):
        putting.get()
    with pytest.raises(ShutDown):
        queue.put(3)
    assert queue.get() == 1
    with pytest.raises(ShutDown):
        queue.get()


def test_shutdown_at_once() -> None:
    queue: Queue[int] = Queue(items=[1, 2])
    joining = hub.spawn(queue.join)
    hub.sleep(0)
    queue.shutdown(immediate=True)
    assert joining.get() is True
    with pytest.raises(ShutDown):
        queue.get_nowait()


def test_shutdown_takes_back_what_was_promised() -> None:
    queue: Queue[int] = Queue()
    getting = hub.spawn(queue.get)
    hub.sleep(0)
    queue.put(1)
    queue.shutdown(immediate=True)
    with pytest.raises(ShutDown):
        getting.get()


def test_a_subclass_may_override_put_and_get() -> None:
    class Shouting(Queue[str]):
        def _put(self, item: str) -> None:
            self.queue.append(item.upper())

        def _get(self) -> str:
            item: str = self.queue.popleft() + "!"
            return item

    queue = Shouting()
    queue.put("hey")
    assert queue.get() == "HEY!"


# -- channels --------------------------------------------------------------------------


def test_channel_rendezvous() -> None:
    channel: Channel[int] = Channel()
    putting = hub.spawn(channel.put, 1)
    hub.sleep(0)
    assert not putting.dead
    assert channel.balance == 1
    assert channel.get() == 1
    putting.join()
    getting = hub.spawn(channel.get)
    hub.sleep(0)
    assert channel.balance == -1
    channel.put(2)
    assert getting.get() == 2
    assert channel.empty()
    assert channel.full()
    assert channel.qsize() == 0


def test_channel_nowait() -> None:
    channel: Channel[int] = Channel()
    with pytest.raises(Empty):
        channel.get_nowait()
    with pytest.raises(Full):
        channel.put_nowait(1)
    getting = hub.spawn(channel.get)
    hub.sleep(0)
    channel.put_nowait(1)
    with pytest.raises(Full):
        channel.put_nowait(2)
    assert getting.get() == 1


def test_channel_with_timeout(clock: VirtualClock) -> None:
    channel: Channel[int] = Channel()
    with pytest.raises(Empty):
        channel.get(timeout=1)
    with pytest.raises(Full):
        channel.put(1, timeout=1)
    assert clock.time == 2
    assert channel.balance == 0


def test_a_putter_that_leaves_takes_its_offer_back(clock: VirtualClock) -> None:
    channel: Channel[str] = Channel()
    getting = hub.spawn(channel.get)
    hub.sleep(0)
    first = hub.spawn(channel.put, "first")
    hub.get_hub().loop.call_soon(lambda: first.throw(hub.GreenletExit))
    hub.sleep(0)
    channel.put("second")
    assert getting.get() == "second"


def test_channel_iteration() -> None:
    channel: Channel[object] = Channel()

    def feed() -> None:
        for item in (1, 2, StopIteration):
            channel.put(item)

    hub.spawn(feed)
    assert list(channel) == [1, 2]
    assert "putters=0" in repr(channel)
