"""A simulated internet: any number of hosts with one tiny page each, in virtual time.

The pages are a tree, so that each host has one inlink, and one that is lost loses those
below it. All of the crawl is real: its DNS queries, connections, requests and state. In
memory there is little for each host here: their addresses follow from their numbers.
"""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

import hub
from crawler.engine.builder import open_crawl
from crawler.engine.run_report import resident_bytes
from crawler.model.config import Config
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import PolitenessConfig, ScopeConfig
from hub import socket
from hub.testing import simulated_network
from hub.testing.network import SimulatedNetwork
from tests.helpers.simulated_web import request_heads
from tests.site.name_server import A, records, respond

NAME_SERVER = "11.0.0.53"
FANOUT = 4
CONCURRENCY = 64


class Sample(NamedTuple):
    """The process after so many hosts."""

    hosts: int
    resident: int
    """Bytes."""
    blocks: int
    """Objects that Python holds, or nearly so (`sys.getallocatedblocks`)."""


class Outcome(NamedTuple):
    """What came of a crawl."""

    finish_reason: str
    samples: list[Sample]
    virtual_s: float
    once: int
    """Hosts whose page is in one record."""
    others: int
    """Records of pages that are more, and of errors."""

    @property
    def bytes_per_host(self) -> float:
        """By how much the process grew for each host in the second half."""
        middle, end = self._second_half
        return (end.resident - middle.resident) / (end.hosts - middle.hosts)

    @property
    def blocks_per_host(self) -> float:
        """How many blocks were held more for each host, likewise."""
        middle, end = self._second_half
        return (end.blocks - middle.blocks) / (end.hosts - middle.hosts)

    @property
    def _second_half(self) -> tuple[Sample, Sample]:
        """At the very end there is less: the last hosts wait for nothing."""
        return self.samples[len(self.samples) // 2 - 1], self.samples[-2]


def _sample(hosts: int) -> Sample:
    gc.collect()
    return Sample(hosts, resident_bytes(), sys.getallocatedblocks())


class SimulatedInternet:
    """`hosts` hosts. Make it inside `hub.testing.simulated_network`.

    A sample is kept of each `every` pages that were requested.
    """

    def __init__(self, network: SimulatedNetwork, hosts: int, every: int) -> None:
        self._hosts = hosts
        self._every = every
        self._requested = 0
        self.samples: list[Sample] = []
        machine = network.host("names.example", NAME_SERVER, latency=0.01)
        network.hosts.update({address_of(n): machine for n in range(hosts)})
        self._greenlets = [hub.spawn(self._serve_names), hub.spawn(self._serve)]

    def stop(self) -> None:
        """End the servers."""
        hub.killall(self._greenlets)

    def _serve_names(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((NAME_SERVER, 53))
            while True:
                query, sender = sock.recvfrom(4096)
                answer = respond(query, _answer_of)
                if answer is not None:
                    sock.sendto(answer, sender)

    def _serve(self) -> None:
        with socket.create_server(("0.0.0.0", 80)) as listener:
            while True:
                hub.spawn(self._serve_requests, listener.accept()[0])

    def _serve_requests(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for head in request_heads(connection):
                connection.sendall(self._response(head))

    def _response(self, head: bytes) -> bytes:
        if head.startswith(b"GET /robots.txt "):
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        self._requested += 1
        if self._requested % self._every == 0:
            self.samples.append(_sample(self._requested))
        name = head.partition(b"\r\nHost: ")[2].partition(b"\r\n")[0].decode()
        body = self._page(number_of(name))
        fields = f"Content-Type: text/html\r\nContent-Length: {len(body)}"
        return f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode() + body

    def _page(self, number: int) -> bytes:
        below = range(FANOUT * number + 1, FANOUT * number + FANOUT + 1)
        links = [f'<a href="{url_of(n)}">{n}</a>' for n in below if n < self._hosts]
        return f"<!doctype html><title>{number}</title>{''.join(links)}".encode()


def crawl_internet(hosts: int, folder: Path, samples: int = 10) -> Outcome:
    """Crawl the internet of so many hosts from its first one, into a folder."""
    with simulated_network(1, start=1.8e9) as network:
        internet = SimulatedInternet(network, hosts, hosts // samples)
        began = network.loop.now()
        summary = open_crawl(
            _config(folder), mode="new", clock=network.loop.now, random=Random(1)
        ).run()
        virtual_s = network.loop.now() - began
        internet.stop()
    once, others = _count(folder / "records.jsonl", hosts)
    return Outcome(summary.finish_reason, internet.samples, virtual_s, once, others)


def _config(folder: Path) -> Config:
    return Config(
        seeds=(url_of(0),),
        dir=str(folder),
        concurrency=CONCURRENCY,
        http=HttpConfig(
            dns_servers=(NAME_SERVER,),
            address_family="ipv4",
            allow_net=("11.0.0.0/8",),
            proxy="direct",
        ),
        politeness=PolitenessConfig(wait=0.0),
        scope=ScopeConfig(within="any"),
    )


class _Record(msgspec.Struct):
    type: str
    host: str = ""


def _count(file: Path, hosts: int) -> tuple[int, int]:
    found, others = bytearray(hosts), 0
    decode = msgspec.json.Decoder(_Record).decode
    with file.open("rb") as lines:
        for record in map(decode, lines):
            if record.type == "page":
                number = number_of(record.host)
                others += found[number]
                found[number] = 1
            elif record.type not in ("run", "schema"):
                others += 1
    return sum(found), others


def url_of(number: int) -> str:
    """The URL of a host's page."""
    return f"http://h{number}.example/"


def number_of(name: str) -> int:
    """The number of the host of that name."""
    return int(name[1:].partition(".")[0])


def address_of(number: int) -> str:
    """A host's address."""
    return f"11.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def _answer_of(name: str, kind: int) -> bytes | None:
    return records(address_of(number_of(name))) if kind == A else records()
