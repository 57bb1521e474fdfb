"""Seeds as a user writes them. No I/O."""

from __future__ import annotations

import re

from crawler.model.url import host_key


def default_name(url: str) -> str:
    """The default folder of a crawl: the host, with a port that is not the default."""
    return re.sub(r"[^\w.-]", "_", host_key(url)).strip(".") or "crawl"


def read_seeds(text: str) -> list[str]:
    """The URLs of a list, one per line, without empty lines and those with # first."""
    lines = (line.strip() for line in text.lstrip("\ufeff").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
