"""The configuration file, and any setting by its key."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from crawler.cli.flags import Flag
from crawler.model.errors import UsageError
from crawler.settings.load import Setting, from_assignment, from_flag

GROUP = "Configuration"
MAX_PROCESSES = 64


def _assignments(_flag: str, values: Sequence[str]) -> list[Setting]:
    return [from_assignment(text) for text in values]


def _fields(flag: str, values: Sequence[str]) -> list[Setting]:
    fields: dict[str, str] = {}
    for text in values:
        name, equals, selector = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(
                f"{flag} {text}: write NAME=SELECTOR, as in title=css:h1::text"
            )
        fields[name.strip()] = selector
    return [from_flag(("fields",), fields, flag)]


class ProcessCount(click.ParamType[int]):
    """A number of processes, or `auto`."""

    name = "N|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if value == "auto":
            return min(len(os.sched_getaffinity(0)), MAX_PROCESSES)
        if not str(value).isdigit() or not 1 <= int(value) <= MAX_PROCESSES:
            self.fail(f"{value!r} is not a number from 1 to {MAX_PROCESSES}, or auto")
        return int(value)


def configuration_options() -> list[Flag]:
    return [
        Flag("--config", group=GROUP, metavar="FILE", help="TOML file of settings"),
        Flag(
            "--field", key="fields", group=GROUP, metavar="NAME=SELECTOR",
            multiple=True, convert=_fields,
        ),
        Flag(
            "--plugin", key="plugin", group=GROUP, metavar="MODULE:OBJECT",
            multiple=True,
        ),
        Flag(
            "--processes", group=GROUP, metavar="N|auto", type=ProcessCount(),
            help="Processes, each with its hosts; auto: one a core",
        ),
        Flag(
            "--exchange", group=GROUP, metavar="URL",
            help="Begin, or change, the crawl of machines that meet at valkey://HOST/CRAWL",
        ),
        Flag(
            "--shards", group=GROUP, metavar="N", type=click.IntRange(1, 256),
            help="Shards of a crawl of several machines: four times its processes",
        ),
        Flag(
            "--pause", group=GROUP, is_flag=True,
            help="Let all machines of the crawl at --exchange stop, and wait",
        ),
        Flag(
            "--extract-processes", key="extract_processes", group=GROUP,
            metavar="N|auto",
        ),
        Flag(
            "-s", "--set", "assignments", group=GROUP, metavar="KEY=VALUE",
            multiple=True, convert=_assignments,
            help="Any setting, as in -s http.max_header=32K; repeatable",
        ),
    ]  # fmt: skip
