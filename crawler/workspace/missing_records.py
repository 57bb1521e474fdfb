"""Which records of a crawl are not in its folder any more, in words.

Finished parts may be taken away (`--rotate`), a file may be moved away for log rotation
(SIGHUP), or between two crawls. Commands that read records go on with what is there,
and say what is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.frontier.store import Run
from crawler.model.config import Config
from crawler.output.export.lines import decode, read_batches
from crawler.output.lines import STDOUT, part_number, part_path, stream_files
from crawler.workspace.outputs import jsonl_files, parts_of


class _First(Struct):
    seq: int = 0
    event: str = ""


_first = msgspec.json.Decoder(_First).decode


def missing_records(config: Config, run: Run) -> Iterator[str]:
    """What the files of the first output that has any lack, a sentence each."""
    parts = parts_of(config)
    whole = run.seq if len(parts) == 1 else None  # each shard counts its own
    for part in parts:
        for name, path in jsonl_files(part).items():
            files = stream_files(path)
            if files and "://" not in name:
                yield from _before(files[0], whole)
                yield from _between(path, files)
            if files:
                break


def why_no_records(config: Config, run: Run) -> str:
    """Why no file of records is there, and what can be done about it."""
    paths = [path for part in parts_of(config) for path in jsonl_files(part).values()]
    if not paths and STDOUT in config.output:
        return "its records went to stdout; name the file that has them"
    if not paths:
        return "there is no file of records of its crawl; name one instead"
    return (
        f"there is no file of records of its crawl: {paths[0]}, to which {run.seq:,} "
        "records were written, was moved away; put it back, or name the file instead"
    )


def _before(file: Path, whole: int | None) -> Iterator[str]:
    """`whole`: the number of the last record; the numbers go on from run to run."""
    first = _first_record(file)
    if first is None or first.seq <= 1:
        return
    of_all = f" of {whole:,}" if whole else ""
    whose = "those of earlier runs" if first.event == "started" else "those before"
    yield (
        f"{file} begins with record {first.seq:,}{of_all}; {whose} were moved away and "
        "are left out here"
    )


def _between(path: Path, files: list[Path]) -> Iterator[str]:
    numbers = [part_number(path, file) for file in files]
    for before, after in pairwise(numbers):
        if before and after - before > 1:
            lost = [part_path(path, one) for one in (before + 1, after - 1)]
            to = f" to {lost[1].name}" if after - before > 2 else ""
            yield f"{lost[0]}{to}: not there any more, and left out here"


def _first_record(file: Path) -> _First | None:
    lines = chain.from_iterable(read_batches([file]))
    return next((one for line in lines if (one := decode(line, _first)).seq), None)
