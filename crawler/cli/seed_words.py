"""The URLs of a command line, which people write as they come to mind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from crawler.model.errors import UsageError
from crawler.settings.load import Setting, from_flag

TIMEOUT = 2.0
"""Seconds for a connection, and for a TLS handshake."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d+(?:/|\Z))", re.IGNORECASE).match


def seeds_of(words: Sequence[str]) -> Setting:
    """The seeds that the user typed, with what was assumed of them.

    Raises UsageError for a word that is the name of a file.
    """
    urls: list[str] = []
    notes: list[str] = []
    for word in words:
        if _SCHEME(word):
            urls.append(word)
        elif Path(word).is_file():
            raise UsageError(f"{word} is a file; for the URLs in it, write -i {word}")
        elif _is_local(word) and not speaks_tls(word):
            urls.append(f"http://{word}")
            notes.append(f"{word} does not speak TLS; it is crawled as http://{word}")
        else:
            urls.append(word)
    setting = from_flag(("seeds",), urls, "URL", adds=True)
    return Setting(setting.path, setting.value, "URL", adds=True, notes=tuple(notes))


def _is_local(word: str) -> bool:
    """Whether the host is an address, or this machine: there TLS is often missing."""
    host = _host_and_port(word)[0]
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def speaks_tls(word: str) -> bool:
    """Whether a server answers a TLS handshake at `HOST`, `HOST:PORT` or `HOST/PATH`.

    Also true where there is no server at all: then the crawl says why.
    """
    import ssl  # only for a host without a scheme
    from socket import create_connection

    host, port = _host_and_port(word)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        connection = create_connection((host, port or 443), TIMEOUT)
    except OSError:
        return port is not None or not _answers(host, 80)
    try:
        with context.wrap_socket(connection):
            return True
    except OSError:
        return False


def _answers(host: str, port: int) -> bool:
    from socket import create_connection

    try:
        create_connection((host, port), TIMEOUT).close()
    except OSError:
        return False
    return True


def _host_and_port(word: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{word}")
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None
