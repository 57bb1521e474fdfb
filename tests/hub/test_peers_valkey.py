"""A client and a server by other authors: valkey-py on the hub, and a real server."""

import contextlib
import resource
import shutil
import socket as plain_socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hub
from hub import socket

valkey = pytest.importorskip("valkey", reason="valkey-py is not installed")
from valkey.connection import Connection, ConnectionPool  # noqa: E402

SERVER = shutil.which("valkey-server") or shutil.which("redis-server")
CALLS = 1000

pytestmark = pytest.mark.skipif(
    SERVER is None, reason="neither valkey-server nor redis-server is installed"
)


class HubConnection(Connection):  # type: ignore[misc]
    """All that valkey-py needs: a function that makes its connections."""

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(
            (self.host, self.port), self.socket_connect_timeout
        )
        sock.settimeout(self.socket_timeout)
        return sock


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server of its own, empty."""
    folder: Path = tmp_path_factory.mktemp("valkey")
    for _ in range(10):
        with plain_socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        with _started(port, folder) as process:
            if _listens(process, port):
                yield port
                return
    pytest.fail(f"{SERVER} did not listen on any of ten ports that were free")


@contextlib.contextmanager
def _started(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    assert SERVER is not None
    command = [
        SERVER,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        folder,
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """False if the server ended because another process got its port meanwhile."""
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        with (
            contextlib.suppress(OSError, valkey.ConnectionError),
            valkey.Valkey(port=port) as ours,
        ):
            if ours.info("server")["process_id"] == process.pid:
                return True
        time.sleep(0.05)
    return False


@pytest.fixture
def client(port: int) -> Iterator[Any]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    pool = ConnectionPool(connection_class=HubConnection, host="127.0.0.1", port=port)
    client = valkey.Valkey(connection_pool=pool)
    client.flushall()
    yield client
    pool.disconnect()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_calls_wait_at_once(client: Any) -> None:
    """Each blocks on a connection of its own; all are answered when the values come."""
    takers = [hub.spawn(client.blpop, f"list{n}", 120) for n in range(CALLS)]
    while client.info("clients")["blocked_clients"] < CALLS:
        hub.sleep(0.01)
    assert not any(taker.dead for taker in takers)
    with client.pipeline(transaction=False) as pipe:
        for n in range(CALLS):
            pipe.rpush(f"list{n}", f"value{n}")
        pipe.execute()
    hub.joinall(takers, timeout=120)
    found = [taker.get(block=False) for taker in takers]
    assert found == [(b"list%d" % n, b"value%d" % n) for n in range(CALLS)]


def test_a_thousand_calls_interleave(client: Any) -> None:
    workers = [hub.spawn(client.incr, "counter") for _ in range(CALLS)]
    hub.joinall(workers, raise_error=True)
    assert sorted(worker.value for worker in workers) == list(range(1, CALLS + 1))


def test_pipelines_of_many_greenlets_keep_apart(client: Any) -> None:
    def fill(name: str) -> list[Any]:
        with client.pipeline() as pipe:
            for n in range(200):
                pipe.rpush(name, n)
            pipe.lrange(name, 0, -1)
            result: list[Any] = pipe.execute()
            return result

    workers = [hub.spawn(fill, f"name{n}") for n in range(20)]
    for worker in workers:
        result = worker.get(timeout=120)
        assert result[:-1] == list(range(1, 201))
        assert result[-1] == [b"%d" % n for n in range(200)]


def test_a_value_larger_than_any_buffer(client: Any) -> None:
    value = bytes(range(256)) * 40_000
    client.set("large", value)
    assert client.get("large") == value


def test_publish_and_subscribe(client: Any) -> None:
    heard: dict[int, list[bytes]] = {n: [] for n in range(50)}
    ready = hub.lock.Semaphore(0)

    def listen(number: int) -> None:
        with client.pubsub() as subscription:
            subscription.subscribe("news")
            for message in subscription.listen():
                if message["type"] == "subscribe":
                    ready.release()
                elif message["data"] == b"end":
                    return
                else:
                    heard[number].append(message["data"])

    listeners = [hub.spawn(listen, number) for number in heard]
    for _ in listeners:
        ready.acquire()
    for n in range(100):
        assert client.publish("news", n) == len(listeners)
    client.publish("news", "end")
    hub.joinall(listeners, timeout=120, raise_error=True)
    assert all(found == [b"%d" % n for n in range(100)] for found in heard.values())


def test_a_time_out_interrupts_a_blocking_call_and_the_client_goes_on(
    client: Any,
) -> None:
    with pytest.raises(hub.Timeout), hub.Timeout(0.05):
        client.blpop("never", 120)
    assert client.ping()
