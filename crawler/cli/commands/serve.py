"""`orbweb serve [DIR...]`: metrics for Prometheus, and a page, of crawls."""

from __future__ import annotations

import os
import signal
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import click

import hub
from crawler.cli.serving.crawls import MAX_HOSTS, Crawls, NoCrawl
from crawler.cli.serving.http import Connection, HostNames
from crawler.cli.terminal.formatting import printable
from crawler.model.errors import UsageError
from hub.event import Event
from hub.server import StreamServer

if TYPE_CHECKING:
    from crawler.cli.serving.site import Site

MAX_CONNECTIONS = 64
"""Connections at once; further ones wait in the queue of the system."""
STOP_S = 2.0
"""Responses under way may take so long after a signal (seconds)."""


class ListenAddress(click.ParamType[tuple[str, int]]):
    """HOST:PORT, [IPV6]:PORT, a port of 127.0.0.1, or :PORT for all addresses."""

    name = "ADDRESS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, colon, port = value.rpartition(":")
        if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
            self.fail(f"expected HOST:PORT, as in 127.0.0.1:9090 ({value!r})", param)
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            self.fail(f"an IPv6 address needs brackets: [{host}]:{port}", param)
        host = host.removeprefix("[").removesuffix("]")
        return host or ("0.0.0.0" if colon else "127.0.0.1"), int(port)


@click.command("serve")
@click.argument("folders", nargs=-1, metavar="[DIR...]")
@click.option(
    "--listen", type=ListenAddress(), default="127.0.0.1:9090", show_default=True,
    help="Where to listen; port 0 is a free one",
)  # fmt: skip
@click.option(
    "--allow-host", "names", multiple=True, metavar="NAME",
    help="A further name that clients may ask for; repeatable",
)  # fmt: skip
@click.option(
    "--max-hosts", type=click.IntRange(0, MAX_HOSTS), default=20, show_default=True,
    metavar="N", help="Hosts of a crawl that have a metric of their own",
)  # fmt: skip
@click.option(
    "-q", "--quiet", is_flag=True, help="Show nothing unless something goes wrong"
)
def command(
    folders: tuple[str, ...],
    listen: tuple[str, int],
    names: tuple[str, ...],
    max_hosts: int,
    quiet: bool,
) -> None:
    """Serve metrics for Prometheus and a page of the crawls in DIRs (default: here).

    / is a page with the progress of each crawl, running or not, /metrics is for
    Prometheus, and /healthz tells that the server answers. Of a DIR that holds no
    crawl, those in the folders below it are served. Everything is read-only.

    \b
    orbweb serve out
    orbweb serve /srv/crawls --listen 0.0.0.0:9090
    """
    crawls = _crawls(folders or (".",))
    server = _server(crawls, listen, names, max_hosts)
    for one in crawls.all():
        if isinstance(one, NoCrawl):
            click.echo(f"orbweb: {printable(_why_none(one))}", err=True)
    if not quiet:
        _announce(server.address)
    stopped = Event()
    handlers = [
        hub.signal_handler(number, stopped.set)
        for number in (signal.SIGINT, signal.SIGTERM)
    ]
    with server:
        try:
            stopped.wait()
        finally:
            for handler in handlers:
                handler.cancel()
            server.stop(STOP_S)


def _crawls(folders: tuple[str, ...]) -> Crawls:
    """The crawls to serve. Raises UsageError for a folder that is not there."""
    for folder in folders:
        if not os.path.isdir(folder):
            raise UsageError(f"{folder}: there is no such folder")
    return Crawls(folders)


def _why_none(folder: NoCrawl) -> str:
    if folder.state == "no crawl":
        return f"{folder.name} holds no crawl yet; those that begin in it are served"
    return folder.message


def _server(
    crawls: Crawls,
    listen: tuple[str, int],
    names: tuple[str, ...],
    max_hosts: int,
) -> StreamServer:
    """A server that listens. Raises UsageError if it can't."""
    site = _site(crawls, max_hosts)

    def serve(connection: Any, address: object) -> None:
        answer.serve(connection, address)

    try:
        server = StreamServer(listen, serve, spawn=MAX_CONNECTIONS)
    except OSError as error:
        shown = _show(*listen)
        raise UsageError(f"--listen {shown}: {error.strerror or error}") from error
    answer = Connection(site.respond, HostNames(server.address[0], names))
    return server


def _site(crawls: Crawls, max_hosts: int) -> Site:
    try:
        from crawler.cli.serving.site import Site
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != "prometheus_client":
            raise
        raise UsageError(
            "serve needs prometheus-client: pip install 'orbweb[serve]'"
        ) from error
    return Site(crawls, max_hosts)


def _announce(address: Any) -> None:
    host, port = address[:2]
    click.echo(f"orbweb: http://{_show(host, port)}/ (Ctrl-C stops)", err=True)
    if not ip_address(host).is_loopback:
        click.echo(
            "orbweb: all who reach this address can read the URLs of the crawls",
            err=True,
        )


def _show(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
