"""A private nginx on a free loopback port, with an access log to check a crawl by.

A crawl's records say what it did; the server's log shows what it requested. A log line
has every field that a check needs, so no check has to trust the client.
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
    log_format check '$status\\t$request_method\\t'
                     '$sent_http_content_type\\t$request_uri';
    access_log {home}/access.log check buffer=64k;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port} {listen};
        root {root};
        {directives}
    }}
}}
"""
_MIME_TYPES = Path("/etc/nginx/mime.types")


class Hit(NamedTuple):
    """One line of the access log.

    `media_type` is without parameters, `target` as it was requested.
    """

    status: int
    method: str
    media_type: str
    target: str

    @classmethod
    def parse(cls, line: str) -> Self:
        status, method, content_type, target = line.rstrip("\n").split("\t")
        return cls(int(status), method, content_type.partition(";")[0].strip(), target)


class Nginx:
    """A running server. `hits` is its access log in order: empty until `stop()`.

    It leaves robots.txt out, which a crawler may request as often as it likes.
    """

    def __init__(
        self, root: Path, home: Path, listen: str = "", directives: str = ""
    ) -> None:
        self.hits: list[Hit] = []
        self._home = home
        # nginx takes over the listening sockets named in $NGINX, as in an upgrade of
        # itself. Ours listens before nginx runs: no other process can take the port,
        # and an early client waits in the backlog, so no test polls for readiness.
        listener = socket.create_server(("127.0.0.1", 0), backlog=511)
        self.port: int = listener.getsockname()[1]
        config = home / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                home=home,
                port=self.port,
                root=root,
                mime_types=_MIME_TYPES,
                listen=listen,
                directives=directives,
            )
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
        """End gracefully, so that the last lines of the log are written."""
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
def serve(root: Path, listen: str = "", directives: str = "") -> Iterator[Nginx]:
    """Serve the folder `root` during the block.

    Nginx's own files go to a temporary one. `listen` are parameters of the directive of
    that name, and `directives` further ones of the server.
    """
    with tempfile.TemporaryDirectory(prefix="orbweb-nginx-") as home:
        server = Nginx(root, Path(home), listen, directives)
        try:
            yield server
        finally:
            server.stop()


def _search_path() -> str:
    """PATH, and the folder of Debian's nginx, which most users' PATH leaves out."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def _program() -> str:
    return shutil.which("nginx", path=_search_path()) or "nginx"
