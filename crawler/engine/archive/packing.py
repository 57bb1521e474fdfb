"""The WACZ file of a crawl, made at the end of a run.

It holds all WARC files that are there, those of earlier runs included, so it is made
anew by each run. The state is locked meanwhile, so that no other run appends to them. A
thread does the work, and the hub goes on: a signal ends it, and leaves the file of an
earlier run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from crawler import __version__
from crawler.model.config import Config
from crawler.output.warc.files import existing_files
from crawler.output.warc.wacz import (
    About,
    Cancelled,
    Page,
    pack,
    pages_of_index,
    pages_of_records,
)
from crawler.workspace.outputs import parts_of, record_streams
from crawler.workspace.paths import wacz_file, warc_folder
from hub.threadpool import ThreadPool


def packer(
    config: Config, close_archive: Callable[[], None], clock: Callable[[], float]
) -> Callable[[Callable[[], bool]], None]:
    """A function that packs the archive of a crawl, once `close_archive` has ended it.

    Its argument says whether that is still wanted. It raises OutputError, and
    UsageError for records that are damaged.
    """

    def run(is_wanted: Callable[[], bool]) -> None:
        close_archive()
        pack_archive(config, clock(), is_wanted)

    return run


def pack_archive(config: Config, now: float, is_wanted: Callable[[], bool]) -> None:
    """Pack the archive of a crawl, or those of all its shards. Switches.

    `now`: seconds since the epoch. Raises as `packer`.
    """
    ThreadPool(1, "wacz").spawn(_pack, config, now, is_wanted).get()


def _pack(config: Config, now: float, is_wanted: Callable[[], bool]) -> None:
    prefix, folder = config.warc.prefix, warc_folder(config.dir)
    prefixes = [one.warc.prefix for one in parts_of(config)]
    files = [file for one in prefixes for file in existing_files(folder, one)]
    warcs = [file for file in files if file.name.endswith(".warc.gz")]
    if not warcs:  # nothing has answered, and the file has to hold one
        return
    about = About(
        title=config.name or Path(config.dir).absolute().name,
        main_url=config.seeds[0] if config.seeds else None,
        software=f"orbweb/{__version__}",
        created=now,
        has_text=bool({"text", "markdown"}.intersection(config.records.include)),
    )
    try:
        target = wacz_file(config.dir, prefix)
        pack(target, warcs, _pages(config, warcs), about, is_wanted)
    except Cancelled:
        return


def _pages(config: Config, warcs: list[Path]) -> Iterator[Page]:
    """The pages of the records, or of the index where no file has the records."""
    if files := next(filter(None, record_streams(config)), None):
        return pages_of_records(files)
    return pages_of_index(warcs)
