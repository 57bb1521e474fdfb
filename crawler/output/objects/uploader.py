"""Uploads the parts of one output, and removes them here when that is done.

    part -> its object -> the manifest here -> the manifest's object -> removed here

Killed between two of these, the next run goes on: a part that the manifest has is
removed, any other is uploaded (again). What the manifest names never changes.

Nothing here switches; it runs in a thread of its own (`engine/uploading.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crawler.model.errors import UsageError
from crawler.model.policy_config import RetryConfig
from crawler.output.lines import stream_files
from crawler.output.objects import manifest as manifests
from crawler.output.objects.address import Address
from crawler.output.objects.bucket import Bucket, StorageError
from crawler.output.sink import refused

_STEP_S = 0.1
"""How often a wait looks whether it is still wanted (seconds)."""


class Uploader:
    """Uploads the parts of the output at `address`, which are files beside `path`.

    Raises UsageError if the storage can't be used.
    """

    def __init__(self, address: Address, path: Path) -> None:
        self.failure: StorageError | None = None
        """Why the last upload failed; None after one that did not."""
        self.path = path
        self.address = address
        self._bucket = Bucket(address.root)
        name = manifests.manifest_name(path.name)
        self._local = path.with_name(name)
        self._object = address.object_of(self._local)
        self._manifest = manifests.Manifest(self._output)

    @property
    def _output(self) -> str:
        return f"{self.address.root}/{self.address.key}"

    def check(self) -> None:
        """Try to read. Raises UsageError, or StorageError if it may be tried again."""
        with _before_the_crawl():
            self._bucket.get(self._object)

    def overwrite(self) -> None:
        """Forget the parts that were uploaded before the output begins.

        Raises as `check`.
        """
        with _before_the_crawl():
            self._bucket.put(self._object, self._manifest.encoded())

    def prepare(self, number: int, overwrites: bool) -> None:
        """Before the output is opened: try to write, and remove what is uploaded.

        `number` is that of the last part that is committed, 0 if there is none: then no
        other crawl may have written there, unless this one `overwrites` that. Raises
        UsageError, StorageError, OutputError, StateError.
        """
        try:
            with _before_the_crawl():
                self._prepare(number, overwrites)
        except OSError as error:
            raise refused(error, error.filename or self._local) from error

    def _prepare(self, number: int, overwrites: bool) -> None:
        found = manifests.load(self._local)
        if found is None and not overwrites:
            found = self._manifest_there(is_ours=number > 0)
        self._manifest = found or self._manifest
        self._bucket.put(self._object, self._manifest.encoded())
        self._local.parent.mkdir(parents=True, exist_ok=True)
        manifests.save(self._local, self._manifest)
        for part in stream_files(self.path):
            if part.name in self._manifest.names():
                part.unlink()

    def _manifest_there(self, is_ours: bool) -> manifests.Manifest | None:
        """The manifest in the bucket, after its copy here was removed."""
        data = self._bucket.get(self._object)
        found = None if data is None else manifests.parse(data)
        if data is None or (found is not None and (is_ours or not found.parts)):
            return found
        raise UsageError(
            f"{self.address.root}/{self._object} is there already: another crawl has "
            "written it; name another with --output, or overwrite it with --fresh"
        )

    def waiting(self) -> list[Path]:
        """The parts that are here, in the order of their records."""
        return stream_files(self.path)

    def upload(self, parts: Sequence[Path]) -> None:
        """Upload `parts`, which are finished, until one fails: see `failure`.

        Raises OutputError, UsageError for a damaged part.
        """
        try:
            for part in parts:
                self._upload(part)
            self.failure = None
        except StorageError as error:
            self.failure = error
        except OSError as error:
            raise refused(error, error.filename or self.path) from error

    def upload_all(self, retry: RetryConfig, is_wanted: Callable[[], bool]) -> None:
        """Upload all parts that are here, with retries. Raises as `upload`.

        Where it fails in the end, `failure` tells. Ends early once it is not wanted.
        """
        pause = retry.backoff
        for attempt in range(retry.tries):
            if attempt and not _waited(pause, is_wanted):
                return
            self.upload(self.waiting())
            if self.failure is None or self.failure.final:
                return
            pause = min(pause * 2, retry.max_backoff)

    def _upload(self, part: Path) -> None:
        if not part.exists():  # it was uploaded, since it was told
            return
        described = manifests.describe(part)
        if described is None:
            return
        if part.name not in self._manifest.names():
            self._bucket.put(self.address.object_of(part), part)
            self._manifest.parts.append(described)
            manifests.save(self._local, self._manifest)
        self._bucket.put(self._object, self._manifest.encoded())
        part.unlink()


@contextmanager
def _before_the_crawl() -> Iterator[None]:
    """What cannot succeed is a mistake in the command or in the environment."""
    try:
        yield
    except StorageError as error:
        if error.final:
            raise UsageError(str(error)) from error
        raise


def _waited(seconds: float, is_wanted: Callable[[], bool]) -> bool:
    """Wait; False once it is not wanted any more."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if not is_wanted():
            return False
        time.sleep(min(left, _STEP_S))
    return is_wanted()
