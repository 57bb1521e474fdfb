"""A private nginx on a free loopback port, and its access log as the witness of a
crawl.

What a crawler says it did is in its records; what it really asked for is in the
server's log. Every field that a check needs is in the log line, so that no check has to
trust the client.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

_CONFIG = """
daemon off;
worker_processes 1;
pid {home}/pid;
error_log {home}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    include {mime_types};
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 60;
    log_format witness '$status\\t$request_method\\t$sent_http_content_type\\t$request_uri';
    access_log {home}/access.log witness buffer=64k;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {root};
    }}
}}
"""
_MIME_TYPES = Path("/etc/nginx/mime.types")


class Hit(NamedTuple):
    """One line of the access log; `media_type` is without parameters, `target` as it
    was asked."""

    status: int
    method: str
    media_type: str
    target: str

    @classmethod
    def parse(cls, line: str) -> Self:
        status, method, content_type, target = line.rstrip("\n").split("\t")
        return cls(int(status), method, content_type.partition(";")[0].strip(), target)


class Nginx:
    """A running server. `hits` is its access log in order: complete after `stop()`,
    empty before.

    robots.txt is not in it: every crawler may ask for that as often as it likes.
    """

    def __init__(self, root: Path, home: Path) -> None:
        self.hits: list[Hit] = []
        self._home = home
        # nginx takes over listening sockets named in $NGINX (that is how it upgrades
        # itself). Ours listens before nginx runs: the port can't be lost to another
        # process, and a client that comes early waits in the backlog, so nobody has to
        # poll for readiness.
        listener = socket.create_server(("127.0.0.1", 0), backlog=511)
        self.port: int = listener.getsockname()[1]
        config = home / "nginx.conf"
        config.write_text(
            _CONFIG.format(home=home, port=self.port, root=root, mime_types=_MIME_TYPES)
        )
        with listener:
            self._process = subprocess.Popen(
                [_program(), "-p", home, "-c", config, "-e", home / "error.log"],
                pass_fds=[listener.fileno()],
                env={**os.environ, "NGINX": f"{listener.fileno()};"},
                stdin=subprocess.DEVNULL,
            )

    @property
    def url(self) -> str:
        """The root of the site, with the closing slash."""
        return f"http://127.0.0.1:{self.port}/"

    def stop(self) -> None:
        """End gracefully: the last lines of the log are written on the way out."""
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:  # a client still holds a connection open
            self._process.terminate()
            self._process.wait()
        lines = (self._home / "access.log").read_text().splitlines()
        self.hits = [
            hit for hit in map(Hit.parse, lines) if hit.target != "/robots.txt"
        ]


def missing() -> str | None:
    """Why nginx can't be used here, or None if it can."""
    if not shutil.which("nginx", path=_search_path()):
        return "nginx is not installed (Debian package nginx-light)"
    return None if _MIME_TYPES.exists() else f"{_MIME_TYPES} is not there"


@contextmanager
def serve(root: Path) -> Iterator[Nginx]:
    """Serve the folder `root` for the length of the block, in a temporary folder of its
    own."""
    with tempfile.TemporaryDirectory(prefix="orbweb-nginx-") as home:
        server = Nginx(root, Path(home))
        try:
            yield server
        finally:
            server.stop()


def _search_path() -> str:
    """PATH and where Debian puts nginx, which is not in the PATH of ordinary users."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def _program() -> str:
    return shutil.which("nginx", path=_search_path()) or "nginx"
