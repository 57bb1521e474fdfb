"""The links of a JSON Feed, version 1.0 or 1.1 (jsonfeed.org/version/1.1).

Items are decoded one by one, so a mistake in one costs that item. Fields that are not
needed are skipped by the decoder without becoming objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from crawler.extract.body import Body
from crawler.extract.html.links import LinkCollector
from crawler.extract.json_text import json_text, unread_json
from crawler.model.documents import File
from crawler.model.url import Base

_VERSION = "jsonfeed.org"
_UNREADABLE = (msgspec.DecodeError, RecursionError)


class _Author(Struct):
    avatar: Any = None


class _Attachment(Struct):
    url: Any = None
    mime_type: Any = None


class _Item(Struct):
    id: Any = None
    url: Any = None
    external_url: Any = None
    image: Any = None
    banner_image: Any = None
    author: Raw = Raw()
    """Version 1.0 has one author, version 1.1 a list."""
    authors: Raw = Raw()
    attachments: Raw = Raw()


class _Feed(Struct):
    version: str = ""
    home_page_url: Any = None
    next_url: Any = None
    icon: Any = None
    favicon: Any = None
    author: Raw = Raw()
    authors: Raw = Raw()
    items: list[Raw] = []


_decode_feed = msgspec.json.Decoder(_Feed).decode
_decode_item = msgspec.json.Decoder(_Item).decode
_decode_author = msgspec.json.Decoder(_Author).decode
_decode_authors = msgspec.json.Decoder(list[_Author]).decode
_decode_attachments = msgspec.json.Decoder(list[_Attachment]).decode


def read_json_feed(body: Body) -> File:
    """The pages and images of a feed; a file without links if it is none."""
    text = json_text(body)
    if text is None:
        return unread_json(body)
    links = LinkCollector(Base(body.url), body.max_links)
    feed = _feed(text)
    if feed is not None:
        _add_pages(links, feed.home_page_url, feed.next_url)
        _add_images(links, feed.icon, feed.favicon, *_avatars(feed))
        for raw in feed.items:
            if links.full:
                break
            _add_item(links, raw)
    return File(
        body.media_type, body.charset, links.links, links.images,
        left_out=links.left_out,
    )  # fmt: skip


def _feed(text: str) -> _Feed | None:
    """The feed in `text`; None: it is none."""
    if _VERSION not in text:
        return None
    try:
        feed = _decode_feed(text)
    except _UNREADABLE:
        return None
    return feed if "jsonfeed.org/version/" in feed.version else None


def _add_item(links: LinkCollector, raw: Raw) -> None:
    try:
        item = _decode_item(raw)
    except _UNREADABLE:
        return
    urls = [item.url, item.external_url]
    if not any(urls) and isinstance(item.id, str) and "://" in item.id:
        urls = [item.id]  # "ideally, the id is the full URL of the resource"
    _add_pages(links, *urls)
    _add_images(links, item.image, item.banner_image, *_avatars(item))
    for attachment in _decoded(_decode_attachments, item.attachments):
        if str(attachment.mime_type).startswith("image/"):
            _add_images(links, attachment.url)


def _avatars(of: _Feed | _Item) -> Iterator[Any]:
    authors = [
        *_decoded(lambda raw: [_decode_author(raw)], of.author),
        *_decoded(_decode_authors, of.authors),
    ]
    return (author.avatar for author in authors)


def _decoded(decode: Any, raw: Raw) -> Sequence[Any]:
    """What `decode` makes of `raw`; nothing if it is missing, or of another type."""
    if not bytes(raw):
        return ()
    try:
        decoded: Sequence[Any] = decode(raw)
    except _UNREADABLE:
        return ()
    return decoded


def _add_pages(links: LinkCollector, *urls: object) -> None:
    for url in urls:
        if isinstance(url, str):
            links.add(url, "feed")


def _add_images(links: LinkCollector, *urls: object) -> None:
    for url in urls:
        if isinstance(url, str):
            links.add_image(url, "feed")
