"""crawler/fetch/connect/connection.py: idle connections, also simulated ones."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

import hub.socket
from crawler.fetch.connect.connection import Connection

KEY: Any = ("http", "a.test", 80)
NO_DESCRIPTOR = 10**6


def nothing() -> bytes:
    raise BlockingIOError


def broken() -> bytes:
    raise ConnectionResetError


class Simulated:
    """A socket of a simulated network: no kernel knows its descriptor."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self.receive = receive
        self.sendall = self.recv_into = None

    def settimeout(self, _seconds: float | None) -> None:
        """Nothing waits."""

    def fileno(self) -> int:
        return NO_DESCRIPTOR

    def recv(self, _size: int, flags: int) -> bytes:
        assert flags & socket.MSG_DONTWAIT
        return self.receive()


@pytest.mark.parametrize(
    ("receive", "stale"),
    [(nothing, False), (bytes, True), (broken, True), (lambda: b"x", True)],
)
def test_a_simulated_connection_is_idle_as_a_real_one(
    receive: Callable[[], bytes], stale: bool
) -> None:
    sock: Any = Simulated(receive)
    assert Connection(sock, KEY, "10.0.0.1", None).is_stale() is stale


def test_a_real_connection_is_stale_when_its_end_or_a_byte_has_come() -> None:
    ours, theirs = hub.socket.socketpair()
    with closing(ours), closing(theirs):
        connection = Connection(ours, KEY, "127.0.0.1", None)
        assert not connection.is_stale()
        theirs.sendall(b"x")
        assert connection.is_stale()
