"""Stages that pass items on by queues; after the tutorial's boss and workers.

Numbers are squared by three workers, summed by one, and the sum is handed over as an
AsyncResult. A worker that finds nothing to do for a while ends.
"""

import gevent
from gevent.event import AsyncResult
from gevent.queue import Empty, JoinableQueue, Queue

numbers = Queue(maxsize=3)
squares = JoinableQueue()
total = AsyncResult()
idle = []


def boss():
    for number in range(1, 26):
        numbers.put(number)


def square(name):
    try:
        while True:
            number = numbers.get(timeout=0.2)
            gevent.sleep(0)
            squares.put(number * number)
    except Empty:
        idle.append(name)


def add():
    result = 0
    for value in squares:
        result += value
        squares.task_done()
    total.set(result)


stages = [gevent.spawn(boss), *(gevent.spawn(square, name) for name in "abc")]
adder = gevent.spawn(add)
gevent.joinall(stages, raise_error=True)
squares.join()
squares.put(StopIteration)
print(total.get(timeout=10), "".join(sorted(idle)))
adder.join()
