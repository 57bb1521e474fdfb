"""The events of a crawl, and their listeners: exchanges, records, progress.

    on_exchange   each request with its response, when it has ended
    on_record     each record that ends a URL, after the commit that made it durable
    on_progress   a snapshot of the crawl, about twice a second
    on_warning    a sentence for the user: something fails, and the crawl goes on
    on_notice     a sentence for the user: what the crawl has found and decided

Any number of listeners may be added before the crawl runs or while it does: `-v`, the
log and the statistics are listeners, and so can be WARC files, metrics and plug-ins.
Without a listener of a kind, events of that kind cost nothing: no exchange is made and
no snapshot taken.

A listener is called by the greenlet in which the event happens. `on_record` listeners
must not switch, since they run inside a commit. What a listener raises stops the crawl,
which can be resumed. An exchange holds the secrets that were sent (`redact` hides
them). A record may be told that no sink gets, such as a skip without `--record skips`;
it has `seq` 0. A process that is killed right after a commit has not told its records;
only a sink gets each record exactly once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from crawler.engine.stats import Snapshot
from crawler.fetch.transport import ExchangeListener
from crawler.model.http import OpenSpool
from crawler.model.records import TerminalRecord

RecordListener = Callable[[TerminalRecord], None]
ProgressListener = Callable[[Snapshot], None]
WarningListener = Callable[[str], None]
NoticeListener = Callable[[str], None]


class ExchangeSource(Protocol):
    """The client, as far as events need it."""

    def on_exchange(
        self, listener: ExchangeListener, *, transferred: bool | OpenSpool = False
    ) -> None:
        """Tell `listener` each exchange from now on."""
        ...


class Events:
    """The listeners of one crawl."""

    def __init__(self, client: ExchangeSource) -> None:
        self._client = client
        self._on_record: list[RecordListener] = []
        self._on_progress: list[ProgressListener] = []
        self._on_warning: list[WarningListener] = []
        self._on_notice: list[NoticeListener] = []

    def on_exchange(
        self, listener: ExchangeListener, *, transferred: bool | OpenSpool = False
    ) -> None:
        """Tell `listener` each exchange from now on, when it has ended.

        With `transferred` exchanges hold their bodies as transferred, too, in memory or
        in spools that it opens: that costs one more copy.
        """
        self._client.on_exchange(listener, transferred=transferred)

    def on_record(self, listener: RecordListener) -> None:
        """Tell `listener` each record that ends a URL, once it is committed."""
        self._on_record.append(listener)

    def on_progress(self, listener: ProgressListener) -> None:
        """Tell `listener` how the crawl stands, about twice a second."""
        self._on_progress.append(listener)

    def on_warning(self, listener: WarningListener) -> None:
        """Tell `listener` what does not work while the crawl goes on."""
        self._on_warning.append(listener)

    def on_notice(self, listener: NoticeListener) -> None:
        """Tell `listener` what the crawl has decided for itself."""
        self._on_notice.append(listener)

    def add(self, listener: object) -> None:
        """Add each of `on_exchange`, `on_record`, `on_progress` that an object has."""
        for name in ("on_exchange", "on_record", "on_progress"):
            method = getattr(listener, name, None)
            if method is not None:
                getattr(self, name)(method)

    def record(self, record: TerminalRecord) -> None:
        """A record has been committed."""
        for listener in self._on_record:
            listener(record)

    def progress(self, snapshot: Callable[[], Snapshot]) -> None:
        """Take a snapshot for the listeners, if there are any."""
        if self._on_progress:
            now = snapshot()
            for listener in self._on_progress:
                listener(now)

    def warning(self, text: str) -> None:
        """Something does not work, and the crawl goes on."""
        for listener in self._on_warning:
            listener(text)

    def notice(self, text: str) -> None:
        """The crawl has decided something that its user should know."""
        for listener in self._on_notice:
            listener(text)
