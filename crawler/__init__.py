"""Orbweb: a web crawler and image collector, as a library.

A first crawl
=============
`crawl` follows links from one or more URLs. It gives typed records while it runs, and
keeps them with the images and its state in a folder:

    from crawler import crawl

    for record in crawl("https://example.com/", dir="out", max_pages=100):
        if record.type == "page":
            print(record.status, record.url, record.title)

The loop may be slow: the crawl then waits for it. It may end early, by `break` or by an
exception: the crawl stops, and `crawl(dir="out", resume=True)` goes on exactly there,
as does `orbweb resume out`. The caller needs no event loop and no thread of its own.

Settings are keyword arguments (`CrawlOptions`), or a ready `Config`.

One URL
=======
`fetch` takes one URL and writes nothing:

    from crawler import fetch

    page = fetch("https://example.com/")
    print(page.record.status, page.document.title)
    for link in page.document.links:
        print(link.url, link.text)

Records
=======
Each URL that a crawl finds ends in exactly one record: `PageRecord`, `FileRecord`,
`ImageRecord`, `RedirectRecord`, `ErrorRecord` or `SkipRecord`. Skips are written on
request, as are `RobotsRecord`s. A `RunRecord` marks the start and the end of a run.
`record.type` or `isinstance` selects a class, also for a type checker. The same records
are the lines of `out/records.jsonl`; `orbweb schema` describes every field.

Errors
======
A URL that fails is an `ErrorRecord`, never an exception. What ends a crawl is raised:
`UsageError` for a wrong setting, before anything is written; `OutputError` for a full
disk and its like; `StateError` for a state that is in use or damaged. All three are a
`Stop`.

Plug-ins
========
A plug-in is an object with any of the methods `check`, `extract`, `discover`,
`on_exchange` and `on_record`, or a sink with `rewind`, `write`, `flush` and `close`:

    class FirstHeading:
        def extract(self, document):
            heading = document.tree.find(".//h1")
            return {"h1": None if heading is None else heading.text_content()}

    for record in crawl("https://example.com/", plugins=[FirstHeading()]):
        ...

A class that has `extract` or `discover` is imported by a child process, too; a script
that defines one crawls under `if __name__ == "__main__":`.

Where to go on
==============
docs/api.md tells more about this interface, docs/plugins.md about plug-ins, README.md
about the command line, and crawler/README.md about how all of it works.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crawler.api.crawling import RecordStream, crawl
    from crawler.api.fetching import fetch
    from crawler.api.options import CrawlOptions
    from crawler.engine.fetch_url import FetchedUrl
    from crawler.engine.run_report import Summary
    from crawler.model.config import Config, PluginConfig
    from crawler.model.content_config import (
        ApiConfig,
        BodiesConfig,
        FieldConfig,
        ImagesConfig,
        OutputConfig,
        SiteConfig,
        WarcConfig,
    )
    from crawler.model.crawl import Skip
    from crawler.model.documents import (
        Document,
        File,
        Image,
        ImageLink,
        Link,
        Page,
    )
    from crawler.model.errors import (
        LoginError,
        OutOfMemoryError,
        OutputError,
        StateError,
        Stop,
        UsageError,
    )
    from crawler.model.http import Exchange, Response
    from crawler.model.http_config import HttpConfig, LoginConfig
    from crawler.model.policy_config import (
        LimitsConfig,
        PolitenessConfig,
        RetryConfig,
        RobotsConfig,
        ScopeConfig,
    )
    from crawler.model.record_base import Record
    from crawler.model.records import (
        AnyRecord,
        ErrorRecord,
        FileRecord,
        ImageRecord,
        ItemRecord,
        PageRecord,
        RedirectRecord,
        RobotsRecord,
        RunRecord,
        SkipRecord,
        TerminalRecord,
    )
    from crawler.plugins.document import PluginDocument
    from crawler.plugins.protocols import (
        CheckPlugin,
        DiscoverPlugin,
        ExchangePlugin,
        ExtractPlugin,
        ItemsPlugin,
        Plugin,
        RecordPlugin,
        SinkPlugin,
    )
    from crawler.policy.check import Candidate

__version__ = "0.1.0"

_NAMES = {
    "api.crawling": ("RecordStream", "crawl"),
    "api.fetching": ("fetch",),
    "api.options": ("CrawlOptions",),
    "engine.fetch_url": ("FetchedUrl",),
    "engine.run_report": ("Summary",),
    "model.config": ("Config", "PluginConfig"),
    "model.crawl": ("Skip",),
    "model.documents": ("Document", "File", "Image", "ImageLink", "Link", "Page"),
    "model.content_config": (
        "ApiConfig", "BodiesConfig", "FieldConfig", "ImagesConfig", "OutputConfig",
        "SiteConfig", "WarcConfig",
    ),
    "model.http_config": ("HttpConfig", "LoginConfig"),
    "model.policy_config": (
        "LimitsConfig", "PolitenessConfig", "RetryConfig", "RobotsConfig",
        "ScopeConfig",
    ),
    "model.errors": (
        "LoginError",
        "OutOfMemoryError",
        "OutputError",
        "StateError",
        "Stop",
        "UsageError",
    ),
    "model.http": ("Exchange", "Response"),
    "model.record_base": ("Record",),
    "model.records": (
        "AnyRecord", "ErrorRecord", "FileRecord", "ImageRecord", "ItemRecord",
        "PageRecord", "RedirectRecord", "RobotsRecord", "RunRecord", "SkipRecord",
        "TerminalRecord",
    ),
    "plugins.document": ("PluginDocument",),
    "plugins.protocols": (
        "CheckPlugin", "DiscoverPlugin", "ExchangePlugin", "ExtractPlugin",
        "ItemsPlugin", "Plugin", "RecordPlugin", "SinkPlugin",
    ),
    "policy.check": ("Candidate",),
}  # fmt: skip
"""Maps each public name to its module, which is loaded when the name is first used.

