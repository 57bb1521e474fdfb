"""Where things are in a crawl's folder.

records.jsonl    the records, unless `output` names other files (`outputs.py`)
images/          the images
bodies/          the bodies that are saved
warc/            the WARC files and their indexes (`[warc]`)
NAME.wacz        all of them in one file (`warc.wacz`)
uploads/         parts of records that wait for object storage
state/           what a resume needs: frontier.sqlite3, lock, pictures, reading,
                 partial/

Where a crawl is cut into shards, the folder of each is state/shards/NNN. It has a
state/ of its own and nothing else: what a shard writes for the user goes to the folder
of the crawl, in parts: records/part-NNN.jsonl, images/part-NNN/, bodies/part-NNN/, and
WARC files with `part-NNN` in their names.
"""

from __future__ import annotations

from pathlib import Path

from crawler.frontier.sqlite.database import (
    FILE_NAME,
    SHARDS_FOLDER,
    STATE_FOLDER,
    shard_folder,
)


def state_folder(folder: Path | str) -> Path:
    """The folder of the state, in the crawl's `folder`."""
    return Path(folder) / STATE_FOLDER


def has_state(folder: Path | str, shard: int) -> bool:
    """Whether the state of a shard is in the crawl's `folder`."""
    return (state_folder(shard_folder(folder, shard)) / FILE_NAME).is_file()


def part_of(folder: Path | str) -> str:
    """The name of the part that the shard in `folder` writes; "" for a whole crawl."""
    *above, number = Path(folder).parts[-3:] or ("",)
    return f"part-{number}" if above == [STATE_FOLDER, SHARDS_FOLDER] else ""


def content_folder(folder: Path | str) -> Path:
    """Where the crawl or shard in `folder` writes what is for the user."""
    return Path(folder).parents[2] if part_of(folder) else Path(folder)


def warc_folder(folder: Path | str) -> Path:
    """The folder of the WARC files, in the crawl's `folder`."""
    return content_folder(folder) / "warc"


def wacz_file(folder: Path | str, prefix: str) -> Path:
    """The WACZ file of WARC files with this prefix, in the crawl's `folder`."""
    return Path(folder) / f"{prefix}.wacz"


JOURNAL, GUARD = "pictures", "reading"


def image_journal(folder: Path | str) -> Path:
    """The names of images and bodies not committed yet (`output/files.py`)."""
    return state_folder(folder) / JOURNAL


def crash_guard(folder: Path | str) -> Path:
    """The URL whose response is being read (`crash_guard.py`)."""
    return state_folder(folder) / GUARD


def partial_bodies(folder: Path | str) -> Path:
    """The large bodies that are not complete (`output/partials.py`)."""
    return state_folder(folder) / "partial"
