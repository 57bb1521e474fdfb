"""Makes the mirror of a crawl, of what is saved: no request, no record.

    state, saved bodies -> names (`output/mirror/names.py`)
                        -> files, each with its references rewritten

It runs at the end of each run, while the state is open, and knows nothing of a
conversion before: what a killed one has left, the next one does. So after a resume or
a recrawl all references fit together again.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from crawler.engine.archive.mirror_entries import MirrorEntry, entries
from crawler.extract.body import MAX_MARKUP, Body
from crawler.extract.references.rewrite import Local, is_rewritable, rewrite
from crawler.model.config import Config
from crawler.model.metadata import KeyValue
from crawler.model.url import canonical, url_key
from crawler.output.mirror.files import MIRROR, MirrorFiles
from crawler.output.mirror.names import Saved, assign, reference
from crawler.policy.strip_params import ParamStripper

MAX_REWRITTEN = 2 * MAX_MARKUP
"""Bytes of a document whose references are rewritten; a larger one stays as it is."""
MAX_REDIRECTS = 20


class MirrorMaker:
    """Makes the mirror of one crawl.

    `substitute` takes a URL and that of the page with a link to it, and gives the one
    that was crawled in its place: a trap's keys were cut, as session ids are. `go_on`
    is called between two files; it may let others run, and returns False to stop.
    `warn` gets what the user should know.
    """

    def __init__(
        self,
        config: Config,
        metadata: KeyValue,
        substitute: Callable[[str, str], str | None],
        go_on: Callable[[], bool],
        warn: Callable[[str], None],
    ) -> None:
        self._seeds = config.seeds
        self._folder = Path(config.dir)
        self._metadata = metadata
        self._substitute = substitute
        self._go_on = go_on
        self._warn = warn
        self._strip = ParamStripper(config.scope.strip_params).stripped
        self._names: dict[str, str] = {}  # by the URL's key
        self._redirects: dict[str, str] = {}

    def make(self) -> bool:
        """Write what is new or has changed; False if `go_on` has stopped it.

        Raises OutputError.
        """
        known = list(entries(self._metadata))
        there = {url: one for url, one in known if one.path and self._is_file(one.path)}
        names = assign(
            Saved(url, one.media_type, one.path) for url, one in there.items()
        )
        self._names = {url_key(url): name for url, name in names.items()}
        self._redirects = {
            url_key(url): one.location for url, one in known if one.location
        }
        files = MirrorFiles(self._folder)
        files.begin(names.values())
        if not self._write_all(files, names, there):
            return False
        files.end()
        return True

    def first_page(self) -> Path | None:
        """The file of the first seed that has one."""
        for seed in self._seeds:
            name = self._find(canonical(seed) or seed)
            if name is not None:
                return (self._folder / MIRROR / name).absolute()
        return None

    def _write_all(
        self, files: MirrorFiles, names: dict[str, str], there: dict[str, MirrorEntry]
    ) -> bool:
        written: set[str] = set()
        for url, name in names.items():
            if name in written:
                continue
            written.add(name)
            if not self._go_on():
                return False
            content = self._rewritten(url, there[url], self._local(url, name))
            if content is None:
                files.link(name, there[url].path)
            else:
                files.write(name, content)
        return True

    def _rewritten(self, url: str, entry: MirrorEntry, local: Local) -> bytes | None:
        """The content with its references rewritten; None if it has none."""
        path = self._folder / entry.path
        if not is_rewritable(entry.media_type) or path.stat().st_size > MAX_REWRITTEN:
            return None
        charset = entry.charset if entry.told_by_http else None
        body = Body(url, path.read_bytes(), entry.media_type, charset, 0, False)
        try:
            return rewrite(body, local)
        except MemoryError:
            raise
        except Exception as error:  # the other files are of use without this one
            self._warn(f"{url}: its links in the mirror are not converted: {error!r}")
            return None

    def _local(self, document: str, name: str) -> Local:
        """What the document of this URL, in the file `name`, refers to.

        Links lose their tracking parameters when they are crawled, pictures do not.
        """

        def local(url: str) -> str | None:
            target = self._find(url)
            if target is None and "?" in url:
                target = self._find(self._strip(url))
            if target is None and (other := self._substitute(url, document)):
                target = self._find(other)
            return None if target is None else reference(name, target)

        return local

    def _find(self, url: str) -> str | None:
        """The file of a URL, or of that to which it redirects."""
        for _ in range(MAX_REDIRECTS):
            key = url_key(url)
            if (name := self._names.get(key)) is not None:
                return name
            if (location := self._redirects.get(key)) is None:
                return None
            url = location
        return None

    def _is_file(self, path: str) -> bool:
        try:
            return stat.S_ISREG((self._folder / path).lstat().st_mode)
        except OSError:
            return False
