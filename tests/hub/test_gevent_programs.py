"""Programs that were written for gevent run on the hub with their imports changed.

docs/hub/coming-from-gevent.md says which; each runs on gevent, too.
"""

from __future__ import annotations

import http.server
import importlib.util
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

PROGRAMS = ROOT / "tests" / "hub" / "gevent_programs"
LIMIT = 60.0  # seconds for one program


@pytest.fixture(params=["hub", "gevent"])
def library(request: pytest.FixtureRequest) -> str:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


def change_imports(text: str) -> str:
    """The same program for the hub."""
    text = re.sub(
        r"^from gevent import monkey$",
        "from hub import patch as monkey",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(r"^import gevent\b", "import hub as gevent", text, flags=re.MULTILINE)
    return re.sub(r"^from gevent\b", "from hub", text, flags=re.MULTILINE)


def command(name: str, library: str, folder: Path, *arguments: str) -> list[str]:
    text = (PROGRAMS / f"{name}.py").read_text(encoding="utf-8")
    changed = text if library == "gevent" else change_imports(text)
    assert bool(re.search(r"^(import|from) gevent\b", changed, re.MULTILINE)) == (
        library == "gevent"
    )
    program = folder / f"{name}.py"
    program.write_text(changed, encoding="utf-8")
    start = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); "
    start += f"runpy.run_path({str(program)!r}, run_name='__main__')"
    return [sys.executable, "-c", start, *arguments]


def output(command: list[str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_worker_pipeline(library: str, tmp_path: Path) -> None:
    assert output(command("worker_pipeline", library, tmp_path)) == ["5525 abc"]


class Pages(http.server.BaseHTTPRequestHandler):
    """/N has N bytes, and /missing has none."""

    def do_GET(self) -> None:
        number = self.path[1:]
        self.send_response(200 if number.isdigit() else 404)
        body = b"x" * int(number) if number.isdigit() else b"not found"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.server.arrived.wait(LIMIT)  # type: ignore[attr-defined]
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def pages() -> Iterator[str]:
    """A server that answers when four clients are connected at a time."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.arrived = threading.Barrier(4)  # type: ignore[attr-defined]
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


def test_concurrent_download(library: str, tmp_path: Path) -> None:
    with pages() as site:
        names = ["5", "70000", "missing", "0", "1", "2", "3", "4"]
        urls = [f"{site}/{name}" for name in names]
        found = output(command("concurrent_download", library, tmp_path, *urls))
    assert found == [
        "200 5 5",
        "200 70000 70000",
        "404 9 missing",
        "200 0 0",
        "200 1 1",
        "200 2 2",
        "200 3 3",
        "200 4 4",
        "others ran: True",
    ]


def test_echo_server(library: str, tmp_path: Path) -> None:
    started = command("echo_server", library, tmp_path, "3")
    with subprocess.Popen(
        started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None  # the program ends by itself: 30 s
        port = int(server.stdout.readline())
        clients = [
            socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
            for _ in range(3)
        ]
        files = [client.makefile("rwb", buffering=0) for client in clients]
        greetings = [file.readline() for file in files]
        for number, file in enumerate(files):
            file.write(b"line %d\r\n" % number)
        answers = [file.readline() for file in files]
        for client, file in zip(clients, files, strict=True):
            file.write(b"quit\r\n")
            rest = file.read()
            file.close()
            client.close()
            assert rest == b""
        out, errors = server.communicate(timeout=LIMIT)
    assert greetings == [b"Welcome! Type quit to exit.\r\n"] * 3
    assert answers == [b"line %d\r\n" % number for number in range(3)]
    assert (server.returncode, out, errors) == (0, "3 clients\n", "")
