"""Happy Eyeballs (RFC 8305): connect to the first of several addresses that answers.

The next attempt starts when one has failed, or when there was no answer for `delay`
seconds. The first attempt to succeed wins and the others are cancelled. So a host with
one dead address out of two costs a quarter of a second, not a whole connect timeout.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import EADDRNOTAVAIL, EAFNOSUPPORT, ENETUNREACH
from itertools import chain, zip_longest

from hub import Greenlet, killall, spawn
from hub.queue import Empty, Queue
from hub.socket import socket

DELAY = 0.25
"""The "Connection Attempt Delay" that RFC 8305 section 5 recommends (seconds)."""

Connect = Callable[[str], socket]
"""Connects to an address. Raises OSError, and then leaves no open socket behind."""

_NO_ROUTE = frozenset({ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT})
"""The machine has no such network, as IPv6 often; that tells nothing of the host."""

_Result = tuple[str, "socket | OSError"]


def happy_eyeballs(
    addresses: list[str], connect: Connect, delay: float = DELAY
) -> tuple[socket, str]:
    """Return the first connected socket and its address.

    If all attempts fail, raises the OSError of the first address to which this machine
    has a route, or else of the first.
    """
    if len(addresses) == 1:
        return connect(addresses[0]), addresses[0]
    results: Queue[_Result] = Queue()
    running: dict[str, Greenlet[..., None]] = {}
    try:
        return _race(interleave(addresses), connect, results, running, delay)
    finally:
        killall(list(running.values()), block=False)
        while not results.empty():  # attempts that succeeded after the winner
            late = results.get_nowait()[1]
            if not isinstance(late, OSError):
                late.close()


def _race(
    addresses: list[str],
    connect: Connect,
    results: Queue[_Result],
    running: dict[str, Greenlet[..., None]],
    delay: float,
) -> tuple[socket, str]:
    waiting = list(addresses)
    failures: dict[str, OSError] = {}
    while waiting or running:
        if waiting:
            address = waiting.pop(0)
            running[address] = spawn(_attempt, address, connect, results)
        try:
            address, result = results.get(timeout=delay if waiting else None)
        except Empty:
            continue
        del running[address]
        if not isinstance(result, OSError):
            return result, address
        failures[address] = result
    raise next(
        (failures[one] for one in addresses if failures[one].errno not in _NO_ROUTE),
        failures[addresses[0]],
    )


def _attempt(address: str, connect: Connect, results: Queue[_Result]) -> None:
    try:
        results.put((address, connect(address)))
    except OSError as error:
        results.put((address, error))


def interleave(addresses: list[str]) -> list[str]:
    """Alternate the address families, starting with the first address's (section 4)."""
    first = ":" in addresses[0]
    same = [address for address in addresses if (":" in address) == first]
    other = [address for address in addresses if (":" in address) != first]
    pairs = chain.from_iterable(zip_longest(same, other))
    return [address for address in pairs if address is not None]
