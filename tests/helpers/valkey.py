"""A server of Valkey or Redis that a test starts, kills, and starts again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

SERVER = shutil.which("valkey-server") or shutil.which("redis-server")
TIMEOUT_S = 60.0


class ValkeyProcess:
    """An own server on a port of 127.0.0.1, with its files in `folder`.

    `persists`: it writes each change to the disk, and reads that when started again.
    """

    def __init__(
        self, folder: Path, *more: str, persists: bool = False, port: int = 0
    ) -> None:
        assert SERVER is not None
        self._folder = folder
        self.more = (*more, "--appendonly", "yes" if persists else "no")
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @classmethod
    def node(cls, folder: Path) -> ValkeyProcess:
        """A node of a cluster."""
        folder.mkdir()
        bus = free_port()
        options = ("--cluster-enabled", "yes", "--cluster-port", str(bus))
        return cls(folder, *options)

    def address(self, crawl: str) -> str:
        return f"valkey://127.0.0.1:{self.port}/{crawl}"

    def start(self) -> None:
        command = [
            *(str(SERVER), "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--dir", str(self._folder), *self.more),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + TIMEOUT_S
        while not self._answers():
            assert self._process.poll() is None, "the server has ended"
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove_data(self) -> None:
        """Remove what it has written: it will begin without memory."""
        for file in self._folder.rglob("*"):
            if file.is_file():
                file.unlink()

    def command(self, *words: str) -> bytes:
        """What the server answers to an inline command."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            sock.sendall(" ".join(words).encode() + b"\r\n")
            return sock.recv(1 << 16)

    def begin_cluster(self, other: ValkeyProcess) -> None:
        """Both are nodes of a cluster; this one has all keys, as `other` is told."""
        self.command("CLUSTER ADDSLOTSRANGE 0 16383")
        other.command(f"CLUSTER MEET 127.0.0.1 {self.port} {self.more[3]}")
        end = time.monotonic() + TIMEOUT_S
        while not (
            self.command("EXISTS a").startswith(b":")
            and other.command("EXISTS a").startswith(b"-MOVED")
        ):
            assert time.monotonic() < end, "the nodes do not meet"
            time.sleep(0.01)

    def _answers(self) -> bool:
        with suppress(OSError):
            answer = self.command("PING")
            return answer.startswith((b"+PONG", b"-NOAUTH"))
        return False


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
