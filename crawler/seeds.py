"""What a person types where a URL is wanted, made a URL. No I/O."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from crawler.errors import UsageError

MAX_SEED = 8192

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(?!\d+(?:[/?#]|$))", re.IGNORECASE)
"""`https:`, `mailto:`; but `example.com:8080/` is a host and its port."""


def as_url(text: str) -> tuple[str, str]:
    """The URL meant by `text`, and a note for the user where something was assumed, or "".

    Raises UsageError for what can't be crawled.
    """
    text = text.strip()
    match = _SCHEME.match(text)
    if not text or len(text) > MAX_SEED:
        raise UsageError(f"a URL of {len(text)} characters can't be crawled")
    if match is None:
        return _whole(f"https://{text}"), f"{text}: no scheme given, https assumed"
    if match[1].lower() not in ("http", "https"):
        raise UsageError(f"{text}: only http and https can be crawled, not {match[1]}")
    return _whole(text), ""


def _whole(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{url}: no URL: {error}") from error
    if not host or re.search(r"\s", host):
        raise UsageError(f"{url}: no URL: it names no host")
    return url


def looks_like_url(word: str) -> bool:
    """Is the first word of a command line a URL rather than a command? (`example.com`)"""
    return not word.startswith("-") and any(mark in word for mark in ".:/")


def default_name(url: str) -> str:
    """The folder of a crawl that got no name: the host, and the port where it is unusual."""
    parts = urlsplit(url)
    host = re.sub(r"[^\w.-]", "_", parts.hostname or "crawl")
    return f"{host}_{parts.port}" if parts.port else host


def read_seeds(text: str) -> list[str]:
    """The URLs of a list, one in a line; empty lines and lines that begin with # are left out."""
    lines = (line.strip() for line in text.lstrip("\ufeff").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
