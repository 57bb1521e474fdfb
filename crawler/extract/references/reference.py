"""A place in a document where a URL stands, and how URLs are written there.

A URL may be wrapped several times: in a `url()` in a `style` attribute in a `srcdoc`
attribute. Each wrapping is a *syntax*; the innermost text is found by undoing them, and
a `Text` knows where each of its characters comes from. So the places that are found are
indices of the document itself, at any depth.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from html import escape
from typing import Literal, NamedTuple

from crawler.extract.css.urls import unescape
from crawler.extract.html.tags import REFERENCE, decode_references, decoded

Role = Literal[
    "link", "frame", "style", "import", "script", "image", "font", "css", "media",
    "object", "preload", "manifest", "lazy", "base", "policy", "charset",
]  # fmt: skip
"""What a URL is for.

lazy: an attribute for scripts that looks like the address of a picture. base: the
`<base href>` that counts. Two are no URLs. policy: the name of the attribute by which a
`<meta>` is a Content-Security-Policy. charset: a label of the document's encoding.
"""

Syntax = Literal["attribute", "css"]


class Reference(NamedTuple):
    """A place in a document. Indices are those of the document's text."""

    start: int
    end: int
    """Where the URL ends; its fragment, with the `#`, stands behind."""
    role: Role
    syntaxes: tuple[Syntax, ...] = ()
    """How the URL is written, the outermost first."""
    guards: tuple[int, ...] = ()
    """Where the names `integrity` and `crossorigin` of its element stand."""
    quoted: bool = True
    """False for an attribute without quotes."""


class Text(NamedTuple):
    """A text that stands in a document, in some syntaxes."""

    text: str
    at: Callable[[int], int]
    """The index in the document, by that in the text."""
    syntaxes: tuple[Syntax, ...] = ()

    def place(
        self,
        start: int,
        end: int,
        role: Role,
        guards: tuple[int, ...] = (),
        quoted: bool = True,
    ) -> Reference:
        """A reference from `start` to `end` in this text, without its fragment."""
        if (fragment := self.text.find("#", start, end)) >= 0:
            end = fragment
        at = self.at
        return Reference(at(start), at(end), role, self.syntaxes, guards, quoted)

    def part(self, start: int, end: int) -> Text:
        """A part of this text."""
        at = self.at
        return Text(self.text[start:end], lambda n: at(start + n), self.syntaxes)

    def attribute(self, start: int, end: int) -> Text:
        """The value of an attribute that stands in this text."""
        text, at, syntaxes = self.part(start, end)
        syntaxes = (*syntaxes, "attribute")
        if "&" not in text:
            return Text(text, at, syntaxes)
        pieces, shown, written = _undo(text)

        def index(n: int) -> int:
            piece = bisect_right(shown, n) - 1
            return at(min(written[piece] + n - shown[piece], written[piece + 1]))

        return Text("".join(pieces), index, syntaxes)


def _undo(text: str) -> tuple[list[str], list[int], list[int]]:
    """The pieces of a value with its references decoded, and where each begins.

    The first list of indices is in the decoded value, the second one in `text`; that
    has its end as well.
    """
    pieces: list[str] = []
    shown, written = [0], [0]

    def add(piece: str, end: int) -> None:
        pieces.append(piece)
        shown.append(shown[-1] + len(piece))
        written.append(end)

    for found in REFERENCE.finditer(text):
        add(text[written[-1] : found.start()], found.start())
        add(decoded(found), found.end())
    add(text[written[-1] :], len(text))
    written.append(len(text))
    return pieces, shown, written


def whole(text: str) -> Text:
    """The text of a document."""
    return Text(text, lambda n: n)


_TO_ESCAPE = re.compile(r"""["'()\\\s]""")


def read(written: str, syntaxes: tuple[Syntax, ...]) -> str:
    """The URL that is written so, without white space at its ends."""
    for syntax in syntaxes:
        written = (
            decode_references(written) if syntax == "attribute" else (unescape(written))
        )
    return written.strip("\t\n\f\r ")


def write(url: str, syntaxes: tuple[Syntax, ...]) -> str:
    """How `url` is written in these syntaxes."""
    for syntax in reversed(syntaxes):
        url = (
            escape(url)
            if syntax == "attribute"
            else (_TO_ESCAPE.sub(lambda found: f"\\{found[0]}", url))
        )
    return url
