"""Whether a position in an HTML document is in foreign content: SVG or MathML.

There `<style>`, `<script>` and `<title>` have no raw text, and one that is left open
hides nothing (HTML Standard, 13.2.6.5). A start tag such as `<p>` ends foreign content,
and in `<foreignObject>` and the like HTML goes on (integration points).

It is asked rarely and for rising positions, so that the tags are searched for only
then, and each part of the text once.
"""

from __future__ import annotations

import re

_ROOTS = frozenset({"svg", "math"})
_INTEGRATION = frozenset({"foreignobject", "desc", "title", "annotation-xml"})
_BREAKOUTS = (
    "b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|embed|h[1-6]|head|hr|i|img|li"
    "|listing|menu|meta|nobr|ol|p|pre|ruby|s|small|span|strong|strike|sub|sup|table|tt"
    "|u|ul|var"
)
_TAGS = re.compile(
    rf"<(?:(!--)|(/?)({'|'.join(sorted(_ROOTS | _INTEGRATION))}|{_BREAKOUTS})"
    r"(?=[\t\n\f\r />]))",
    re.IGNORECASE | re.ASCII,
).finditer
_CDATA = re.compile(r"[\t\n\f\r ]*<!\[CDATA\[").match
_MAX_DEPTH = 256


def text_end(text: str, start: int) -> int:
    """Index of the end of the text, or CDATA section, that begins at `start`."""
    section = _CDATA(text, start)
    end = text.find("]]>", section.end()) if section else text.find("<", start)
    return len(text) if end < 0 else end


class ForeignContent:
    """The open elements that matter, up to the position that was asked about last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._seen = 0
        self._open: list[str] = []

    def is_open(self, position: int, raw_texts: list[tuple[int, int]]) -> bool:
        """Whether `position` is in foreign content.

        `raw_texts` are the ranges of raw text since the last call, in order; they are
        taken out of the list.
        """
        for start, end in raw_texts:
            self._read(start)
            self._seen = max(self._seen, end)
        raw_texts.clear()
        self._read(position)
        return bool(self._open) and self._open[-1] in _ROOTS

    def _read(self, end: int) -> None:
        for found in _TAGS(self._text, self._seen, end):
            if found.start() < self._seen:
                continue  # in a comment
            comment, slash, name = found.groups()
            if comment:
                closed = self._text.find("-->", found.end() - 2, end)
                self._seen = end if closed < 0 else closed
            elif slash:
                self._end_tag(name.lower())
            else:
                self._start_tag(name.lower(), found.end())
        self._seen = max(self._seen, end)

    def _start_tag(self, name: str, end: int) -> None:
        is_foreign = bool(self._open) and self._open[-1] in _ROOTS
        if name in _ROOTS or (name in _INTEGRATION and is_foreign):
            closes = self._text.find(">", end)
            empty = closes > 0 and self._text[closes - 1] == "/"
            if not empty and len(self._open) < _MAX_DEPTH:
                self._open.append(name)
        elif name not in _INTEGRATION:
            while self._open and self._open[-1] in _ROOTS:
                self._open.pop()

    def _end_tag(self, name: str) -> None:
        if name in self._open:
            while self._open.pop() != name:
                pass
