"""The command that continues a crawl, also past a limit that it has reached. No I/O."""

from __future__ import annotations

import shlex

from crawler.model.policy_config import LimitsConfig
from crawler.model.units import exact_bytes


def resume_command(folder: str, limits: LimitsConfig, pages: int, received: int) -> str:
    """`orbweb resume DIR`, with twice the limit where one of the crawl is reached.

    `pages` and `received` (bytes) are those of all runs. A limit of time counts from
    each resume, so that it needs no higher one.
    """
    command = f"orbweb resume {shlex.quote(folder)}"
    if limits.max_pages is not None and pages >= limits.max_pages:
        command += f" --max-pages {2 * pages}"
    if limits.max_bytes is not None and received >= limits.max_bytes:
        command += f" --quota {exact_bytes(2 * received)}"
    return command


def limit_reached(limits: LimitsConfig, pages: int, received: int) -> str:
    """The limit of the crawl that a resume would stop at again at once, or ""."""
    if limits.max_pages is not None and pages >= limits.max_pages:
        return "page limit"
    if limits.max_bytes is not None and received >= limits.max_bytes:
        return "download limit"
    return ""
