"""Seed URLs, as a user types them."""

from __future__ import annotations

import re
from typing import NamedTuple

import ada_url

from crawler.model.errors import UsageError
from crawler.model.regex import compiled
from crawler.model.url import FETCHABLE, canonical


class Seed(NamedTuple):
    """A URL to start from; `assumed_https`: the user did not write the scheme."""

    url: str
    assumed_https: bool


_PATH = compiled(r"\.{1,2}(?:[/\\]|$)|~|/(?!/)")
"""The beginning of a path in a file system."""
_SCHEME = compiled(r"([A-Za-z][A-Za-z0-9+.-]*):(?!\d+(?:[/?#]|$))")


def parse_seed(text: str) -> Seed:
    """Parse a seed URL as the user typed it; `example.com/x` is taken for https.

    Raises UsageError, whose message shows no password.
    """
    text = text.strip()
    if _PATH.match(text):
        raise UsageError(
            f"{_shown(text)} is a path, not a URL; to crawl files of this machine, "
            "serve them: python3 -m http.server -d FOLDER"
        )
    written = _SCHEME.match(text)
    if written and written[1].lower() not in FETCHABLE:
        raise UsageError(f"{_shown(text)}: {_wrong_scheme(written)}")
    whole = text if written else "https://" + text.lstrip("/")
    url = canonical(whole)
    if url is None:
        raise UsageError(
            f"{_shown(text)} is not a valid URL; write one such as https://example.com/"
        )
    if "@" in whole and _has_credentials(whole):
        raise UsageError(
            f"{_shown(url)} was given with a user name, which would end up in records "
            "and logs; leave it out and use -u USER:PASSWORD"
        )
    return Seed(url, assumed_https=not written)


def _wrong_scheme(written: re.Match[str]) -> str:
    """What is wrong where `scheme:` is not that of a URL that can be fetched.

    No scheme in use has a dot, so that `example.com:x` is a host with a wrong port.
    """
    host, rest = written[1], written.string[written.end() :]
    port = re.split("[/?#]", rest, maxsplit=1)[0]
    is_host = "." in host or host.lower() == "localhost"
    if rest.startswith("//") or "@" in port or not is_host:
        return f"the scheme {host} is not supported; orbweb crawls http and https"
    return f"{port!r} is not a port; write a number, as in https://{host}:8080/"


def _has_credentials(url: str) -> bool:
    parts = ada_url.URL(url)
    return bool(parts.username or parts.password)


def _shown(text: str) -> str:
    """`text` for a message: shortened, and without credentials."""
    text = re.sub(r"//[^/?#]*@", "//", text)
    return repr(text if len(text) <= 200 else text[:200] + "...")
