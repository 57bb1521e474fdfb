"""The text between the tags of a link, and the language that the link names.

A link is known by where it stands: the index after its start tag (`end`), 0 for what
has no text, as `<link>`; and the index after its `</a>` (`stop`) where `start_tags`
tells it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html import unescape

from crawler.extract.html.declarations import short
from crawler.extract.html.tags import MAX_LINK_TEXT
from crawler.model.documents import LinkKind

FoundLink = tuple[LinkKind, str | None, int, int]
"""The kind of a link, its `rel`, its `end` and its `stop`."""

BLANK = frozenset("< \n\r\t")
"""With what a link begins that may have no text."""
_MAX_AGAIN = 4
"""Further links to one URL, among which a text is looked for."""
_END_TAG = len("</a>")
_BETWEEN = "\0"
"""Stands between texts while all of a page are cleaned at once."""

_LINK_END = re.compile(r"</?[aA][\t\n\f\r />]").search
_MARKUP = re.compile(r"<[^>]*>").sub


class LinkTexts:
    """The texts and languages of the links in `text`, which `decode` makes readable."""

    def __init__(self, text: str, decode: Callable[[str], str]) -> None:
        self._text = text
        self._decode = decode
        self._again: dict[str, list[int]] = {}
        self.languages: dict[str, str] = {}
        """`hreflang` by URL, as written; most pages name none."""

    def add_language(self, href: str, hreflang: str) -> None:
        """A link was found with `hreflang`; the first to a URL counts."""
        self.languages.setdefault(href.partition("#")[0], hreflang)

    def found_again(
        self, links: dict[str, FoundLink], href: str, end: int, stop: int
    ) -> None:
        """A URL of `links` has another link; the first may have no text.

        Not called for most, of which `BLANK` tells that the first has one.
        """
        kind, rel, first, _ = links[href]
        if not first:
            links[href] = kind, rel, end, stop
        elif self._text[first] in BLANK:
            ends = self._again.setdefault(href, [])
            if len(ends) < _MAX_AGAIN:
                ends.append(end)

    def of_all(self, links: Iterable[FoundLink]) -> list[str]:
        """The texts of the links that stand there; "" for none."""
        text = self._text
        parts = [
            text[end : stop - _END_TAG] if stop > end else self._content(end)
            for _, _, end, stop in links
        ]
        return self._cleaned(parts)

    def of_others(self, href: str) -> str | None:
        """The text of the first further link to `href` that has one."""
        return next(filter(None, map(self.at, self._again.get(href, ()))), None)

    def at(self, end: int) -> str | None:
        """The text of the link whose start tag ends at `end`."""
        return self._cleaned([self._content(end)])[0] or None

    def _content(self, end: int) -> str:
        """The text of a link that may have markup, as the document has it."""
        if not end:
            return ""
        text = self._text
        found = _LINK_END(text, end, end + 4 * MAX_LINK_TEXT)
        stop = found.start() if found else end + MAX_LINK_TEXT
        return _MARKUP(" ", text[end:stop])

    def _cleaned(self, parts: list[str]) -> list[str]:
        """The texts decoded, white space collapsed; all at once, as most are short."""
        joined = unescape(self._decode(f" {_BETWEEN} ".join(parts)))
        if joined.count(_BETWEEN) >= max(1, len(parts)):  # the document has one
            return [short(unescape(self._decode(part))) for part in parts]
        words = " ".join(joined.split()).replace(f"{_BETWEEN} ", _BETWEEN)
        texts = words.replace(f" {_BETWEEN}", _BETWEEN).split(_BETWEEN)
        if len(words) <= MAX_LINK_TEXT:
            return texts
        return [one[:MAX_LINK_TEXT] for one in texts]
