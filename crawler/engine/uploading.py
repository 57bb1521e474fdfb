"""Uploads of finished parts in the background, for outputs in object storage.

The commit that has ended a part tells it here, which only queues it for a thread: a
commit never waits for the network. An upload that fails is a warning, and is tried
again with the next part and at the end of the run. The end waits for all uploads, those
of the last part included, unless a signal ends the run: then the rest waits in the
crawl's folder for `orbweb resume`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

from crawler.frontier.store import Store
from crawler.model.config import Config
from crawler.model.errors import OutputError
from crawler.model.units import counted, is_or_are
from crawler.output.lines import split_position
from crawler.output.objects.uploader import Uploader
from crawler.output.sink import RecordSink
from crawler.workspace.open import Mode
from crawler.workspace.outputs import object_outputs
from crawler.workspace.paths import content_folder
from hub.threadpool import ThreadPool

_TICK_S = 0.2
"""How often the end of a run looks whether uploads are still wanted (seconds)."""


class Uploading:
    """The uploads of a crawl. Raises UsageError if a storage can't be used."""

    def __init__(self, config: Config) -> None:
        self.on_warning: Callable[[str], None] = lambda _text: None
        self._config = config
        folder = content_folder(config.dir)
        self._uploaders = {
            name: Uploader(address, address.path(folder))
            for name, address in object_outputs(config).items()
        }
        # A thread for each: the parts of an output are uploaded one by one.
        self._pools = {name: ThreadPool(1, "upload") for name in self._uploaders}
        self._warned = ""

    def check(self) -> None:
        """Try whether each storage can be read. Raises as `Uploader.check`."""
        for name, uploader in self._uploaders.items():
            self._pools[name].submit(uploader.check).get()

    def prepare(self, mode: Mode, store: Store) -> None:
        """Try whether each storage can be written, before an output is opened.

        Raises as `Uploader.prepare`.
        """
        for name, uploader in self._uploaders.items():
            position = store.position(name)
            number = split_position(position)[0] if isinstance(position, int) else 0
            overwrites = mode == "fresh"
            self._pools[name].submit(uploader.prepare, number, overwrites).get()

    def overwrite(self) -> None:
        """Let the outputs begin anew, also where another crawl has written them.

        Raises as `Uploader.check`.
        """
        for name, uploader in self._uploaders.items():
            self._pools[name].submit(uploader.overwrite).get()

    def part_finished(self, name: str) -> None:
        """A part of the output is finished, and its commit is on the disk."""
        uploader = self._uploaders[name]
        self._warn(uploader)
        self._pools[name].submit(uploader.upload, uploader.waiting())

    def finish(
        self, sinks: Mapping[str, RecordSink], is_wanted: Callable[[], bool]
    ) -> None:
        """Upload what is left; the run is over. Closes the `sinks` of the outputs.

        Raises OutputError, which says what to do.
        """
        for name in self._uploaders:
            sinks[name].close()
        results = [
            self._pools[name].submit(uploader.upload_all, self._config.retry, is_wanted)
            for name, uploader in self._uploaders.items()
        ]
        for result in results:
            while not result.ready():
                if not is_wanted():
                    return
                result.wait(_TICK_S)
            result.get()
        for uploader in self._uploaders.values():
            if uploader.failure is not None:
                raise self._failed(uploader, uploader.failure)

    def _failed(self, uploader: Uploader, failure: Exception) -> OutputError:
        parts, folder = len(uploader.waiting()), uploader.path.parent
        left = f"{counted(parts, 'part')} {is_or_are(parts)}"
        crawl = str(content_folder(self._config.dir))
        again = f"orbweb resume {shlex.quote(crawl)}"
        return OutputError(f"{failure}; {left} left in {folder}: `{again}` uploads it")

    def _warn(self, uploader: Uploader) -> None:
        """Tell once why uploads fail."""
        failure = "" if uploader.failure is None else str(uploader.failure)
        if failure and failure != self._warned:
            self.on_warning(f"{failure}; the upload is tried again with the next part")
        self._warned = failure
