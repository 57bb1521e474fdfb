"""What a reader gets: one body, and what is known about it before it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from crawler.model.documents import Document, File

MAX_MARKUP = 16 * 2**20
"""Bytes of a document that are searched for links. The rest is kept, but not read."""
MAX_URL_CHARACTERS = 8 * 2**20
"""The maximum total length (characters) of all URLs of one document.

A long base URL turns many short relative URLs into hundreds of megabytes.
"""


class Body(NamedTuple):
    """A decoded body (content codings undone) on its way to its reader."""

    url: str
    content: bytes
    media_type: str
    """By header and bytes (`sniff.py`), lower case, without parameters."""
    charset: str | None
    """As declared by the Content-Type."""
    max_links: int
    """Links and images that are taken from it."""
    with_text: bool
    """Whether the texts of a page's links are wanted."""


Reader = Callable[[Body], Document]
"""Makes a Document of a Body.

Raises BodyFailure for a body that it cannot use. Any other exception counts as a defect
of the reader and becomes an ExtractFailure.
"""


def read_other(body: Body) -> File:
    """The document of a media type that has no reader."""
    return File(body.media_type, body.charset)
