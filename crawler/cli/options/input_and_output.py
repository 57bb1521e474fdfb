"""Where a crawl starts and where it writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from msgspec.structs import replace

from crawler.cli.flags import Flag
from crawler.cli.plan import read_file
from crawler.model.errors import UsageError
from crawler.model.units import counted
from crawler.output.registry import OTHER_FORMATS
from crawler.output.sink import COMPRESSED
from crawler.settings.load import Setting, from_flag
from crawler.settings.seed_input import read_seeds

GROUP = "Input and output"
MAX_SEED_FILE = 64 * 2**20


MAX_PROBLEMS = 20
"""Lines of an input file that are named; of the others the number is told."""


def _seed_file(flag: str, path: str) -> list[Setting]:
    found = read_seeds(read_file(path, MAX_SEED_FILE, flag), path)
    problems = found.problems
    if not found.urls:
        nothing = f"{flag} {path}: no URL in it; write one URL per line"
        raise UsageError("\n".join([*_shortened(problems), nothing]))
    context = click.get_current_context(silent=True)
    if problems and context is not None and context.params.get("strict_input"):
        raise UsageError("\n".join(_shortened(problems)))
    left_out = [f"{problem}; the line is left out" for problem in problems]
    return [
        replace(
            from_flag(("seeds",), found.urls, f"{flag} {path}", adds=True),
            canonical=True,
            notes=found.notes,
            warnings=tuple(_shortened(left_out)),
        )
    ]


def _shortened(problems: Sequence[str]) -> list[str]:
    """The first of them, and how many there are more."""
    if (more := len(problems) - MAX_PROBLEMS) <= 0:
        return list(problems)
    rest = f"and {counted(more, 'line')} more that are no URL"
    return [*problems[:MAX_PROBLEMS], rest]


def _outputs(flag: str, files: Sequence[str]) -> list[Setting]:
    """Replace the outputs of the file instead of adding to them."""
    return [from_flag(("output",), list(files), flag)] if files else []


def _folder_or_files(flag: str, names: Sequence[str]) -> list[Setting]:
    """Names of files of records, and of a folder, which may be one of them."""
    folders = [name for name in names if not _is_file(name)]
    if len(folders) > 1:
        raise UsageError(f"{flag} names {len(folders)} folders; there is one")
    files = [name for name in names if name not in folders]
    places = [from_flag(("dir",), folder, flag) for folder in folders]
    return [*places, *_outputs(flag, files)]


_ENDINGS = frozenset({".jsonl", ".ndjson", ".json", ".txt", *COMPRESSED})


def _is_file(name: str) -> bool:
    """Whether it has the ending of a file of records, or is there as a file."""
    path = Path(name)
    if name == "-" or "://" in name:
        return True
    if path.is_dir():
        return False
    return path.exists() or path.suffix.lower() in _ENDINGS | OTHER_FORMATS


def extract_output() -> Flag:
    """`-o` of an extraction."""
    return Flag(
        "-o", "--output", key="output", group=GROUP, metavar="DIR|FILE", multiple=True,
        convert=_folder_or_files,
        help="Folder of the new records, or a file for them; - is stdout",
    )  # fmt: skip


def input_and_output_options() -> list[Flag]:
    return [
        Flag(
            "-i", "--input-file", group=GROUP, metavar="FILE", convert=_seed_file,
            help="Read seed URLs from FILE, one per line; - is stdin",
        ),
        Flag(
            "--strict-input", is_flag=True, group=GROUP,
            help="Refuse an input file in which a line is no URL",
        ),
        Flag("-d", "--dir", key="dir", group=GROUP, metavar="DIR"),
        Flag(
            "-o", "--output", key="output", group=GROUP, metavar="FILE", multiple=True,
            convert=_outputs,
        ),
        Flag(
            "-N", "--newer", is_flag=True, group=GROUP,
            help="Recrawl the folder's crawl: fetch only what has changed",
        ),
        Flag(
            "--fresh", is_flag=True, group=GROUP,
            help="Delete the folder's crawl and start a new one",
        ),
    ]  # fmt: skip
