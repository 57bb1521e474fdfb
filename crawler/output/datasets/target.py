"""The folder of a data set, which is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from crawler.model.errors import UsageError
from crawler.output.sink import refused


@contextmanager
def draft_folder(target: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the name `target` if all goes well.

    Otherwise it is removed. Raises UsageError if there is something at `target`, and
    OutputError.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UsageError(f"{target} exists; name a new folder, or remove it")
    path = target.with_name(f"{target.name}.part{os.getpid()}")
    try:
        path.mkdir(parents=True)
        yield path
        with suppress(FileNotFoundError):
            target.rmdir()
        path.rename(target)
    except OSError as error:
        raise refused(error, target) from error
    finally:
        shutil.rmtree(path, ignore_errors=True)
