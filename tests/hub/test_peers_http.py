"""The standard library's http.server and http.client, unchanged, on the hub."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.helpers.paths import ROOT

REQUESTS = 1000
SLOW = 1  # seconds that each answer takes

PROGRAM = f"""
import json, resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))

from tests.hub.compat import stdlib
stdlib.replace()

import http.client, http.server, socket, sys, threading, time
import hub
from tests.helpers.paths import PROGRAM, ROOT
assert socket is hub.socket and http.client.socket is hub.socket
assert time.sleep is hub.sleep

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep({SLOW})
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 2048

server = Server(("127.0.0.1", 0), Handler)
port = server.server_address[1]
threading.Thread(target=server.serve_forever, daemon=True).start()

def get(number):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", f"/{{number}}")
    body = connection.getresponse().read()
    connection.close()
    return body.decode()

def post(size):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    sizes = []
    for _ in range(3):
        connection.request("POST", "/", b"x" * size)
        sizes.append(len(connection.getresponse().read()))
    connection.close()
    return sizes

def thousand():
    start = time.monotonic()
    jobs = [hub.spawn(get, number) for number in range({REQUESTS})]
    hub.joinall(jobs, raise_error=True)
    bodies = [job.value for job in jobs]
    right = sum(body == f"/{{number}}" for number, body in enumerate(bodies))
    return right, time.monotonic() - start

right, seconds = thousand()
sizes = hub.spawn(post, 3_000_000).get()
server.shutdown()
server.server_close()
json.dump(dict(right=right, seconds=seconds, sizes=sizes), sys.stdout)
"""


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """What another process measured: there the modules stay replaced to its end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_thousand_slow_requests_take_the_time_of_a_few(
    results: dict[str, Any],
) -> None:
    assert results["right"] == REQUESTS
    one_after_the_other = REQUESTS * SLOW
    assert results["seconds"] < one_after_the_other / 20


def test_large_bodies_on_a_connection_that_is_kept(results: dict[str, Any]) -> None:
    assert results["sizes"] == [3_000_000] * 3
