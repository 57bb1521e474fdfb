"""The text of a JSON body, if it is small enough to be decoded."""

from __future__ import annotations

from crawler.extract.body import MAX_MARKUP, Body
from crawler.model.documents import File

MAX_COMMAS = 400_000
"""They bound the number of values, and so the memory that these take."""


def json_text(body: Body) -> str | None:
    """The text of `body`; None: it is beyond MAX_MARKUP or MAX_COMMAS."""
    content = body.content
    if len(content) > MAX_MARKUP or content.count(b",") > MAX_COMMAS:
        return None
    return content.decode("utf-8-sig", "replace")


def unread_json(body: Body) -> File:
    """What is said of a body that is not decoded because of a limit."""
    return File(body.media_type, body.charset, left_out=("markup",))
