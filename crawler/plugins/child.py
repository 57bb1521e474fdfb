"""What runs in the child process: plug-ins that work on documents.

They are loaded from their names and options, or from the pickled objects that a program
passed. The task of the extraction process, which has them work on one page after the
other, is in `crawler/engine/page_task.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crawler.model.config import PluginConfig
from crawler.model.documents import (
    LeftOut,
    Listing,
    PageText,
    is_json,
    left_out_of,
)
from crawler.model.errors import ExtractFailure, failure_text
from crawler.plugins.document import PluginDocument
from crawler.plugins.loading import LoadedPlugin, check, find, make
from crawler.plugins.main_file import import_main


class Passed(Struct, frozen=True):
    """A plug-in on its way to the child process: named, or pickled."""

    name: str
    config: PluginConfig | None
    pickled: bytes = b""


class PluginSet(Struct, frozen=True):
    """The plug-ins of a crawl that work on documents, in order."""

    plugins: tuple[Passed, ...]
    max_urls: int
    """So many links, and URLs of one `discover`, are taken from a page."""
    main_file: str | None = None
    """The program's main file, if a plug-in is defined there (`main_file.py`)."""
    main_module: str | None = None


class Findings(Struct, frozen=True, array_like=True):
    """What the plug-ins have found in a page."""

    data: dict[str, Any] | None = None
    urls: tuple[str, ...] = ()
    items: tuple[dict[str, Any], ...] = ()
    text: PageText | None = None
    listing: Listing | None = None
    """What the answer of an API lists. Nothing else is taken from it."""
    left_out: tuple[LeftOut, ...] = ()


MAX_ITEMS = 10_000
"""Items of one page."""
MAX_DEPTH = 100
"""Levels of lists and dicts in what `extract` returns.

The encoders recurse, in the crawl as well, where little is left of the stack.
"""


def apply(
    plugins: Iterable[LoadedPlugin],
    document: PluginDocument,
    max_urls: int,
    asked: str,
) -> Findings:
    """What plug-ins find in a page. Raises ExtractFailure."""
    found = Findings()
    json = is_json(document.page.content_type)
    for plugin in plugins:
        # A plug-in that says nothing about it expects HTML.
        if not json or getattr(plugin.target, "reads_json", False):
            found = _apply(plugin, document, found, max_urls, asked)
    return found


def load(plugins: PluginSet) -> tuple[LoadedPlugin, ...]:
    """Load plug-ins. Raises UsageError."""
    if plugins.main_file is not None:
        import_main(plugins.main_file, plugins.main_module)
    return tuple(_load_one(one) for one in plugins.plugins)


def _load_one(passed: Passed) -> LoadedPlugin:
    if passed.config is not None:
        target = make(passed.config, find(passed.config.use))
    else:
        import pickle  # nosec B403  # a plug-in that the calling program made

        target = pickle.loads(passed.pickled)  # nosec B301: it comes from the crawl
    if _fills_record(target):
        target.load()
    return check(passed.name, target, passed.config)


def _fills_record(target: Any) -> bool:
    """Whether it is our own that finds the text of pages."""
    return getattr(target, "fills_record", False) is True


def _apply(
    plugin: LoadedPlugin,
    document: PluginDocument,
    found: Findings,
    max_urls: int,
    asked: str,
) -> Findings:
    try:
        if _fills_record(plugin.target):
            return replace(found, text=plugin.target.extract(document))
        if "extract" in plugin.methods:
            data = _data_of(plugin.target.extract(document))
            found = replace(found, data={**(found.data or {}), **data} or None)
        if "items" in plugin.methods:
            further = [*islice(plugin.target.items(document), MAX_ITEMS + 1)]
            items = (*found.items, *[_data_of(one) for one in further[:MAX_ITEMS]])
            if len(found.items) + len(further) > MAX_ITEMS:
                found = _without(found, "items")
            found = replace(found, items=items[:MAX_ITEMS])
        if getattr(plugin.target, "reads_apis", False) is True:
            listing = plugin.target.listing(document, asked)
            items = () if listing is None else listing.items
            found = replace(found, listing=listing, items=(*found.items, *items))
            found = _without(found, *plugin.target.left_out(document))
        if "discover" in plugin.methods:
            urls = _urls_of(plugin.target.discover(document), max_urls + 1)
            if len(urls) > max_urls:
                found = _without(found, "urls")
            found = replace(found, urls=(*found.urls, *urls[:max_urls]))
    except (MemoryError, ExtractFailure):
        raise
    except Exception as error:
        raise ExtractFailure(f"plug-in {plugin.name}: {failure_text(error)}") from error
    return found


def _without(found: Findings, *kinds: LeftOut) -> Findings:
    """The findings, which say that a limit has left these out."""
    return replace(found, left_out=left_out_of(found.left_out, kinds))


def _data_of(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"fields have to be a dict, not {value!r:.100}")
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    if _depth(plain) > MAX_DEPTH:
        raise ValueError(f"fields have more than {MAX_DEPTH} levels of lists")
    return plain


def _depth(value: Any) -> int:
    """How many lists and dicts of `value` are inside of one another."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, list | dict)]:
        depth += 1
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def _urls_of(value: Any, limit: int) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"discover() has to give several URLs, not {value!r:.100}")
    urls = list(islice(value, limit))
    for url in urls:
        if not isinstance(url, str):
            raise TypeError(f"discover() has to give URLs as text, not {url!r:.100}")
    return urls
