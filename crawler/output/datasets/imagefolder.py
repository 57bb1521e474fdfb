"""The layout `imagefolder`: files and a `metadata.jsonl` with the column `file_name`.

    DIR/train/metadata.jsonl      {"file_name":"3f/3fa9....jpg","text":"A cat",...}
    DIR/train/3f/3fa9....jpg

The names are hashes, because `datasets` takes a word such as `test` or `val` in a name
for the split to which the file belongs, and would leave out all others.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from crawler.output.datasets.samples import Sample, Samples
from crawler.output.datasets.target import draft_folder
from crawler.output.export.lines import Line
from crawler.output.export.writer import Write
from crawler.output.images import EXTENSIONS

SPLIT = "train"


@contextmanager
def open_imagefolder(target: Path, samples: Samples) -> Iterator[Write]:
    """Records go to the folder `target`, which is there when the context ends.

    Raises OutputError.
    """
    with draft_folder(target) as folder:
        split = folder / SPLIT
        split.mkdir()
        with (split / "metadata.jsonl").open("xb") as metadata:

            def write(lines: Sequence[Line]) -> int:
                written = 0
                for sample in samples.of(lines):
                    name = _place(sample, split)
                    row = {"file_name": name, "text": sample.text, **sample.fields}
                    metadata.write(msgspec.json.encode(row) + b"\n")
                    written += 1
                return written

            yield write


def _place(sample: Sample, split: Path) -> str:
    """Put the file of a sample below `split`; its path there."""
    ending = EXTENSIONS.get(sample.format, sample.format)
    name = f"{sample.sha256[:2]}/{sample.sha256}.{ending}"
    path = split / name
    path.parent.mkdir(exist_ok=True)
    try:
        os.link(sample.path, path, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        shutil.copyfile(sample.path, path)
    return name
