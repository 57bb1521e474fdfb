"""The tags and texts of an XML document that need not be well-formed.

Theory. What is well-formed is read as XML 1.0 says. Feeds and sitemaps often are not,
and one mistake must not cost what stands behind it. So each construct is tried in the
form that XML demands, then in looser forms, and a `<` with which none begins is text:

    tag       as XML demands; with `<` in quoted values, values without quotes, no space
              between attributes; anything up to the next `>`, if no `<` comes before
    <!-- -->, <![CDATA[ ]]>, <? ?>    up to their end, or to that of the document
    <?xml >   also without its second question mark
    <!DOCTYPE >, its entities in [ ];  any other <! >

Why no parser library. libxml2's recovery (in lxml) drops each `&amp;` behind the first
mistake, be it a blank line before the declaration, and ends at a stray `<` or at a byte
that a legacy charset lacks; expat ends at any mistake. This is also as fast (a sitemap
of 50,000 URLs), and does not load 7 MB.

What makes it linear. The repetitions are possessive, and none but that of the second
form crosses a `<`. That one is tried on _AHEAD characters and on _MAX_LOOSE tags of a
document. A construct that is not complete is tried again with each part of the
document, up to _MAX_TAG characters. Reading ends after _MAX_STRAY times a `<` that
began nothing, each of which costs a microsecond.
"""

from __future__ import annotations

import re
from typing import Protocol

from crawler.model.regex import compiled

_SPACE = r"[ \t\r\n]"
_NAME = r"[A-Za-z_:\x80-\U0010ffff][^ \t\r\n/<>=\"'&]*+"
_KEY = r"[^ \t\r\n/<>=\"']++"
_EQUALS = rf"{_SPACE}*+={_SPACE}*+"
_ATTRIBUTE = rf"""{_SPACE}++{_KEY}{_EQUALS}(?:"[^"<]*+"|'[^'<]*+')"""
_LOOSE_ATTRIBUTE = (
    rf"""{_SPACE}*+(?:{_KEY}(?:{_EQUALS}(?:"[^"]*+"|'[^']*+'|[^ \t\r\n"'<>]++))?+"""
    r"|/(?!>))"
)
_TOKEN = compiled(
    rf"([^<]*+)<(?:({_NAME})((?:{_ATTRIBUTE})*+){_SPACE}*+(/?)>|/({_NAME}){_SPACE}*+>)"
).match
_LOOSE = compiled(rf"<({_NAME})((?:{_LOOSE_ATTRIBUTE})*+){_SPACE}*+(/?)>").match
_BROKEN = compiled(rf"<(/?)({_NAME})([^<>]*+)>").match
_UNFINISHED = compiled(
    rf"</?(?:{_NAME}(?:{_ATTRIBUTE})*+{_SPACE}*+"
    rf"""(?:{_KEY}(?:{_EQUALS}(?:"[^"<]*+|'[^'<]*+)?+)?+)?+/?)?+\Z"""
).match
_DECLARATION = compiled(r"<\?xml[ \t\r\n][^<>]*+>").match
_DOCTYPE = compiled(
    r"""<!DOCTYPE(?:[^\[<>"']|"[^"]*+"|'[^']*+')*+"""
    r"""(?:\[((?:[^\]"'<]|"[^"]*+"|'[^']*+'|<!--.*?-->|<\?.*?\?>|<(?!!--|\?))*+)\]"""
    r"[ \t\r\n]*+)?+>",
    re.DOTALL,
).match
_OTHER = compiled(r"<![^<>]*+>").match
_SECTIONS = {"<![CDATA[": "]]>", "<!--": "-->", "<?": "?>"}
_MAX_END = 3

_AHEAD = 2048
"""Characters behind a `<` that are known before it is decided what it begins."""
_MAX_LOOSE = 10_000
_MAX_STRAY = 100_000
_MAX_TAG = 2**18
"""Characters of a tag or a document type declaration; of a longer one the `<` is text.

Drawings have attributes of hundreds of thousands.
"""


class Target(Protocol):
    """What receives the parts of a document."""

    def start(self, name: str, attributes: str, empty: bool) -> None:
        """`attributes` is their text, for `each_attribute`; `empty`: as in `<a/>`."""

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None:
        """Text with its references as written; one text may come in pieces."""

    def cdata(self, text: str) -> None:
        """Text of a CDATA section, which has no references."""

    def declarations(self, subset: str) -> None:
        """The internal subset of a document type declaration."""

    def too_long(self) -> None:
        """A tag or a document type declaration is longer than _MAX_TAG."""


