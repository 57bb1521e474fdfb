"""How many processes of extraction suit this machine."""

from __future__ import annotations

import os

MAX_AUTOMATIC = 8
"""The number of processes that is chosen on a machine with many cores.

Each takes 70 MB with the libraries of `--with text`.
"""


def usable_cores() -> int:
    """The cores that this process may use, at most MAX_AUTOMATIC."""
    return min(len(os.sched_getaffinity(0)), MAX_AUTOMATIC)
