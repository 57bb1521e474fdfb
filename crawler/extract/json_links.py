"""The links and pictures that JSON names: the answer of an API, of a search.

The keys of an API may be anything, so the values decide. A picture is found as in the
JSON of scripts (`json_pictures.py`). A page is what is an absolute URL, or is relative
under a key that names a link. Text that holds markup, such as `content.rendered` of
WordPress, is read as HTML.
"""

from __future__ import annotations

import re

import msgspec

from crawler.extract.body import Body, read_other
from crawler.extract.html.links import LinkCollector
from crawler.extract.html.reader import read_html
from crawler.extract.json_pictures import pictures_of, strings_of
from crawler.extract.json_text import json_text, unread_json
from crawler.model.documents import File
from crawler.model.url import Base

_MARKUP = re.compile(r"<(?:a|img|picture|source|video)\s", re.IGNORECASE).search
_ABSOLUTE = re.compile(r"https?://[^\s<>\"{}|\\^`]+", re.IGNORECASE).fullmatch
_RELATIVE = re.compile(r"(?:\.{0,2}/|\?)[^\s<>\"{}|\\^`]*").fullmatch
_LINK_KEYS_NAMES = """
    href url uri link permalink canonical next prev previous first last self
"""
_LINK_KEYS = frozenset(_LINK_KEYS_NAMES.split())
_VOCABULARY = frozenset({"@context", "@type", "@vocab", "$schema", "$ref", "xmlns"})
"""Keys whose URLs are names."""


def read_json_links(body: Body) -> File:
    """The pages and images of a JSON body; a file without links if it is none."""
    text = json_text(body)
    if text is None:
        return unread_json(body)
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return read_other(body)
    except RecursionError:  # it is nested too deep
        return unread_json(body)
    found = LinkCollector(Base(body.url), body.max_links)
    for key, value in strings_of(document, found.leave_out):
        _add(found, body, key.lower(), value.strip())
    return File(
        body.media_type, body.charset, found.links, found.images,
        left_out=found.left_out,
    )  # fmt: skip


def _add(found: LinkCollector, body: Body, key: str, value: str) -> None:
    if _MARKUP(value):
        fragment = body._replace(
            content=value.encode("utf-8", "replace"),
            media_type="text/html",
            charset="utf-8",
        )
        found.add_all(read_html(fragment))
        return
    pictures = list(pictures_of(key, value, found.leave_out))
    for picture in pictures:
        found.add_image(picture, "json")
    if pictures or key in _VOCABULARY:
        return
    if _ABSOLUTE(value) or (key in _LINK_KEYS and _RELATIVE(value)):
        found.add(value, "json")
