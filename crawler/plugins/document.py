"""What `extract` and `discover` are given: one page, in the child process."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import webencodings
from msgspec import Struct

from crawler.model.documents import ImageLink, Link, Page

if TYPE_CHECKING:
    from lxml.html import HtmlElement


class PluginDocument(Struct, frozen=True, dict=True):
    """A page as a plug-in sees it.

    It exists in the child process only, where limits on memory and CPU time hold, so a
    tree of untrusted HTML cannot harm the crawl.

    Example:
        >>> class Prices:
        ...     def extract(self, document):
        ...         found = document.tree.find_class("price")
        ...         return {"prices": [one.text_content() for one in found]}
    """

    url: str
    """The page's URL, canonical."""
    status: int
    """HTTP status of the response."""
    headers: tuple[tuple[str, str], ...]
    """Header fields of the response in order of arrival, names in lower case."""
    body: bytes
    """The body, its content codings undone."""
    page: Page
    """What the crawl itself has read in the body."""

    @property
    def title(self) -> str | None:
        """Text of `<title>`."""
        return self.page.title

    @property
    def links(self) -> tuple[Link, ...]:
        """The links of the page, absolute."""
        return self.page.links

    @property
    def images(self) -> tuple[ImageLink, ...]:
        """The images of the page, absolute."""
        return self.page.images

    @cached_property
    def text(self) -> str:
        """The body as text, decoded by the character set that browsers would choose."""
        return webencodings.decode(self.body, self.page.charset)[0]

    @cached_property
    def tree(self) -> HtmlElement:
        """The body as a tree of lxml, made when it is first used.

        A page without any element gives an empty `<html>`.
        """
        from lxml import html

        # Without `huge_tree`, what is deeper than 256 levels is silently left out.
        parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
        body = self.text.encode() or b"<html></html>"
        tree = html.document_fromstring(
            body, parser, ensure_head_body=True, base_url=self.url
        )
        _move_into_body(tree)
        return tree


_OF_HEADS = frozenset((
    "base", "basefont", "bgsound", "link", "meta", "noframes", "noscript", "script",
    "style", "template", "title",
))  # fmt: skip
"""What may stand in a `<head>` (HTML Standard, the "in head" insertion mode)."""


def _move_into_body(tree: HtmlElement) -> None:
    """End the `<head>` where browsers end it: before the first element of the body.

    libxml2 knows the elements of HTML 4. Where a page leaves `<body>` out, it takes
    `<article>`, `<main>` or `<nav>` for a part of the `<head>`.
    """
    head, body = tree.find("head"), tree.find("body")
    if head is None or body is None:
        return
    for place, child in enumerate(head):
        if isinstance(child.tag, str) and child.tag not in _OF_HEADS:
            body[:0] = head[place:]
            break
