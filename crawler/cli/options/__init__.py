"""The options of the command line: one file per group of --help, each a table.

A row names the option, the configuration key that it sets and its metavar. Values reach
the configuration as text and are read like those of the file: one place knows what a
duration looks like. An option without a key concerns this call of the program alone
(`--quiet`, `--fresh`), or is converted to settings by a function in its file.
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler.cli.flags import Flag
from crawler.cli.options.configuration import configuration_options
from crawler.cli.options.images_and_records import images_and_records_options
from crawler.cli.options.input_and_output import (
    extract_output,
    input_and_output_options,
)
from crawler.cli.options.limits import limits_options
from crawler.cli.options.politeness import politeness_options
from crawler.cli.options.requests import request_options
from crawler.cli.options.scope import scope_options
from crawler.cli.terminal.verbosity import OPTIONS as VERBOSITY_OPTIONS

COMMON = frozenset({
    "-i", "-d", "-o", "-N", "--fresh",
    "--scope", "-np", "--sitemaps", "-l", "--include", "--exclude", "--only-keep",
    "-n", "--max-time",
    "-c", "--per-host", "-w", "--rate", "--no-robots",
    "-H", "-U", "--contact", "-u", "-b", "--login", "--form", "-k",
    "--no-images", "--min-image", "--save", "--mirror", "--with", "--record", "--warc",
    "--processes", "--config", "--field", "-s", "-q", "-v",
})  # fmt: skip
"""The first names of the options that `--help` shows; `--help-all` shows all."""


def crawl_options() -> Iterator[Flag]:
    """All options of a crawl, in the order of --help-all."""
    for flag in _all_options():
        flag.is_common = flag.opts[0] in COMMON
        yield flag


def _all_options() -> Iterator[Flag]:
    yield from input_and_output_options()
    yield from scope_options()
    yield from limits_options()
    yield from politeness_options()
    yield from request_options()
    yield from images_and_records_options()
    yield from configuration_options()
    yield from _progress_options()


def resume_options() -> Iterator[Flag]:
    """All options of a resume, in the order of --help.

    Those of a crawl, except for what only its beginning can do. Options whose settings
    are fixed by then are hidden, and refused with the reason.
    """
    for flag in crawl_options():
        if flag.name not in _OF_THE_BEGINNING:
            flag.hidden |= flag.path in _FIXED or flag.name in _FIXED_NAMES
            flag.shown_default = ""  # it is what the crawl has, not that of the setting
            yield flag


def mirror_options() -> Iterator[Flag]:
    """All options of a mirror, in the order of --help: those of a crawl.

    Its scope is `prefix` unless the user chooses another.
    """
    for flag in crawl_options():
        if flag.path == ("scope", "within"):
            flag.shown_default = "prefix"
        if flag.name not in _OF_A_CRAWL:
            yield flag


_OF_MACHINES = frozenset({"exchange", "shards", "pause"})
_OF_A_CRAWL = frozenset({"newer", "mirror", "processes"}) | _OF_MACHINES


_OF_THE_BEGINNING = frozenset({"newer", "fresh", "strict_input"}) | _OF_MACHINES
_FIXED = frozenset({("dir",), ("plugin",), ("records", "schema_line")})
_FIXED_NAMES = frozenset({"input_file"})


def extract_options() -> Iterator[Flag]:
    """The options of an extraction: those of a crawl about what is written, and where.

    `-o` may name the folder, too.
    """
    for flag in crawl_options():
        flag.shown_default = ""  # without --config it is what the crawl has
        flag.is_common = False  # there are few, so --help shows all
        if flag.name == "output":
            yield extract_output()
        elif flag.name in _OF_EXTRACTIONS or (
            flag.path is not None
            and (flag.path[0] in _SECTIONS_OF_EXTRACTIONS or flag.path in _PLACES)
            and flag.path not in _OF_REQUESTS
        ):
            yield flag


_OF_EXTRACTIONS = frozenset({"config", "assignments", "min_image", "quiet"})
_SECTIONS_OF_EXTRACTIONS = frozenset(
    {"bodies", "fields", "images", "plugin", "records"}
)
_PLACES = frozenset({("dir",)})
_OF_REQUESTS = frozenset({("bodies", "hash_files"), ("images", "styles")})


def _progress_options() -> Iterator[Flag]:
    for names, attributes in VERBOSITY_OPTIONS:
        yield Flag(*names, group="Progress", **attributes)
