"""What runs in the child process: plug-ins that work on documents.

One order is one page. The plug-ins are loaded with the first order, from their names
and options, or from the pickled objects that a program passed, and kept.

The answer is data: no class is named in it, since the process that makes it has read
untrusted bytes and is not trusted itself. The task of the extraction process is `run`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from typing import Any

import msgspec
from msgspec import MsgspecError, Struct
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import replace

from crawler.model.config import PluginConfig
from crawler.model.documents import Listing, Page, PageText, is_json
from crawler.model.errors import ExtractFailure, UsageError, failure_text
from crawler.plugins.document import PluginDocument
from crawler.plugins.loading import LoadedPlugin, check, find, make
from crawler.plugins.main_file import import_main

TASK = "crawler.plugins.child:run"


class Passed(Struct, frozen=True):
    """A plug-in on its way to the child process: named, or pickled."""

    name: str
    config: PluginConfig | None
    pickled: bytes = b""


class PluginSet(Struct, frozen=True):
    """The plug-ins of a crawl that work on documents, in order."""

    plugins: tuple[Passed, ...]
    max_urls: int
    """So many URLs of one `discover` are taken from a page (`limits.max_links`)."""
    main_file: str | None = None
    """The program's main file, if a plug-in is defined there (`main_file.py`)."""
    main_module: str | None = None


class PageOrder(Struct, frozen=True, array_like=True):
    """A page to work on, but for its body; without one plug-ins are only loaded."""

    plugins: bytes
    """An encoded PluginSet, the same in each order of a crawl."""
    url: str = ""
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    page: bytes = b""
    """An encoded Page."""
    asked: str = ""
    """The URL that was requested, where `url` is where redirects led."""


class Findings(Struct, frozen=True, array_like=True):
    """What the plug-ins have found in a page."""

    data: dict[str, Any] | None = None
    urls: tuple[str, ...] = ()
    items: tuple[dict[str, Any], ...] = ()
    text: PageText | None = None
    listing: Listing | None = None
    """What the answer of an API lists. Nothing else is taken from it."""


MAX_ITEMS = 10_000
"""Items of one page."""
MAX_DEPTH = 100
"""Levels of lists and dicts in what `extract` returns.

The encoders recurse, in the crawl as well, where little is left of the stack.
"""

_LENGTH = 4
"""Bytes of the length of an encoded PageOrder."""

encode = Encoder().encode
_decode_findings = Decoder(Findings).decode
_loaded: dict[bytes, tuple[tuple[LoadedPlugin, ...], int]] = {}
"""By encoded PluginSet: the plug-ins, and its `max_urls`."""


def order_parts(order: PageOrder, body: bytes = b"") -> tuple[bytes, bytes]:
    """The payload of the task, in two parts: so the body need not be copied."""
    head = encode(order)
    return len(head).to_bytes(_LENGTH, "big") + head, body


@cache
def _decoders() -> tuple[Decoder[PageOrder], Decoder[Page], Decoder[PluginSet]]:
    """Decoders of what the crawl sends, which the crawl itself does not need."""
    return Decoder(PageOrder), Decoder(Page), Decoder(PluginSet)


def decode_findings(result: bytes) -> Findings:
    """Raises ExtractFailure if `result` is none."""
    try:
        return _decode_findings(result)
    except (MsgspecError, RecursionError) as error:
        raise ExtractFailure(f"the plug-ins' findings: {error}") from error


def run(payload: bytes) -> bytes:
    """The task: from a PageOrder and its body (`order_parts`) to encoded Findings."""
    body_at = _LENGTH + int.from_bytes(payload[:_LENGTH], "big")
    orders, pages, sets = _decoders()
    order = orders.decode(payload[_LENGTH:body_at])
    if order.plugins not in _loaded:
        try:
            chosen = sets.decode(order.plugins)
            _loaded[order.plugins] = _load(chosen), chosen.max_urls
        except UsageError as error:
            raise ExtractFailure(str(error)) from error
    if not order.page:
        return encode(Findings())
    page = pages.decode(order.page)
    document = PluginDocument(
        order.url, order.status, order.headers, payload[body_at:], page
    )
    found = Findings()
    plugins, max_urls = _loaded[order.plugins]
    json = is_json(page.content_type)
    for plugin in plugins:
        # A plug-in that says nothing about it expects HTML.
        if not json or getattr(plugin.target, "reads_json", False):
            found = _apply(plugin, document, found, max_urls, order.asked or order.url)
    return encode(found)


def _load(plugins: PluginSet) -> tuple[LoadedPlugin, ...]:
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
            further = islice(plugin.target.items(document), MAX_ITEMS)
            items = (*found.items, *[_data_of(one) for one in further])
            found = replace(found, items=items[:MAX_ITEMS])
        if getattr(plugin.target, "reads_apis", False) is True:
            listing = plugin.target.listing(document, asked)
            items = () if listing is None else listing.items
            found = replace(found, listing=listing, items=(*found.items, *items))
        if "discover" in plugin.methods:
            urls = _urls_of(plugin.target.discover(document), max_urls)
            found = replace(found, urls=(*found.urls, *urls))
    except (MemoryError, ExtractFailure):
        raise
    except Exception as error:
        raise ExtractFailure(f"plug-in {plugin.name}: {failure_text(error)}") from error
    return found


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
