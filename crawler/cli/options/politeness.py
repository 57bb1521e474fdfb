"""How hard a crawl loads hosts, what it retries and what it obeys."""

from __future__ import annotations

from math import inf

from crawler.cli.flags import Flag
from crawler.model.errors import UsageError
from crawler.settings.load import Setting, from_flag

GROUP = "Politeness"


def _wait(flag: str, text: str) -> list[Setting]:
    lower, dash, upper = text.partition("-")
    if not dash:
        return [from_flag(("politeness", "wait"), text, flag)]
    return [
        from_flag(("politeness", "wait"), lower, flag),
        from_flag(("politeness", "max_wait"), upper, flag),
    ]


def _rate(flag: str, text: str) -> list[Setting]:
    """A number of requests in a time, as the delay between two of them."""
    number, slash, unit = text.partition("/")
    seconds = {"s": 1, "m": 60, "h": 3600}.get(unit if slash else "s")
    try:
        wait = (seconds or 0) / float(number)
    except (ValueError, ZeroDivisionError):
        wait = 0.0
    if not 0 < wait < inf:
        raise UsageError(
            f"{flag} {text}: write requests per unit of time: 5/s, 30/m or 100/h"
        )
    return [from_flag(("politeness", "wait"), wait, flag)]


def politeness_options() -> list[Flag]:
    return [
        Flag("-c", "--concurrency", key="concurrency", group=GROUP, metavar="N"),
        Flag("--per-host", key="politeness.per_host", group=GROUP, metavar="N"),
        Flag(
            "-w", "--wait", key="politeness.wait", group=GROUP, metavar="TIME[-TIME]",
            convert=_wait,
        ),
        Flag(
            "--rate", group=GROUP, metavar="N/s|m|h", convert=_rate,
            help="Maximum request rate per host; 5/s is --wait 0.2",
        ),
        Flag("--limit-rate", key="http.max_rate", group=GROUP, metavar="SIZE"),
        Flag(
            "--max-retry-after", key="politeness.max_retry_after", group=GROUP,
            metavar="TIME",
        ),
        Flag("-t", "--tries", key="retry.tries", group=GROUP, metavar="N"),
        Flag("--retry-on", key="retry.statuses", group=GROUP, metavar="LIST"),
        Flag("--nofollow", key="robots.nofollow", group=GROUP, metavar="WHICH"),
        Flag("--noai", key="robots.noai", const=True, group=GROUP),
        Flag(
            "--no-robots", key="robots.obey", const=False, group=GROUP,
            help="Ignore robots.txt; every run record says so",
        ),
    ]  # fmt: skip
