"""When a crawl stops, and when it counts as failed."""

from __future__ import annotations

from crawler.cli.flags import Flag

GROUP = "Limits"

_LIMITS = (
    (("-n", "--max-pages"), "limits.max_pages", "N"),
    (("--max-pages-per-host",), "limits.max_pages_per_host", "N"),
    (("--max-bytes-per-host",), "limits.max_bytes_per_host", "SIZE"),
    (("--max-time-per-host",), "limits.max_time_per_host", "TIME"),
    (("--max-pages-per-template",), "limits.max_pages_per_template", "N"),
    (("--max-sitemaps-per-host",), "limits.max_sitemaps_per_host", "N"),
    (("-Q", "--quota"), "limits.max_bytes", "SIZE"),
    (("--max-time",), "limits.max_time", "TIME"),
    (("--grace",), "grace", "TIME"),
    (("--fail-on",), "fail_on", "any|seed|N%"),
)
"""Option names, key, metavar."""


def limits_options() -> list[Flag]:
    return [
        *_flags(),
        Flag(
            "--no-traps", key="limits.traps", const=False, group=GROUP,
            help="Disable crawler-trap detection",
        ),
    ]  # fmt: skip


def _flags() -> list[Flag]:
    return [
        Flag(*names, key=key, group=GROUP, metavar=metavar)
        for names, key, metavar in _LIMITS
    ]
