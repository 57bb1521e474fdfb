"""Happy Eyeballs (RFC 8305): connect to the first of several addresses that answers.

The next attempt begins when one failed, or after DELAY without an answer. The first to
succeed wins, and the others are ended. A host with one dead address of two then costs a
quarter of a second, not a whole connect time-out.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, zip_longest

from hub import Greenlet, killall, spawn
from hub.queue import Empty, Queue
from hub.socket import socket

DELAY = 0.25
"""Seconds: the "Connection Attempt Delay" that RFC 8305 section 5 recommends."""

Attempt = Callable[[str], socket]
"""Connects to an address. Raises OSError; closes its socket whenever it raises."""

_Result = tuple[str, "socket | OSError"]


def connect_first(addresses: list[str], attempt: Attempt) -> tuple[socket, str]:
    """The connected socket and its address. Raises the OSError of the first address if
    all fail."""
    if len(addresses) == 1:
        return attempt(addresses[0]), addresses[0]
    results: Queue[_Result] = Queue()
    running: dict[str, Greenlet] = {}
    try:
        return _race(interleave(addresses), attempt, results, running)
    finally:
        killall(list(running.values()), block=False)
        while not results.empty():  # they came in second
            late = results.get_nowait()[1]
            if not isinstance(late, OSError):
                late.close()


def _race(
    addresses: list[str],
    attempt: Attempt,
    results: Queue[_Result],
    running: dict[str, Greenlet],
) -> tuple[socket, str]:
    waiting = list(addresses)
    failures: dict[str, OSError] = {}
    while waiting or running:
        if waiting:
            address = waiting.pop(0)
            running[address] = spawn(_report, address, attempt, results)
        try:
            address, result = results.get(timeout=DELAY if waiting else None)
        except Empty:
            continue
        del running[address]
        if not isinstance(result, OSError):
            return result, address
        failures[address] = result
    raise failures[addresses[0]]


def _report(address: str, attempt: Attempt, results: Queue[_Result]) -> None:
    try:
        results.put((address, attempt(address)))
    except OSError as error:
        results.put((address, error))


def interleave(addresses: list[str]) -> list[str]:
    """Address families by turns, the family of the first one first (RFC 8305 section
    4)."""
    first = ":" in addresses[0]
    same = [address for address in addresses if (":" in address) == first]
    other = [address for address in addresses if (":" in address) != first]
    pairs = chain.from_iterable(zip_longest(same, other))
    return [address for address in pairs if address is not None]
