"""What a person types where seeds are wanted: a first word, a list in a file. No I/O."""

from __future__ import annotations

import re

from crawler.url import host_key


def looks_like_url(word: str) -> bool:
    """Is the first word of a command line a URL rather than a command? (`example.com`)"""
    return not word.startswith("-") and any(mark in word for mark in ".:/")


def default_name(url: str) -> str:
    """The folder of a crawl that got no name: the host, and the port where it is unusual."""
    return re.sub(r"[^\w.-]", "_", host_key(url)).strip(".") or "crawl"


def read_seeds(text: str) -> list[str]:
    """The URLs of a list, one in a line; empty lines and lines that begin with # are left out."""
    lines = (line.strip() for line in text.lstrip("\ufeff").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
