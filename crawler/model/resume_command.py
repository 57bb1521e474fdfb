"""Commands that a message shows: they can be pasted where the user stands. No I/O.

Most of them continue a crawl, also past a limit that it has reached.
"""

from __future__ import annotations

import re
import shlex

from crawler.model.policy_config import LimitsConfig
from crawler.model.units import exact_bytes, exact_seconds


def resume_command(
    folder: str,
    limits: LimitsConfig,
    pages: int,
    received: int,
    *,
    time_is_over: bool = False,
) -> str:
    """`orbweb resume DIR`, with twice the limit where one of the crawl is reached.

    `pages` and `received` (bytes) are those of all runs. `time_is_over`: the last run
    ended at the limit of time, which counts from each resume.
    """
    command = f"orbweb resume {shlex.quote(folder)}"
    command += _raised(limits, pages, received)
    if limits.max_time is not None and time_is_over:
        command += f" --max-time {exact_seconds(2 * limits.max_time)}"
    return command


def steer_command(
    exchange: str, limits: LimitsConfig, pages: int, received: int
) -> str:
    """The command for a crawl of several machines; "" if no limit is reached."""
    raised = _raised(limits, pages, received)
    return raised and f"orbweb crawl --exchange {shlex.quote(exchange)}{raised}"


def _raised(limits: LimitsConfig, pages: int, received: int) -> str:
    """The options that double what is reached."""
    options = ""
    if limits.max_pages is not None and pages >= limits.max_pages:
        options += f" --max-pages {2 * pages}"
    if limits.max_bytes is not None and received >= limits.max_bytes:
        options += f" --quota {exact_bytes(2 * received)}"
    return options


_WITHOUT_FOLDER = re.compile("`orbweb (resume|recrawl|explain URL)`")


def with_folder(text: str, folder: str) -> str:
    """`text`, whose commands name `folder`; what has failed may not have known it.

    >>> with_folder("make room, then `orbweb resume`", "out")
    'make room, then `orbweb resume out`'
    """
    return _WITHOUT_FOLDER.sub(rf"`orbweb \1 {shlex.quote(folder)}`", text)


def limit_reached(limits: LimitsConfig, pages: int, received: int) -> str:
    """The limit of the crawl that a resume would stop at again at once, or ""."""
    if limits.max_pages is not None and pages >= limits.max_pages:
        return "page limit"
    if limits.max_bytes is not None and received >= limits.max_bytes:
        return "download limit"
    return ""
