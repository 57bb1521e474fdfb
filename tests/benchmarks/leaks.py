"""What is left over after a million times spawn, join, time-out, kill, connect.

    python -m tests.benchmarks.leaks                   a million cycles, some minutes
    python -m tests.benchmarks.leaks --cycles 20000

The collector runs only after each tenth is measured, so that cycles of references show
too. It prints the counts for each tenth; the first line comes after a hundredth of the
cycles, when caches and free lists have their size. The exit status is 1 if at the end
there are more greenlets, timers, callbacks or descriptors than before, or more memory:
blocks of Python's allocator, and bytes of the process.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from msgspec import Struct

import hub
from hub import socket
from hub.pool import Group
from hub.testing import ResourceCounts, count_resources

WORKERS = 10
"""Greenlets that run cycles at the same time."""
SLACK_BLOCKS = 500
SLACK_BYTES = 4 * 2**20
"""How much interned strings, free lists and the C library's heap may differ.

This does not depend on the number of cycles.
"""


class Footprint(Struct, frozen=True):
    """What the process holds at one moment."""

    blocks: int
    """Blocks of Python's allocator."""
    resident: int
    """Resident memory (bytes)."""
    resources: ResourceCounts


def measure_footprint() -> Footprint:
    """Measure the present footprint.

    Memory comes first: to count resources collects garbage, which would hide some.
    """
    hub.sleep(0)
    blocks = sys.getallocatedblocks()
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Footprint(blocks, resident, count_resources())


def leaks(before: Footprint, after: Footprint) -> list[str]:
    """What there is more of than before, in words."""
    found = []
    if after.resources != before.resources:
        found.append(f"left over: before {before.resources}, after {after.resources}")
    if after.blocks > before.blocks + SLACK_BLOCKS:
        found.append(f"{after.blocks - before.blocks} blocks of memory")
    if after.resident > before.resident + SLACK_BYTES:
        found.append(f"{after.resident - before.resident} bytes of memory")
    return found


class EchoServer:
    """An echo server on loopback, with a greenlet for each connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address: tuple[str, int] = self._listener.getsockname()
        self.connections = Group()
        self._accepting = hub.spawn(self._serve)

    def close(self) -> None:
        """Take no more connections."""
        self._accepting.kill()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            self.connections.spawn(_echo, self._listener.accept()[0])


def _echo(connection: socket.socket) -> None:
    with connection:
        while data := connection.recv(100):
            connection.sendall(data)


def cycle(address: tuple[str, int]) -> None:
    """Spawn and join, cancel a Timeout, let one fire, kill, connect: each once."""
    hub.spawn(len, ()).join()
    with hub.Timeout(1000):
        hub.sleep(0)
    with suppress(hub.Timeout), hub.Timeout(0):
        hub.sleep(1000)
    parked = hub.spawn(hub.sleep, 1000)
    hub.sleep(0)
    parked.kill()
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(b"ping")
        reply = client.recv(100)
    if reply != b"ping":
        raise SystemExit(f"the echo server sent {reply!r}")


def cycles(server: EchoServer, count: int) -> None:
    """Run `count` cycles, in WORKERS greenlets."""

    def work(share: int) -> None:
        for _ in range(share):
            cycle(server.address)

    shares = [
        count // WORKERS + (number < count % WORKERS) for number in range(WORKERS)
    ]
    hub.joinall([hub.spawn(work, share) for share in shares], raise_error=True)
    server.connections.join()


@contextmanager
def no_collector() -> Iterator[None]:
    """Only reference counting frees objects inside the block."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _row(done: int, now: Footprint, seconds: float) -> str:
    found = now.resources
    return (
        f"{done:>9} {now.blocks:>9} {now.resident / 2**20:>9.2f}"
        f" {found.greenlets:>10} {found.timers:>7} {found.callbacks:>10}"
        f" {found.descriptors:>12} {seconds:>8.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=1_000_000)
    count: int = parser.parse_args().cycles
    began = time.monotonic()
    print(
        "   cycles    blocks  RSS, MiB"
        "  greenlets  timers  callbacks  descriptors  seconds"
    )
    with closing(EchoServer()) as server, no_collector():
        cycles(server, count // 100)
        before = after = measure_footprint()
        print(_row(count // 100, before, time.monotonic() - began), flush=True)
        for tenth in range(1, 11):
            cycles(server, count // 10)
            after = measure_footprint()
            print(
                _row(tenth * count // 10, after, time.monotonic() - began), flush=True
            )
    if found := leaks(before, after):
        raise SystemExit("\n".join(found))
    print("nothing is left over")


if __name__ == "__main__":
    main()
