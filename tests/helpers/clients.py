"""HTTP clients for tests, and servers that send fixed bytes."""

from __future__ import annotations

import socket as standard
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Protocol

import pytest

from crawler.fetch.auth.credentials import Credentials
from crawler.fetch.auth.session_auth import SessionAuth, trusted_origins
from crawler.fetch.client import Client
from crawler.fetch.cookies.jar import CookieJar
from crawler.fetch.dns.system import Resolver
from crawler.model.errors import Failure
from crawler.model.http import Request
from crawler.model.http_config import HttpConfig
from tests.site.fixtures import LIMITS
from tests.site.server import close_gracefully

LOOPBACK = {"127.0.0.1", "127.0.0.2", "localhost"}


class Names:
    """A resolver with a fixed table; records the names that were requested.

    `addresses`: by the first label of the host name.
    """

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.addresses[host.partition(".")[0]]


class Make(Protocol):
    def __call__(
        self,
        config: HttpConfig = ...,
        *,
        named_hosts: Collection[str] = ...,
        auth: SessionAuth | None = ...,
        resolver: Resolver | None = ...,
        secret_headers: Collection[str] = ...,
    ) -> Client: ...


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes clients, and closes them after the test."""
    made = []

    def make(
        config: HttpConfig = LIMITS,
        *,
        named_hosts: Collection[str] = LOOPBACK,
        **more: Any,
    ) -> Client:
        made.append(Client(config, named_hosts=named_hosts, **more))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make: Make) -> Client:
    return make()


@contextmanager
def server(answer: bytes | None) -> Iterator[int]:
    """The port of a server that sends `answer` to any request; None: sends nothing."""
    with standard.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            sock.recv(1)
            sock.sendall(answer or b"")
            close_gracefully(sock)

        if answer is not None:
            threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def session_auth_for(*origins: str, **rest: Any) -> SessionAuth:
    """A SessionAuth with the credentials user:secret for `origins`.

    `rest` replaces or adds arguments.
    """
    given = {"credentials": Credentials("user", "secret"), "netrc": {}} | rest
    nonces = (f"nonce{number}" for number in count())
    return SessionAuth(
        CookieJar(),
        trusted_origins(origins),
        clock=time.time,
        nonce=nonces.__next__,
        **given,
    )


def failing(client: Client, url: str, kind: type[Failure]) -> Failure:
    with pytest.raises(kind) as caught:
        client.fetch(Request(url))
    return caught.value
