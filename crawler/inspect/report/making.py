"""What a report is made of, from the folder of a crawl."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from crawler.frontier.sqlite.database import STATE_FOLDER, holds_crawl
from crawler.inspect.audit.audit import audit
from crawler.inspect.next_command import next_command
from crawler.inspect.report.pictures import Picture, is_file_of_crawl
from crawler.inspect.report.report import State
from crawler.inspect.state import open_state
from crawler.inspect.status import read_status
from crawler.model.metadata import EXTRACT_OF

MAX_FINDINGS = 20
"""Findings that each section of the audit names."""


def read_state(folder: Path) -> tuple[State, tuple[str, ...]]:
    """What the state says, and the seeds. Raises UsageError and StateError."""
    with open_state(folder, of_extraction=True) as (reader, config):
        extract_of = (reader.get(EXTRACT_OF, "") or b"").decode()
        found = None if extract_of else audit(reader, MAX_FINDINGS)
    status = read_status(folder / STATE_FOLDER)
    assert status is not None  # `open_state` has seen the crawl
    counts = status.counts
    state = State(
        name=status.state,
        queued=counts["queued"],
        urls=sum(counts.values()) - counts["queued"] - counts["skip"],
        skips=status.reasons["skip"],
        received=status.received_bytes,
        continues=next_command(
            str(folder), config.limits, counts["page"], status.received_bytes
        ),
        extract_of=extract_of,
        audit=found,
    )
    return state, config.seeds


def picture_folder(folder: Path, state: State) -> Path:
    """The folder whose pictures the records name: an extraction leaves them there."""
    source = Path(state.extract_of)
    is_crawl = state.extract_of and holds_crawl(source)
    return source if is_crawl else folder


def way_to(folder: Path, page: Path) -> str:
    """The relative URL from the folder of `page` to `folder`; empty if it is there."""
    way = os.path.relpath(folder.absolute(), page.absolute().parent)
    return "" if way == "." else f"{quote(Path(way).as_posix())}/"


def files_of(folder: Path, pictures: Sequence[Picture]) -> list[str]:
    """The files of the pictures that are there, each once, relative to the folder."""
    paths = dict.fromkeys(one.row.path for one in pictures if one.row.path)
    return [path for path in paths if _is_there(folder, path)]


def _is_there(folder: Path, path: str) -> bool:
    file = folder / path
    return is_file_of_crawl(path) and file.is_file() and not file.is_symlink()
