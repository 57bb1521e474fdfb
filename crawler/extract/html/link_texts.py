"""The text between the tags of a link, and the language that the link names.

A start tag is known by the index after it (`end`), 0 for what has no text, as `<link>`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from crawler.extract.html.declarations import short
from crawler.extract.html.tags import attributes

_MAX_TEXT = 1000
"""Characters of a text, and of a start tag; the rest is cut off."""
_MAX_AGAIN = 4
"""Further links to one URL, among which a text is looked for."""

_LINK_END = re.compile(r"</?[aA][\t\n\f\r />]").search
_MARKUP = re.compile(r"<[^>]*>")


class LinkTexts:
    """The texts and languages of the links in `text`, which `decode` makes readable."""

    def __init__(self, text: str, decode: Callable[[str], str]) -> None:
        self._text = text
        self._decode = decode
        self._again: dict[str, list[int]] = {}
        self._languages: dict[str, str] = {}

    def may_name_languages(self) -> bool:
        """Whether any link may have a language; most pages name none."""
        return bool(self._languages) or "hreflang" in self._text

    def add_language(self, href: str, hreflang: str) -> None:
        """A link was found with `hreflang`; the first to a URL counts."""
        self._languages.setdefault(href.partition("#")[0], hreflang)

    def note_again(self, href: str, first: int, end: int) -> None:
        """A known URL has another link; the first may have no text, as an image."""
        if not first or self._text[first : first + 1] in "< \n\r\t":
            ends = self._again.setdefault(href, [])
            if len(ends) < _MAX_AGAIN:
                ends.append(end)

    def of_url(self, href: str, end: int) -> str | None:
        """The text of the first link to `href` that has one."""
        text = self.at(end)
        if text is None and href in self._again:
            text = next(filter(None, map(self.at, self._again[href])), None)
        return text

    def at(self, end: int) -> str | None:
        """The text of the link whose start tag ends at `end`."""
        if not end:
            return None
        text = self._text
        stop = text.find("<", end, end + _MAX_TEXT)
        if stop >= 0 and text[stop : stop + 4] == "</a>":  # most often
            return short(unescape(self._decode(text[end:stop]))) or None
        found = _LINK_END(text, end, end + 4 * _MAX_TEXT)
        content = text[end : found.start() if found else end + _MAX_TEXT]
        return short(unescape(_MARKUP.sub(" ", self._decode(content)))) or None

    def language(self, href: str, end: int) -> str | None:
        """The `hreflang` of a link; it may stand in a tag that was read as plain."""
        language = self._languages.get(href)
        if language is None and end:
            start = self._text.rfind("<", max(0, end - _MAX_TEXT), end)
            tag = self._text[start:end]
            if start >= 0 and "hreflang" in tag:
                language = attributes(self._decode(tag[2:-1])).get("hreflang")
        return short(language or "") or None
