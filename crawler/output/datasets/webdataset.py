"""WebDataset: tar files in which the members of a sample have one key.

    DIR/00000.tar    000000000.jpg 000000000.json 000000000.txt  000000001.jpg ...
    DIR/00001.tar    000010000.jpg ...

The keys and numbers are those of img2dataset. Each picture has the ending `jpg`,
whatever its format (`format` in the JSON): the column of a picture is called after its
ending, `datasets` refuses files whose samples have other columns than the first, and
WebDataset decodes no WebP. All of them decode by the bytes.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from crawler.output.datasets.samples import Sample, Samples, open_image
from crawler.output.datasets.target import draft_folder
from crawler.output.export.lines import Line
from crawler.output.export.writer import Write


@contextmanager
def open_webdataset(target: Path, samples: Samples, shard: int) -> Iterator[Write]:
    """Records go to tar files of `shard` samples each in the folder `target`.

    It is there when the context ends. Raises OutputError.
    """
    with draft_folder(target) as folder, _Shards(folder, shard) as shards:

        def write(lines: Sequence[Line]) -> int:
            written = 0
            for sample in samples.of(lines):
                shards.add(sample)
                written += 1
            return written

        yield write


class _Shards:
    """The tar files in `folder`, of which the last is open."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._size = size
        self._digits = max(4, len(str(size - 1)))
        self._count = 0
        self._tar: tarfile.TarFile | None = None

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tar is not None:
            self._tar.close()

    def add(self, sample: Sample) -> None:
        shard, index = divmod(self._count, self._size)
        if self._tar is None or not index:
            if self._tar is not None:
                self._tar.close()
            path = self._folder / f"{shard:05}.tar"
            self._tar = tarfile.TarFile(path, "x", format=tarfile.USTAR_FORMAT)
        self._count += 1
        key = f"{shard:05}{index:0{self._digits}}"
        fields = {"key": key, "text": sample.text, **sample.fields}
        with os.fdopen(open_image(sample), "rb") as file:
            member = tarfile.TarInfo(f"{key}.jpg")
            member.size = os.fstat(file.fileno()).st_size
            self._tar.addfile(member, file)
        for ending, content in (
            ("json", msgspec.json.encode(fields)),
            ("txt", sample.text.encode()),
        ):
            member = tarfile.TarInfo(f"{key}.{ending}")
            member.size = len(content)
            self._tar.addfile(member, io.BytesIO(content))
