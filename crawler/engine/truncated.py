"""Which documents are kept whose body is not whole."""

from __future__ import annotations

from typing import Literal

from crawler.model.documents import Document, File, Image, Page
from crawler.model.errors import ConnectionReset, TooLarge
from crawler.model.http import Truncated


def check_truncated(
    why: Truncated,
    document: Document,
    keep: Literal["none", "pages", "all"],
    keep_damaged: bool,
    max_body: int,
) -> None:
    """Raise Failure for a document that is not whole, and is not kept so.

    `keep`: `records.keep_truncated`; `keep_damaged`: `images.keep_damaged`; `max_body`:
    `http.max_body`.
    """
    if why == "unread":
        return
    if why == "length":
        if not isinstance(document, Page):
            raise TooLarge(f"larger than http.max_body, {max_body} bytes")
    elif isinstance(document, Image) and keep_damaged:
        return
    elif keep != "all" and not (keep == "pages" and _has_links(document)):
        raise ConnectionReset("the server broke off", stage="body")


def _has_links(document: Document) -> bool:
    """Whether it is a page, or a list of links: a sitemap, a feed."""
    return isinstance(document, Page) or (
        isinstance(document, File) and bool(document.links or document.images)
    )
