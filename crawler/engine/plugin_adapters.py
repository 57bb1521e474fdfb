"""Plug-ins in a crawl: as checks, as listeners, as sinks.

The effect of an exception depends on the method:

    check, extract, items,     an `extract` error of that URL, which names the plug-in
    discover
    on_exchange, on_record     a warning for the first one; the others are counted
    a sink                     the crawl stops and can be resumed, because a sink that
                               misses a record has lost it

So a listener never stops a crawl, and a sink never loses a record silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from crawler.engine.events import Events
from crawler.model.config import Config, PluginConfig
from crawler.model.errors import (
    PLUGIN_FAILURES,
    OutputError,
    Stop,
    UsageError,
    failure_text,
)
from crawler.model.record_base import Record
from crawler.output.sink import Position, RecordSink
from crawler.policy.check import Check

if TYPE_CHECKING:
    from crawler.engine.document_plugins import DocumentPlugins
    from crawler.plugins.loading import LoadedPlugin

LISTENERS = ("on_exchange", "on_record")
ON_DOCUMENTS = frozenset(("extract", "items", "discover"))
FIELDS = "crawler.extract.fields.fields:Fields"
TEXT = "crawler.extract.text.page_text:PageTexts"
OUR_OWN = {FIELDS: "fields", TEXT: "text"}
"""What messages call the plug-ins that are parts of the crawl."""


class GuardedListener:
    """One listener of a plug-in, whose exceptions are told once and counted."""

    def __init__(
        self, plugin: LoadedPlugin, method: str, warn: Callable[[str], None]
    ) -> None:
        self.name = f"plug-in {plugin.name}: {method}()"
        self.failures = 0
        self._method = getattr(plugin.target, method)
        self._warn = warn

    def __call__(self, *event: Any) -> None:
        try:
            self._method(*event)
        except PLUGIN_FAILURES as error:
            self.failures += 1
            if self.failures == 1:
                self._warn(f"{self.name} failed: {failure_text(error)}")


class PluginListeners:
    """The listeners among the plug-ins of one crawl."""

    def __init__(self, plugins: Iterable[LoadedPlugin], events: Events) -> None:
        self._warn = events.warning
        self._listeners: list[GuardedListener] = []
        self._closers: list[GuardedListener] = []
        for plugin in plugins:
            for method in LISTENERS:
                if method in plugin.methods:
                    listener = GuardedListener(plugin, method, self._warn)
                    getattr(events, method)(listener)
                    self._listeners.append(listener)
            if plugin.has_close and not plugin.is_sink:
                self._closers.append(GuardedListener(plugin, "close", self._warn))

    def close(self) -> None:
        """The crawl has ended. Tells how often a listener has failed more than once."""
        for closer in self._closers:
            closer()
        for listener in self._listeners:
            if listener.failures > 1:
                self._warn(f"{listener.name} failed {listener.failures} times in all")


class PluginSink:
    """The sink that a plug-in is; any exception of it is an OutputError."""

    def __init__(self, plugin: LoadedPlugin, position: Position | None) -> None:
        self._name = plugin.name
        self._target = plugin.target
        self._call("rewind", position)

    def write(self, records: Sequence[Record]) -> None:
        self._call("write", records)

    def flush(self) -> Position | None:
        import json  # only a crawl with a plug-in sink needs it

        position: Position | None = self._call("flush")
        try:
            json.dumps(position, allow_nan=False)  # msgspec would make null of a NaN
        except (TypeError, ValueError, RecursionError) as error:
            raise OutputError(
                f"plug-in {self._name}: flush() gave a position that JSON cannot hold: "
                f"{failure_text(error)}"
            ) from error
        return position

    def close(self) -> None:
        self._call("close")

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return getattr(self._target, method)(*arguments)
        except Stop:
            raise
        except PLUGIN_FAILURES as error:
            raise OutputError(
                f"plug-in {self._name}: {method}() failed: {failure_text(error)}"
            ) from error


class Plugins:
    """The plug-ins of one crawl, by the part of the crawl in which they are called.

    `config.plugin` names some, and `objects` are passed by a program. Where there are
    none, nothing is imported. Raises UsageError.
    """

    def __init__(self, config: Config, objects: Sequence[object] = ()) -> None:
        self._plugins: Sequence[LoadedPlugin] = ()
        self._max_links = config.limits.max_links
        self._robots = config.robots
        self._processes = config.extract_processes
        wanted = (*_our_own(config), *config.plugin)
        if wanted or objects:
            from crawler.plugins.loading import load_plugins

            self._plugins = load_plugins(wanted, objects)

    def checks(self) -> Sequence[Check]:
        """The checks among them."""
        if not self._plugins:
            return ()
        from crawler.plugins.checking import plugin_checks

        return plugin_checks(self._plugins)

    def sinks(self) -> dict[str, Callable[[Position | None], RecordSink]]:
        """The openers of the sinks among them, by the name of their positions."""
        return {
            f"plugin {plugin.name}": partial(PluginSink, plugin)
            for plugin in self._plugins
            if plugin.is_sink
        }

    @contextmanager
    def documents(self, *, reading: bool = False) -> Iterator[DocumentPlugins | None]:
        """Those that work on documents, in processes that run meanwhile; None: none.

        `reading`: where there are none, such processes read the pages all the same, if
        the configuration says how many. Raises PluginError if the process cannot load
        them.
        """
        chosen = [one for one in self._plugins if one.methods & ON_DOCUMENTS]
        if not (chosen or (reading and self._processes != "auto")):
            yield None
            return
        from crawler.engine.document_plugins import DocumentPlugins
        from crawler.engine.sandbox.cores import usable_cores

        processes = usable_cores() if self._processes == "auto" else self._processes
        plugins = DocumentPlugins(
            chosen, self._max_links, processes=processes, robots=self._robots
        )
        with closing(plugins) as documents:
            yield documents

    def see_exchanges(self) -> bool:
        """Whether one of them is told each exchange, with the body of its response."""
        return any("on_exchange" in plugin.methods for plugin in self._plugins)

    def listen(self, events: Events) -> Callable[[], None]:
        """Call the listeners among them from now on.

        The function that is returned says that the crawl has ended.
        """
        return PluginListeners(self._plugins, events).close


def _our_own(config: Config) -> Iterator[PluginConfig]:
    """Fields, items, APIs and the text of pages, which are plug-ins of our own."""
    if config.fields or config.site or config.api:
        options = {
            "fields": config.fields, "sites": config.site, "apis": config.api,
        }  # fmt: skip
        yield PluginConfig(FIELDS, to_builtins(options))
    records = config.records
    include = [name for name in records.include if name in ("text", "markdown")]
    if include:
        from crawler.extract.text.page_text import check_installed

        try:
            check_installed(include)
        except ValueError as error:
            raise UsageError(f"records.include: {error}") from error
        whole = records.text == "whole"
        yield PluginConfig(TEXT, {"include": include, "whole": whole})
