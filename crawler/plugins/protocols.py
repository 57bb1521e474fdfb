"""The methods of a plug-in. An object that has one of these shapes is a plug-in.

Nothing has to be inherited. The classes stand here for documentation and for type
checkers; an object may have several of the shapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from crawler.model.crawl import Skip
from crawler.model.records import AnyRecord, TerminalRecord

if TYPE_CHECKING:
    from crawler.model.http import Exchange
    from crawler.plugins.document import PluginDocument
    from crawler.policy.check import Candidate


class CheckPlugin(Protocol):
    """Decides whether a URL is fetched.

    Example:
        >>> class OnlyArticles:
        ...     def check(self, candidate):
        ...         return None if "/article/" in candidate.url else "no article"
    """

    def check(self, candidate: Candidate, /) -> Skip | str | None:
        """None lets the URL pass; a text, or a `Skip`, is the rule that refuses it.

        Called for each URL before it is requested. A text becomes the rule of a skip
        record whose reason is `plugin`.
        """
        ...


class ExtractPlugin(Protocol):
    """Takes fields from a page.

    Example:
        >>> class Words:
        ...     def extract(self, document):
        ...         return {"words": len(document.tree.text_content().split())}
    """

    def extract(self, document: PluginDocument, /) -> Mapping[str, Any] | None:
        """Fields for `data` of the page's record; JSON values under text keys.

        Runs in the child process. Where two plug-ins give the same key, the later one
        in the configuration wins.
        """
        ...


class ItemsPlugin(Protocol):
    """Takes repeated items from a page, each of which becomes a record.

    Example:
        >>> class Rows:
        ...     def items(self, document):
        ...         for row in document.tree.iter("tr"):
        ...             yield {"cells": [cell.text_content() for cell in row]}
    """

    def items(self, document: PluginDocument, /) -> Iterable[Mapping[str, Any]]:
        """`data` of each item's record; JSON values under text keys.

        Runs in the child process.
        """
        ...


class DiscoverPlugin(Protocol):
    r"""Finds URLs in a page that are no links in its markup.

    Example:
        >>> import re
        >>> class UrlsInText:
        ...     def discover(self, document):
        ...         return re.findall(r"https?://[^\s\"'<>]+", document.text)
    """

    def discover(self, document: PluginDocument, /) -> Iterable[str]:
        """URLs, absolute or relative to the page. They are checked like links.

        Runs in the child process.
        """
        ...


class ExchangePlugin(Protocol):
    """Receives each exchange with a server.

    Example:
        >>> class Slow:
        ...     def on_exchange(self, exchange):
        ...         if exchange.timings.fetch_ms > 1000:
        ...             print(exchange.url)
    """

    def on_exchange(self, exchange: Exchange, /) -> object:
        """One request and its response. The crawl waits for the method."""
        ...


class RecordPlugin(Protocol):
    """Receives each record that ends a URL.

    Example:
        >>> class Errors:
        ...     def on_record(self, record):
        ...         if record.type == "error":
        ...             print(record.url, record.error_message)
    """

    def on_record(self, record: TerminalRecord, /) -> object:
        """A record that ends a URL, after its commit. The crawl waits meanwhile."""
        ...


class SinkPlugin(Protocol):
    """Writes the records somewhere; a `RecordSink` that can be rewound.

    Raise `crawler.OutputError` for what the user can repair, such as a full disk. It
    stops the crawl with that message; a resume continues without a gap in the sink.

    Example:
        >>> class Titles:
        ...     def rewind(self, position):
        ...         self.file = open("titles.txt", "ab")
        ...         self.file.truncate(position or 0)
        ...     def write(self, records):
        ...         for record in records:
        ...             if record.type == "page":
        ...                 self.file.write(f"{record.title}\\n".encode())
        ...     def flush(self):
        ...         self.file.flush()
        ...         return self.file.tell()
        ...     def close(self):
        ...         self.file.close()
    """

    def rewind(self, position: Any, /) -> object:
        """Called once, first: go back to `position`, which `flush` has returned before.

        None: nothing was committed yet, begin anew. What was written after `position`
        comes again.
        """
        ...

    def write(self, records: Sequence[AnyRecord], /) -> object:
        """Take these records, in the order of `seq`."""
        ...

    def flush(self) -> Any:
        """Make what was written durable; the position after it.

        The position is any value that JSON can hold. None: the sink cannot rewind, and
        gets a record at least once.
        """
        ...

    def close(self) -> object:
        """Nothing more will be written."""
        ...


Plugin = (
    CheckPlugin
    | ExtractPlugin
    | ItemsPlugin
    | DiscoverPlugin
    | ExchangePlugin
    | RecordPlugin
    | SinkPlugin
)
"""What `crawl(..., plugins=[...])` takes."""

METHODS: dict[str, str] = {
    "check": "candidate",
    "extract": "document",
    "items": "document",
    "discover": "document",
    "on_exchange": "exchange",
    "on_record": "record",
}
"""A plug-in has at least one of these, each with the argument that it is given."""

SINK_METHODS: dict[str, str | None] = {
    "rewind": "position",
    "write": "records",
    "flush": None,
    "close": None,
}
"""A sink has all of these, each with the argument that it is given."""
