"""Where a crawl starts and where it writes."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.cli.flags import Flag
from crawler.cli.plan import read_text_file
from crawler.model.errors import UsageError
from crawler.settings.load import Setting, from_flag
from crawler.settings.seed_input import read_seeds

GROUP = "Input and output"
MAX_SEED_FILE = 64 * 2**20


def _seed_file(flag: str, path: str) -> list[Setting]:
    seeds = read_seeds(read_text_file(path, MAX_SEED_FILE))
    if not seeds:
        raise UsageError(f"{flag} {path}: no URL in it; write one URL per line")
    return [from_flag(("seeds",), seeds, f"{flag} {path}", adds=True)]


def _outputs(flag: str, files: Sequence[str]) -> list[Setting]:
    """Replace the outputs of the file instead of adding to them."""
    return [from_flag(("output",), list(files), flag)] if files else []


def input_and_output_options() -> list[Flag]:
    return [
        Flag(
            "-i", "--input-file", group=GROUP, metavar="FILE", convert=_seed_file,
            help="Read seed URLs from FILE, one per line; - is stdin",
        ),
        Flag("-d", "--dir", key="dir", group=GROUP, metavar="DIR"),
        Flag(
            "-o", "--output", key="output", group=GROUP, metavar="FILE", multiple=True,
            convert=_outputs, help="File for the records; - is stdout; repeatable",
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
