"""`orbweb doctor [DIR]`: checks a machine and a folder for a crawl, without network."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import click
from msgspec import Struct

from crawler import __version__
from crawler.cli.standard_streams import reader_may_leave
from crawler.cli.terminal.formatting import echo_json, printable
from crawler.fetch.dns.files import RESOLV_CONF, read_resolv_conf
from crawler.model.config import Config
from crawler.model.errors import OutputError, Stop, UsageError
from crawler.model.http_config import HttpConfig
from crawler.model.units import show_bytes

State = Literal["ok", "warning", "error"]

LIBRARIES = {
    "ada_url": "ada-url", "brotli": "brotli", "dns": "dnspython",
    "greenlet": "greenlet", "httptools": "httptools", "lxml.etree": "lxml",
    "publicsuffixlist": "publicsuffixlist", "re2": "google-re2", "rich": "rich",
    "webencodings": "webencodings",
}  # fmt: skip
"""Modules with the names of their packages."""
MIN_DISK_SPACE = 2**30
MIN_TIME = 1_760_000_000
"""The earliest time of a correct clock: October 2025 [s since the epoch]."""
SPARE_DESCRIPTORS = 64
"""For the state, the output, images and DNS queries."""


class Finding(Struct, frozen=True):
    """The result of one check, with what to do about it."""

    subject: str
    state: State
    detail: str
    advice: str = ""


@click.command("doctor")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list")
def command(folder: str, as_json: bool) -> int:
    """Check whether this machine, and DIR (default: here), are ready for a crawl.

    The network is not used. The exit code is 3 if a crawl would not work.
    """
    found = list(findings(Path(folder)))
    fails = any(one.state == "error" for one in found)
    code = OutputError.exit_code if fails else 0
    with reader_may_leave(code):
        echo_json(found) if as_json else _print(found)
    return code


def _print(found: Sequence[Finding]) -> None:
    for one in found:
        click.echo(printable(f"{one.state:<7} {one.subject:<13} {one.detail}"))
        if one.advice:
            click.echo(printable(f"{'':<21} {one.advice}"))


def findings(
    folder: Path,
    libraries: Mapping[str, str] = LIBRARIES,
    resolv_conf: Path = RESOLV_CONF,
) -> Iterator[Finding]:
    """All checks, the most important ones first.

    A folder that does not exist is checked by the one that it would be made in.
    """
    while not folder.exists() and folder.name:
        folder = folder.parent
    yield _program()
    yield _libraries(libraries)
    yield _folder(folder)
    yield _space(folder)
    yield _descriptors()
    yield _clock(time.time())
    yield _certificates()
    yield _name_servers(resolv_conf)
    yield _proxies()
    yield _progress()


def _program() -> Finding:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()}"
    state: State = "ok" if sys.platform == "linux" else "warning"
    return Finding("program", state, f"orbweb {__version__}, {python}, {system}")


def _libraries(libraries: Mapping[str, str]) -> Finding:
    missing: list[str] = []
    for module, package in libraries.items():
        try:
            import_module(module)
        except ImportError as error:
            missing.append(f"{package} ({error})")
    if missing:
        advice = "reinstall orbweb with its dependencies"
        return Finding(
            "libraries", "error", f"can't be loaded: {', '.join(missing)}", advice
        )
    found = [f"{package} {version(package)}" for package in libraries.values()]
    return Finding("libraries", "ok", ", ".join(found))


def _folder(folder: Path) -> Finding:
    """Some network file systems support neither locks nor what else SQLite needs."""
    from crawler.workspace.open import check_writable

    try:
        check_writable(folder)
    except (OSError, Stop) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        advice = "name another folder with --dir, on a local file system"
        return Finding(
            "folder", "error", f"{folder}: cannot hold a crawl: {reason}", advice
        )
    return Finding("folder", "ok", f"{folder.absolute()} can hold a crawl")


def _space(folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding("disk", "error", f"{folder}: {error.strerror}")
    if free < MIN_DISK_SPACE:
        return Finding(
            "disk",
            "warning",
            f"{show_bytes(free)} free",
            "a crawl stops when the disk is full",
        )
    return Finding("disk", "ok", f"{show_bytes(free)} free")


def _descriptors() -> Finding:
    usual, http = Config(), HttpConfig()
    wanted = usual.concurrency + usual.slow_concurrency + http.max_idle
    wanted += SPARE_DESCRIPTORS
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= wanted:
        return Finding(
            "descriptors", "ok", f"the limit is {limit}, {wanted} are enough"
        )
    advice = f"set `ulimit -n {2 * wanted}`, or a smaller -c and http.max_idle"
    return Finding(
        "descriptors",
        "warning",
        f"the limit is {limit}, a crawl needs {wanted}",
        advice,
    )


def _clock(now: float) -> Finding:
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now >= MIN_TIME:
        return Finding("clock", "ok", shown)
    return Finding(
        "clock",
        "error",
        shown,
        "set it; otherwise certificates seem not to be valid yet",
    )


def _certificates() -> Finding:
    import ssl

    paths = ssl.get_default_verify_paths()
    here = [path for path in (paths.cafile, paths.capath) if path is not None]
    count = ssl.create_default_context().cert_store_stats()["x509_ca"]
    if count or (paths.capath and os.listdir(paths.capath)):
        return Finding(
            "certificates", "ok", f"certificate authorities in {' and '.join(here)}"
        )
    advice = "install the package ca-certificates, or name a file with --cacert"
    return Finding(
        "certificates", "error", "the system has no certificate authority", advice
    )


def _name_servers(resolv_conf: Path) -> Finding:
    try:
        servers = read_resolv_conf(resolv_conf.read_text("utf-8", "replace"))
    except OSError:
        servers = []
    if servers:
        return Finding("name servers", "ok", ", ".join(map(str, servers)))
    advice = (
        f"name one in {resolv_conf} or with --dns-servers; "
        "without one, names are resolved by the system"
    )
    return Finding("name servers", "warning", "none is configured", advice)


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
            "proxies",
            "error",
            str(error),
            "correct the variable, or crawl with -x direct",
        )
    return Finding("proxies", "ok", ", ".join(found) or "none in the environment")


def _progress() -> Finding:
    reasons: dict[str, Callable[[], bool]] = {
        "stderr is not a terminal": lambda: not sys.stderr.isatty(),
        "TERM is dumb": lambda: os.environ.get("TERM", "dumb") == "dumb",
    }
    reason = next((reason for reason, holds in reasons.items() if holds()), None)
    if reason is not None:
        return Finding("progress", "ok", f"a line every ten seconds, because {reason}")
    return Finding("progress", "ok", "a live view")
