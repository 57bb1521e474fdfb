"""Fetches from 10,000 host names, 100 per second, with a lossy name server."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import hub
from crawler.fetch.client import Client
from crawler.model.http import Request
from crawler.model.http_config import HttpConfig
from hub import socket
from hub.testing import simulated_network
from hub.testing.network import SimulatedNetwork
from tests.site.name_server import records, respond

NAMES = 10_000
INTERVAL = 0.01
"""Time between two fetches (seconds)."""
NAME_SERVER, WEB = "10.255.0.53", "10.0.0.1"
LATENCY = 0.005
"""Latency of both servers, one way (seconds)."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


def serve_names(network: SimulatedNetwork) -> None:
    network.host("names.example", NAME_SERVER, latency=LATENCY, loss=0.025)  # each way
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((NAME_SERVER, 53))
        while True:
            query, sender = sock.recvfrom(4096)
            answer = respond(query, lambda name, kind: records(WEB))
            assert answer is not None
            sock.sendto(answer, sender)


def serve_web(network: SimulatedNetwork) -> None:
    network.host("web.example", WEB, latency=LATENCY)

    def converse(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(ANSWER)

    with socket.create_server((WEB, 80), backlog=512) as listener:
        while True:
            hub.spawn(converse, listener.accept()[0])


def test_no_fetch_waits_for_the_name_of_another() -> None:
    config = HttpConfig(
        dns_servers=(NAME_SERVER,),
        allow_net=("10.0.0.0/8",),
        dns_timeout=30.0,
        address_family="ipv4",
    )
    took: Counter[float] = Counter()
    with simulated_network(seed=5) as network:
        servers = [hub.spawn(serve_names, network), hub.spawn(serve_web, network)]
        client = Client(config, clock=network.loop.now)

        def fetch(number: int) -> None:
            began = network.loop.now()
            response = client.fetch(Request(f"http://n{number}.example/"))
            assert response.body == b"hi"
            took[round(network.loop.now() - began, 3)] += 1

        jobs = []
        for number in range(NAMES):
            jobs.append(hub.spawn(fetch, number))
            hub.sleep(INTERVAL)
        hub.joinall(jobs, raise_error=True)
        client.close()
        hub.killall(servers)
    assert sum(took.values()) == NAMES
    # Three round trips (for the name, the connection and the response), plus the
    # timeouts of the query's own lost packets: 1 second, then 2 more, then 4 more.
    at_once = min(took)
    assert at_once <= 6 * LATENCY + 0.001
    assert {round(seconds - at_once, 3) for seconds in took} <= {0, 1, 3, 7, 11}
    assert 0.94 * NAMES < took[at_once] < 0.96 * NAMES
