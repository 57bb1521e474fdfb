"""The configuration file, and any setting by its key."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.cli.flags import Flag
from crawler.settings.load import Setting, from_assignment

GROUP = "Configuration"


def _assignments(_flag: str, values: Sequence[str]) -> list[Setting]:
    return [from_assignment(text) for text in values]


def configuration_options() -> list[Flag]:
    return [
        Flag("--config", group=GROUP, metavar="FILE", help="TOML file of settings"),
        Flag(
            "--plugin", key="plugin", group=GROUP, metavar="MODULE:OBJECT",
            multiple=True,
            help="Plug-in to use; its options go in the file; repeatable",
        ),
        Flag(
            "-s", "--set", "assignments", group=GROUP, metavar="KEY=VALUE",
            multiple=True, convert=_assignments,
            help="Any setting, as in -s http.max_header=32K; repeatable",
        ),
    ]  # fmt: skip
