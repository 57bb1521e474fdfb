"""What a person types where seeds are wanted. No I/O."""

from __future__ import annotations

import re

from crawler.model.url import host_key


def default_name(url: str) -> str:
    """The folder of a crawl that got no name: the host, and the port where it is
    unusual."""
    return re.sub(r"[^\w.-]", "_", host_key(url)).strip(".") or "crawl"


def read_seeds(text: str) -> list[str]:
    """The URLs of a list, one in a line; empty lines and lines that begin with # are
    left out."""
    lines = (line.strip() for line in text.lstrip("\ufeff").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
