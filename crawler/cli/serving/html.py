"""HTML of which each piece of text is escaped, and the frame of a page.

Names, URLs and messages come from the web. `Html` is text that is HTML already; all
else is escaped where it is put in. The page loads nothing, and its Content Security
Policy names the one style and the one script that it holds by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from crawler.cli.terminal.formatting import printable


class Html(str):
    """Text that is HTML."""

    __slots__ = ()


def escaped(value: object) -> Html:
    """`value` as HTML, without control characters."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(printable(str(value))))


def tag(name: str, *content: object, cls: str = "", **attributes: object) -> Html:
    """An element. `content` is escaped if it is not `Html`."""
    if cls:
        attributes["class"] = cls
    given = "".join(f' {key}="{escaped(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{''.join(map(escaped, content))}</{name}>")


def join(parts: Iterable[object]) -> Html:
    return Html("".join(map(escaped, parts)))


class Column:
    """A column of a table; `cls` says what is in its cells: number, text or word."""

    def __init__(self, name: str, cls: str = "word") -> None:
        self.name = name
        self.cls = cls


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Html:
    """A table that scrolls by itself where it is too wide."""
    heads = [
        tag("th", column.name, cls="number" if column.cls == "number" else "")
        for column in columns
    ]
    lines = [
        tag(
            "tr",
            *(
                tag("td", cell, cls=column.cls)
                for column, cell in zip(columns, row, strict=True)
            ),
        )
        for row in rows
    ]
    whole = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *lines))
    return tag("div", whole, cls="scroll")


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


@cache
def content_security_policy() -> str:
    """Allows the style and the script of `document`, and requests for itself."""
    style, script = (_hash(_asset(name)) for name in ("page.css", "page.js"))
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


NO_SCRIPT_REFRESH_S = 5


def document(title: str, main: Html) -> bytes:
    """A whole page that refreshes itself, with or without JavaScript."""
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<noscript><meta http-equiv="refresh" content="{NO_SCRIPT_REFRESH_S}">'
        f"</noscript>{tag('title', title)}"
        f"<style>{_asset('page.css')}</style>"
    )
    lost = tag("strong", "The server does not answer; this is old.", id="lost")
    metrics = tag("a", "metrics", href="/metrics")
    footer = tag("footer", "Read-only view of orbweb serve. ", metrics, " ", lost)
    page = (
        f'<!doctype html><html lang="en"><head>{head}</head><body>'
        f"{tag('main', main)}{footer}<script>{_asset('page.js')}</script>"
        "</body></html>\n"
    )
    return page.encode()