So `import crawler` costs nothing to a program that needs a part of it.
"""

_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def _load(name: str) -> Any:
    return getattr(import_module(f"crawler.{_MODULES[name]}"), name)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = _load(name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})


class _Package(ModuleType):
    """The package, in which `fetch` is the function and not the room of that name.

    Python binds a submodule to its package when it is imported. For `crawler.fetch`
    that would hide the function, as soon as anything imports the room. A property is
    not replaced; `from crawler.fetch.client import Client` finds modules by name, and
    is not affected.
    """

    @property
    def fetch(self) -> Any:
        return _load("fetch")

    @fetch.setter
    def fetch(self, value: object) -> None:
        """Leaves the room to `sys.modules`."""


sys.modules[__name__].__class__ = _Package

__all__ = [
    "AnyRecord",
    "ApiConfig",
    "BodiesConfig",
    "Candidate",
    "CheckPlugin",
    "Config",
    "CrawlOptions",
    "DiscoverPlugin",
    "Document",
    "ErrorRecord",
    "Exchange",
    "ExchangePlugin",
    "ExtractPlugin",
    "FetchedUrl",
    "FieldConfig",
    "File",
    "FileRecord",
    "HttpConfig",
    "Image",
    "ImageLink",
    "ImageRecord",
    "ImagesConfig",
    "ItemRecord",
    "ItemsPlugin",
    "LimitsConfig",
    "Link",
    "LoginConfig",
    "LoginError",
    "OutOfMemoryError",
    "OutputConfig",
    "OutputError",
    "Page",
    "PageRecord",
    "Plugin",
    "PluginConfig",
    "PluginDocument",
    "PolitenessConfig",
    "Record",
    "RecordPlugin",
    "RecordStream",
    "RedirectRecord",
    "Response",
    "RetryConfig",
    "RobotsConfig",
    "RobotsRecord",
    "RunRecord",
    "ScopeConfig",
    "SinkPlugin",
    "SiteConfig",
    "Skip",
    "SkipRecord",
    "StateError",
    "Stop",
    "Summary",
    "TerminalRecord",
    "UsageError",
    "WarcConfig",
    "crawl",
    "fetch",
]
