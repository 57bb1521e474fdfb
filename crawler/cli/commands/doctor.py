"""`orbweb doctor [DIR]`: is this machine fit for a crawl, and the folder? No network is
used."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import click
import msgspec
from msgspec import Struct

from crawler import __version__
from crawler.cli.terminal.formatting import printable
from crawler.fetch.dns.files import RESOLV_CONF, read_resolv_conf
from crawler.model.config import Config, HttpConfig
from crawler.model.errors import OutputError, Stop, UsageError
from crawler.model.units import show_bytes

State = Literal["good", "poor", "bad"]

LIBRARIES = {
    "ada_url": "ada-url", "brotli": "brotli", "dns": "dnspython", "greenlet": "greenlet",
    "httptools": "httptools", "lxml.etree": "lxml", "publicsuffixlist": "publicsuffixlist",
    "re2": "google-re2", "rich": "rich", "webencodings": "webencodings",
}  # fmt: skip
"""Modules, and the packages that they are of."""
LEAST_SPACE = 2**30
EARLIEST = 1_760_000_000
"""Seconds since the epoch: no clock can be right that shows less (October 2025)."""


class Finding(Struct, frozen=True):
    """What was looked at, how it stands, and what to do about it."""

    subject: str
    state: State
    said: str
    advice: str = ""


@click.command("doctor")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, for programs.")
def command(folder: str, as_json: bool) -> int:
    """Look whether this machine, and DIR (default: here), are fit for a crawl.

    Uses no network. Ends with 3 if something would keep a crawl from working.
    """
    found = list(findings(Path(folder)))
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        for one in found:
            click.echo(printable(f"{one.state:<5} {one.subject:<13} {one.said}"))
            if one.advice:
                click.echo(printable(f"{'':<19} {one.advice}"))
    return OutputError.exit_code if any(one.state == "bad" for one in found) else 0


def findings(folder: Path, resolv_conf: Path = RESOLV_CONF) -> Iterator[Finding]:
    """Everything, in the order in which it matters. A folder that is not there yet can
    be made."""
    while not folder.exists() and folder.name:
        folder = folder.parent
    yield _program()
    yield _libraries()
    yield _folder(folder)
    yield _space(folder)
    yield _descriptors()
    yield _clock(time.time())
    yield _certificates()
    yield _name_servers(resolv_conf)
    yield _proxies()
    yield _screen()


def _program() -> Finding:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()}"
    state: State = "good" if sys.platform == "linux" else "poor"
    return Finding("program", state, f"orbweb {__version__}, {python}, {system}")


def _libraries() -> Finding:
    missing: list[str] = []
    for module, package in LIBRARIES.items():
        try:
            import_module(module)
        except ImportError as error:
            missing.append(f"{package} ({error})")
    if missing:
        advice = "install orbweb anew: pip install --force-reinstall orbweb"
        return Finding(
            "libraries", "bad", f"can't be loaded: {', '.join(missing)}", advice
        )
    found = [f"{package} {version(package)}" for package in LIBRARIES.values()]
    return Finding("libraries", "good", ", ".join(found))


def _folder(folder: Path) -> Finding:
    """Some network file systems refuse locks, or what SQLite needs."""
    from crawler.workspace.folder import try_out

    try:
        try_out(folder)
    except (OSError, Stop) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        advice = "name another folder with --dir, on a local file system"
        return Finding(
            "folder", "bad", f"{folder}: no crawl can be kept here: {said}", advice
        )
    return Finding("folder", "good", f"{folder.absolute()} takes a crawl")


def _space(folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding("disk", "bad", f"{folder}: {error.strerror}")
    if free < LEAST_SPACE:
        return Finding(
            "disk", "poor", f"{show_bytes(free)} free", "a crawl stops where it is full"
        )
    return Finding("disk", "good", f"{show_bytes(free)} free")


def _descriptors() -> Finding:
    usual, http = Config(), HttpConfig()
    wanted = usual.concurrency + usual.slow_concurrency + http.max_idle + 64
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most >= wanted:
        return Finding(
            "descriptors", "good", f"{most} may be open, {wanted} are enough"
        )
    advice = f"ulimit -n {2 * wanted}, or a smaller -c and http.max_idle"
    return Finding(
        "descriptors", "poor", f"{most} may be open, {wanted} are wanted", advice
    )


def _clock(now: float) -> Finding:
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now >= EARLIEST:
        return Finding("clock", "good", shown)
    return Finding(
        "clock", "bad", shown, "set it: certificates will seem not to be valid yet"
    )


def _certificates() -> Finding:
    import ssl

    paths = ssl.get_default_verify_paths()
    here = [path for path in (paths.cafile, paths.capath) if path is not None]
    count = ssl.create_default_context().cert_store_stats()["x509_ca"]
    if count or (paths.capath and os.listdir(paths.capath)):
        return Finding("certificates", "good", f"authorities in {' and '.join(here)}")
    advice = "install the package ca-certificates, or name a file with --cacert"
    return Finding("certificates", "bad", "the system knows no authority", advice)


def _name_servers(resolv_conf: Path) -> Finding:
    try:
        servers = read_resolv_conf(resolv_conf.read_text("utf-8", "replace"))
    except OSError:
        servers = []
    if servers:
        return Finding("name servers", "good", ", ".join(map(str, servers)))
    advice = f"name one in {resolv_conf} or with --dns-servers; until then the system is asked"
    return Finding("name servers", "poor", "none is known", advice)


def _proxies() -> Finding:
    from crawler.fetch.connect.proxy import parse_proxy

    names = ("http_proxy", "https_proxy", "all_proxy")
    given = {
        name: os.environ.get(name) or os.environ.get(name.upper(), "") for name in names
    }
    try:
        found = [
            f"{name} {parse_proxy(text, name).key}"
            for name, text in given.items()
            if text
        ]
    except UsageError as error:
        return Finding(
            "proxies", "bad", str(error), "mend the variable, or crawl with -x direct"
        )
    return Finding("proxies", "good", ", ".join(found) or "none in the environment")


def _screen() -> Finding:
    reasons: dict[str, Callable[[], bool]] = {
        "stderr is no terminal": lambda: not sys.stderr.isatty(),
        "TERM is dumb": lambda: os.environ.get("TERM", "dumb") == "dumb",
    }
    why = next((reason for reason, holds in reasons.items() if holds()), None)
    if why is not None:
        return Finding("screen", "good", f"one line every ten seconds, as {why}")
    return Finding("screen", "good", "a live view")
