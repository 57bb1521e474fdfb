"""bandwidth: bytes per second, however many receive, in virtual time."""

from __future__ import annotations

from time import monotonic

import pytest

import hub
from crawler.fetch.bandwidth import BandwidthLimiter
from crawler.fetch.client import Client
from crawler.model.errors import TotalTimeout
from crawler.model.http import Request, Response
from crawler.model.http_config import HttpConfig
from hub import socket
from hub.testing import simulated_network, virtual_time
from hub.testing.network import SimulatedNetwork

SIZE = 200_000
WEB = "10.0.0.1"


def now() -> float:
    return hub.get_hub().loop.now()


def test_all_receivers_share_one_limit() -> None:
    with virtual_time():
        limiter = BandwidthLimiter(1000, now)
        began = now()

        def receive() -> None:
            for _ in range(10):
                limiter.acquire(100)

        hub.joinall([hub.spawn(receive) for _ in range(5)])
        assert now() - began == pytest.approx(5.0)


def test_idle_time_is_not_saved_up() -> None:
    with virtual_time():
        limiter = BandwidthLimiter(1000, now)
        limiter.acquire(1000)
        hub.sleep(60)
        began = now()
        limiter.acquire(1000)
        assert now() - began == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("limit", "piece"), [(1, 512), (20_000, 1000), (2 * 2**20, 65536), (2**30, 65536)]
)
def test_the_waits_are_short(limit: int, piece: int) -> None:
    assert BandwidthLimiter(limit, monotonic).piece == piece


# -- the client


def serve(network: SimulatedNetwork) -> None:
    network.host("web.example", WEB, latency=0.001)

    def converse(connection: socket.socket) -> None:
        with connection:
            while connection.recv(4096):
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE
                connection.sendall(head + b"x" * SIZE)

    with socket.create_server((WEB, 80)) as listener:
        while True:
            hub.spawn(converse, listener.accept()[0])


def fetch_at_once(config: HttpConfig, count: int) -> tuple[list[Response], float]:
    """The responses, and how long they took together (seconds)."""
    with simulated_network() as network:
        server = hub.spawn(serve, network)
        hub.sleep(0)
        client = Client(config, named_hosts={WEB}, clock=now)
        began = now()
        jobs = [
            hub.spawn(client.fetch, Request(f"http://{WEB}/{n}")) for n in range(count)
        ]
        try:
            hub.joinall(jobs, raise_error=True)
            return [job.get() for job in jobs], now() - began
        finally:
            client.close()
            server.kill()


def test_the_limit_holds_over_all_requests_of_a_client() -> None:
    responses, took = fetch_at_once(HttpConfig(max_rate=100_000), 3)
    assert [len(response.body) for response in responses] == [SIZE] * 3
    assert took == pytest.approx(6.0, rel=0.02)
    _, unlimited = fetch_at_once(HttpConfig(), 3)
    assert unlimited < 0.1 * took


def test_waiting_for_the_limit_counts_towards_the_timeout() -> None:
    with pytest.raises(TotalTimeout):
        fetch_at_once(HttpConfig(max_rate=100_000, timeout=1.0), 1)