class Scanner:
    """Finds the tags and texts of one document for `target`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._rest = ""
        self._section_end = ""
        self._in_cdata = False
        self._loose_left = _MAX_LOOSE
        self._strays_left = _MAX_STRAY
        self._had_doctype = False

    @property
    def lost(self) -> bool:
        """Whether so much of the document was no XML that the rest is not worth it."""
        return self._strays_left <= 0

    def feed(self, text: str) -> None:
        """Read the next part of the document."""
        text = self._rest + text
        self._rest = text[self._scan(text, len(text) - _AHEAD, final=False) :]

    def close(self) -> None:
        """Read what is left."""
        self._scan(self._rest, len(self._rest), final=True)
        self._rest = ""

    def _scan(self, text: str, limit: int, final: bool) -> int:
        """Read what begins before `limit`; the index of what was not read."""
        target, position = self._target, 0
        while position < limit:
            found = None if self._section_end else _TOKEN(text, position)
            if found is None:
                following = self._other(text, position, final)
                if following == position:
                    break
                position = following
                continue
            before, name, attributes, slash, ended = found.groups()
            if before:
                target.text(before)
            if name is None:
                target.end(ended)
            else:
                target.start(name, attributes, slash == "/")
            position = found.end()
        return position

    def _other(self, text: str, start: int, final: bool) -> int:
        """Read what is no well-formed tag; the index behind it.

        The index is `start` where more of the document is needed, or the rest is lost.
        """
        if self._section_end:
            return self._section(text, start, final)
        if text[start] != "<":
            return self._text(text, start)
        if text[start + 1 : start + 2] in ("!", "?"):
            return self._declaration(text, start, final)
        return self._tag(text, start, final)

    def _text(self, text: str, start: int) -> int:
        end = text.find("<", start + 1)
        end = len(text) if end < 0 else end
        self._target.text(text[start:end])
        return end

    def _section(self, text: str, start: int, final: bool) -> int:
        """Read a part of a comment, a CDATA section or a processing instruction."""
        end = text.find(self._section_end, start)
        if end >= 0:
            following = end + len(self._section_end)
            self._section_end = ""
        elif final:
            end = following = len(text)
        else:  # the end may be cut in two
            end = following = max(start, len(text) - _MAX_END + 1)
        if self._in_cdata:
            self._target.cdata(text[start:end])
        return following

    def _declaration(self, text: str, start: int, final: bool) -> int:
        if found := _DECLARATION(text, start):
            return found.end()
        for begin, end in _SECTIONS.items():
            if text.startswith(begin, start):
                self._section_end = end
                self._in_cdata = begin == "<![CDATA["
                return start + len(begin)
        if text.startswith("<!DOCTYPE", start) and not self._had_doctype:
            found = _DOCTYPE(text, start, start + _MAX_TAG)
            if found is None and not final and len(text) - start < _MAX_TAG:
                return start
            self._had_doctype = True
            if found is None and len(text) - start >= _MAX_TAG:
                self._target.too_long()
            if found:
                self._target.declarations(found[1] or "")
                return found.end()
        found = _OTHER(text, start)
        return found.end() if found else self._stray(text, start)

    def _tag(self, text: str, start: int, final: bool) -> int:
        if not final and len(text) - start < _MAX_TAG and _UNFINISHED(text, start):
            return start
        if self._loose_left > 0:
            self._loose_left -= 1
            if found := _LOOSE(text, start, start + _AHEAD):
                self._target.start(found[1], found[2], found[3] == "/")
                return found.end()
        found = _BROKEN(text, start)
        if not found:
            if len(text) - start >= _MAX_TAG and _UNFINISHED(text, start):
                self._target.too_long()
            return self._stray(text, start)
        if found[1]:
            self._target.end(found[2])
        else:
            self._target.start(found[2], found[3], found[3].endswith("/"))
        return found.end()

    def _stray(self, text: str, start: int) -> int:
        """Read a `<` that begins nothing, and the text behind it, as one text."""
        if self.lost:
            return start
        self._strays_left -= 1
        return self._text(text, start)
