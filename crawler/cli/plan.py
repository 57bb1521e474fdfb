"""From a command's options to the crawls that they describe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crawler.cli.flags import settings_of
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.settings.load import Plan, Setting, from_flag, load

if TYPE_CHECKING:
    from crawler.fleet.launcher import Launcher

MAX_TEXT_FILE = 4 * 2**20


def load_plan(
    command: click.Command, params: Mapping[str, Any], urls: Sequence[str]
) -> Plan:
    """The crawls that --config, the environment and the options describe."""
    file = params["config"]
    flags = settings_of(command, params)
    if urls:
        flags.append(seed_setting(urls))
    plan = load(read_settings(file) if file else None, os.environ, flags)
    if len(plan.jobs) > 1 and any(setting.path == ("seeds",) for setting in flags):
        raise UsageError(
            f"{file} holds {len(plan.jobs)} jobs; list their URLs in the file"
        )
    return plan


def load_resumed_plan(
    command: click.Command,
    params: Mapping[str, Any],
    folder: str | None,
    further: Sequence[str],
    stored: Callable[[Path], Config],
) -> Plan:
    """The crawls that go on, each with its own settings and those that were given.

    `folder`: that of the crawl; None: those of --config, or this one. `further`: words
    after the folder; a URL there has to be a seed of the crawl. `stored` reads the
    configuration of the crawl in a folder.
    """
    from crawler.frontier.sqlite.database import holds_crawl  # new crawls need none
    from crawler.settings.resumed import load_resumed

    file = params["config"]
    flags = settings_of(command, params)
    if folder is not None or file is None:
        flags.append(from_flag(("dir",), folder or ".", "DIR"))
    if further:
        if holds_crawl(further[0]):
            raise UsageError(
                f"{further[0]}: name one crawl; for each of the others there is a "
                "command of its own"
            )
        flags.append(from_flag(("seeds",), list(further), "URL", adds=True))

    def stored_of(place: str) -> Config | None:
        if folder is None and file is not None and not holds_crawl(place):
            return None  # a job that never started
        return stored(Path(place))

    text = read_settings(file) if file else None
    return load_resumed(text, os.environ, flags, stored_of)


def begun_launcher(processes: int | None) -> AbstractContextManager[Launcher | None]:
    """What starts so many processes; None for a crawl by one.

    It loads their code while this process loads what runs a crawl.
    """
    if processes is None or processes < 2:
        return nullcontext()
    from crawler.fleet.launcher import Launcher  # several processes only

    return closing(Launcher())


def seed_setting(urls: Sequence[str]) -> Setting:
    """The seeds that the user named by URLs, or by words."""
    if all(url.startswith(("https://", "http://")) for url in urls):
        return from_flag(("seeds",), list(urls), "URL", adds=True)
    from crawler.cli.seed_words import seeds_of

    return seeds_of(urls)


def read_file(path: str, limit: int, option: str) -> bytes:
    """The bytes of a file that the user named, `-` for stdin, `limit` of them at most.

    `option` is the one that names it. Raises UsageError with the reason.
    """
    try:
        with sys.stdin.buffer if path == "-" else Path(path).open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror or error}") from error
    if len(data) > limit:
        raise UsageError(f"{option} {path}: larger than {limit} bytes")
    return data


def read_settings(path: str) -> tuple[str, str]:
    """The name and the text of the file of --config. Raises UsageError."""
    try:
        return path, read_text_file(path)
    except UsageError as error:
        raise UsageError(f"--config {error}") from error


def read_text_file(path: str, limit: int = MAX_TEXT_FILE) -> str:
    """The text of a file that the user named, `-` for stdin.

    `limit` is in characters. Raises UsageError with the reason.
    """
    try:
        with (
            sys.stdin if path == "-" else Path(path).open(encoding="utf-8-sig") as file
        ):
            text = file.read(limit + 1)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    if len(text) > limit:
        raise UsageError(f"{path}: larger than {limit} characters")
    return text
