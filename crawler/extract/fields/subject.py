"""What a selector looks into: a page, or one item of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from crawler.extract.fields import json_text
from crawler.extract.json_ld import decode
from crawler.model.documents import LeftOut, Page, is_json
from crawler.model.url import join

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_MAX_NODES = 10_000
"""Nodes of the JSON-LD of one page."""


class FieldDocument(Protocol):
    """A page, as a plug-in sees it (`crawler/plugins/document.py`)."""

    @property
    def url(self) -> str: ...
    @property
    def page(self) -> Page: ...
    @property
    def text(self) -> str: ...
    @property
    def tree(self) -> HtmlElement: ...


class Subject:
    """A page, with what several selectors need read once."""

    def __init__(self, document: FieldDocument, node: Any = None) -> None:
        self.document = document
        self._node = node
        self.left_out: set[LeftOut] = set()
        """What a limit has left out of the page, or of its items."""

    def item(self, node: Any) -> Subject:
        """The item at `node` of this page: an element, or a value of JSON."""
        item = Subject(self.document, node)
        item.left_out = self.left_out
        return item

    @cached_property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return is_json(self.document.page.content_type)

    @property
    def url(self) -> str:
        return self.document.url

    @cached_property
    def base(self) -> str:
        """What relative URLs of the page count from."""
        if self.is_json:
            return self.url
        named = self.document.tree.find(".//base[@href]")
        if named is None:
            return self.url
        return join(self.url, named.get("href", "")) or self.url

    @property
    def text(self) -> str:
        return self.document.text

    @property
    def node(self) -> Any:
        """The element that selectors start from."""
        return self.document.tree if self._node is None else self._node

    @cached_property
    def json(self) -> Any:
        """The item, or the body as JSON; None if it is none."""
        if self._node is not None:
            return self._node
        try:
            return json_text.load(self.text)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def json_ld(self) -> list[dict[str, Any]]:
        """The objects of the page's JSON-LD, those in lists and `@graph` too."""
        found: list[dict[str, Any]] = []
        for script in self.node.iter("script"):
            kind = (script.get("type") or "").partition(";")[0].strip().lower()
            if kind == "application/ld+json":
                objects = _objects(_json_ld(script.text or ""))
                found += islice(objects, _MAX_NODES + 1 - len(found))
        if len(found) > _MAX_NODES:
            self.left_out.add("values")
        return found[:_MAX_NODES]


def _json_ld(text: str) -> Any:
    try:
        return json_text.load(text)
    except (ValueError, RecursionError):
        return decode(text)  # which reads over what search engines read over


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, dict):
            if len(one) > ("@context" in one) + ("@graph" in one):
                yield one
            waiting.append(one.get("@graph"))
