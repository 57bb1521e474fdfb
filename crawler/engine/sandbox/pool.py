"""Extraction processes: orders go to them in turn, and each is replaced alone.

Theory. Orders wait in one queue. At the end of the loop's turn they are handed to the
processes, to the one that has the fewest, AHEAD_ORDERS and AHEAD_BYTES ahead. So a
process never waits for the crawl, the crawl sends many orders by one call, and it is
woken for many answers at once (`messages.py`). A process is started when all others
have START_BACKLOG orders: a crawl that has few pages at a time has one.

However a process ends, and whatever it was in the middle of:

- the order that it worked on ends as a coded failure of its one document, and never as
  an end of the crawl;
- the orders behind it, which it has not begun, go back to the head of the queue;
- the next order finds a process in a known state: the stream of one that made no sense,
  was late or crashed is given up with it. A process is kept as long as it answers,
  which saves the 100 to 250 ms of a start.

A caller that gets a Timeout, or is killed, abandons its order. The process that is at
work on it is killed, for it may never come to an end.

The limits on memory and CPU time are kept by the process (`child.py`); the one on
wall-clock time is kept here, for a task that waits without computing.

A process forked from a warm parent of its own would start in 4 ms instead of 250, but
such a parent is one more that can die, and only it could tell how its children ended.
A crawl replaces a process for each hostile document, and those are few.

This needs a hub in real time: a simulated clock does not drive another process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

import hub
from crawler.engine.sandbox.messages import Answer
from crawler.engine.sandbox.process import (
    MB,
    ChildProcess,
    PendingOrder,
    WorkerLimits,
    failure,
)
from crawler.model.errors import BodyFailure, ExtractFailure
from hub.event import AsyncResult
from hub.greenlet import AnyGreenlet

AHEAD_ORDERS = 64
AHEAD_BYTES = 2 * MB
"""What a process has ahead: twice what it answers at once, and one order at least."""
START_BACKLOG = 4

_CLOSED = "the extraction process was closed"
_FAILURES = {kind.code: kind for kind in BodyFailure.__subclasses__()}


class PoolStatistics(Struct, frozen=True):
    """How a pool is now."""

    starts: int
    """Processes started so far."""
    answers: int
    """Orders answered so far, with a result or with a failure of the task."""
    pids: tuple[int, ...]
    """Process ids."""
    waiting: int
    """Orders that no process has yet."""


class ExtractionPool:
    """Runs tasks in child processes, which it starts and replaces as needed.

    `tasks` names the functions that the processes may run (`crawler/extract/tasks.py`).
    Any number of greenlets may share a pool; orders are handed out as they came.
    """

    def __init__(
        self,
        tasks: Mapping[str, str],
        limits: WorkerLimits | None = None,
        processes: int = 1,
    ) -> None:
        """There are at most `processes` of them."""
        self._tasks = tasks
        self._limits = limits or WorkerLimits()
        self._processes = processes
        self._queue: deque[PendingOrder] = deque()
        self._children: dict[ChildProcess, AnyGreenlet] = {}
        self._killed: list[ChildProcess] = []
        self._scheduled = self._closed = False
        self._starts = self._answers = 0

    def run(self, task: str, payload: bytes) -> bytes:
        """The result of the task of that name; may switch to other greenlets.

        Raises the BodyFailure that the task raised, and ExtractFailure for any other
        exception in it, for a limit that it exceeded, and for a process that crashed or
        could not start. KeyError: there is no such task.
        """
        answer: AsyncResult[Answer] = AsyncResult()
        order = self.submit(task, (payload,), answer.set)
        try:
            found = answer.get()
        except BaseException:  # a Timeout, or the greenlet is killed
            self.abandon(order)
            raise
        return result_of(found)

    def submit(
        self, task: str, payload: Sequence[bytes], on_answer: Callable[[Answer], None]
    ) -> PendingOrder:
        """Have the task of that name run; its payload is `payload`, joined.

        Does not switch. `on_answer` is called once with the answer, for `result_of`,
        and must neither raise nor switch: it is called in the middle of many answers.
        KeyError: there is no such task.
        """
        if task not in self._tasks:
            raise KeyError(task)
        order = PendingOrder(task, payload, on_answer)
        if self._closed:
            order.answer(failure(_CLOSED))
        else:
            self._queue.append(order)
            self._schedule()
        return order

    # Handing out

    def _schedule(self) -> None:
        """Hand orders out when those greenlets have had their turn that are due now."""
        if not self._scheduled:
            self._scheduled = True
            hub.get_hub().loop.call_soon(self._hand_out)

    def _hand_out(self) -> None:
        self._scheduled = False
        if self._killed:
            self._killed = [child for child in self._killed if not child.has_ended()]
        while self._queue:
            try:
                child = self._free_child()
            except ExtractFailure as error:
                self._queue.popleft().answer(failure(error.message))
                continue
            if child is None:
                break
            child.take(self._queue.popleft())
        for child in self._children:
            child.send()

    def _free_child(self) -> ChildProcess | None:
        """The process for the next order; None if all have enough to do."""
        fewest = min(self._children, key=_number_of_orders, default=None)
        number = START_BACKLOG if fewest is None else len(fewest.orders)
        if number >= START_BACKLOG and len(self._children) < self._processes:
            return self._start()
        if number < AHEAD_ORDERS and fewest is not None and fewest.bytes < AHEAD_BYTES:
            return fewest
        return None

    def _start(self) -> ChildProcess:
        child = ChildProcess(self._tasks, self._limits, self._schedule)
        self._starts += 1
        self._children[child] = hub.spawn(self._listen, child)
        return child

    # What comes back

    def _listen(self, child: ChildProcess) -> None:
        reason = child.listen()
        if child not in self._children:
            return
        self._remove(child)
        if not child.is_ready:  # another one would not start, either
            for order in child.orders:
                order.answer(failure(reason))
        elif child.orders:
            child.orders.popleft().answer(failure(reason))
            self._put_back(child)

    def _put_back(self, child: ChildProcess) -> None:
        """Orders that it has not begun are the next ones."""
        left = [order for order in child.orders if not order.abandoned]
        for order in left:
            order.child = None
        self._queue.extendleft(reversed(left))
        self._schedule()

    def _remove(self, child: ChildProcess) -> None:
        child.kill()
        self._answers += child.answered
        del self._children[child]
        self._killed.append(child)

    def abandon(self, order: PendingOrder) -> None:
        """The answer is not wanted; without effect once it has come."""
        order.abandoned = True
        child = order.child
        if child is None:
            if order in self._queue:
                self._queue.remove(order)
        elif child in self._children and child.works_on(order):
            self._children[child].kill(block=False)
            self._remove(child)
            self._put_back(child)

    def close(self) -> None:
        """End the processes.

        The orders in progress end as ExtractFailures, and so does each later one.
        """
        self._closed = True
        unanswered = [*self._queue]
        self._queue.clear()
        for child, listener in [*self._children.items()]:
            listener.kill(block=False)
            unanswered += child.orders
            self._remove(child)
        for order in unanswered:
            order.answer(failure(_CLOSED))
        for child in self._killed:
            child.wait()
        self._killed.clear()

    def statistics(self) -> PoolStatistics:
        return PoolStatistics(
            self._starts,
            self._answers + sum(child.answered for child in self._children),
            tuple(child.pid for child in self._children),
            len(self._queue),
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.statistics()}>"


def result_of(answer: Answer) -> bytes:
    """The result of the task. Raises the BodyFailure that there is instead."""
    if answer.code is not None:
        raise _FAILURES.get(answer.code, ExtractFailure)(answer.message)
    return answer.result


def _number_of_orders(child: ChildProcess) -> int:
    return len(child.orders)
