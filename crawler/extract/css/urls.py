"""The URLs of a style sheet, found by its tokens (CSS Syntax Module Level 3, 4.3).

What a crawler needs of a style sheet is where its URLs are, so there is no tree and no
cascade: a single expression finds comments, strings, `url(...)` and the few at-rules
and functions that matter, each from where the last ended. Every repetition in it is
possessive, so that time is linear in the style sheet. A URL in a comment or in a string
is thus none, an escape is decoded, and a bad URL ends where the standard ends it.

All media queries and selectors count: which of them apply to a viewer is not decided
here. Not counted are fonts, namespaces, behaviours, and references to a part of an SVG
(`filter: url(#blur)`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from crawler.extract.addresses import is_other_file
from crawler.model.regex import compiled

_SPACE = r"[ \t\n\r\f]"
_COMMENT = r"/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)"
_ESCAPE = r"\\(?:\r\n|[\s\S])"
_DOUBLE = rf'"((?:[^"\\\n\r\f]++|{_ESCAPE})*+)(?:"|(?=[\n\r\f])|\\?\Z)'
_SINGLE = rf"'((?:[^'\\\n\r\f]++|{_ESCAPE})*+)(?:'|(?=[\n\r\f])|\\?\Z)"
_BARE = (
    r"""((?:[^"'(){}\\\s]++|\\(?:[0-9a-fA-F]{1,6}+[ \t\n]?+|[^\n\r\f]))*+)"""
    rf"{_SPACE}*+(?:\)|\Z)"
)
# A string that is cut off by a line's end is none.
_WHOLE_DOUBLE = rf'"((?:[^"\\\n\r\f]++|{_ESCAPE})*+)(?:"|\\?\Z)'
_WHOLE_SINGLE = rf"'((?:[^'\\\n\r\f]++|{_ESCAPE})*+)(?:'|\\?\Z)"


def _letters(name: str) -> str:
    """An expression for an identifier in any case, escapes included."""
    return "".join(
        rf"(?:[{char}{char.upper()}]|\\0{{0,4}}(?:{ord(char):x}|{ord(char.upper()):x})"
        rf"{_SPACE}?)"
        for char in name
    )


_URL = (
    rf"(?<![\w\\-])(?:{_letters('url')}|[sS][rR][cC])\({_SPACE}*+"
    rf"(?:{_WHOLE_DOUBLE}|{_WHOLE_SINGLE}|{_BARE}|(?=[^)]))"
)
_FIND = compiled(
    rf"{_COMMENT}"
    rf"|{_URL}"  # groups 1 to 3
    rf"|{_DOUBLE}|{_SINGLE}"  # 4, 5
    rf"|(@import)(?![\w-])(?:{_SPACE}++|{_COMMENT})*+(?:{_URL}|{_DOUBLE}|{_SINGLE})?+"
    r"|@(?:-moz-document|document|namespace|charset)(?![\w-])[^;{]*+"
    r"|((?:-webkit-|-moz-)?image-set|cross-fade|(?<![\w-])image)\(",  # 12
    re.IGNORECASE,
).finditer
_IN_SET = compiled(
    rf"{_COMMENT}|{_URL}|{_DOUBLE}|{_SINGLE}|([\w-]*+\()|(\))", re.IGNORECASE
).finditer
_PROPERTY = compiled(rf"(?:{_SPACE}|{_COMMENT})*+([\w-]++){_SPACE}*+:").match
_ESCAPED = compiled(
    r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\r\f])?|(\r\n|[\n\r\f])|([\s\S]))"
).sub
_MARKS = ("l(", "L(", "\\", "mport", "MPORT", "set(", "src(", "image(", "fade(")
"""Style sheets without these name no URL: `url(` and the others, as mostly written."""

_NOT_PICTURES = frozenset({"src", "behavior", "-moz-binding", "binding"})
_REFERENCES_NAMES = """
    filter backdrop-filter clip-path fill stroke marker marker-start marker-mid
    marker-end offset-path shape-inside -webkit-filter -webkit-clip-path
"""
_REFERENCES = frozenset(_REFERENCES_NAMES.split())
_MAX_CACHED = 8192
_MAX_SPANS = 10_000
"""URLs of one function, such as `image-set()`; the rest is read as if outside."""


class CssUrl(NamedTuple):
    """A URL in a style sheet."""

    url: str
    """As written, escapes decoded."""
    property: str
    """The property in whose value it stands, in lower case; "" if that is unclear.

    It is `@import` for another style sheet.
    """


Span = tuple[int, int, str]
"""Where a URL begins and ends, escapes included, and the property as in `CssUrl`."""


def css_urls(css: str) -> Iterator[CssUrl]:
    """The URLs in `css`: a style sheet, a style attribute, or a value. See `is_shown`.

    Those in `data:` and those that name a part of the document itself are left out.
    """
    if not any(mark in css for mark in _MARKS):
        return
    for start, end, name in css_spans(css):
        url = unescape(css[start:end]).strip()
        if url and url[0] != "#" and url[:5].lower() != "data:":
            yield CssUrl(url, name)


def css_urls_of(css: str) -> Iterable[CssUrl]:
    """As `css_urls`, and remembered: a site has the same styles on all its pages."""
    return _cached(css) if len(css) <= _MAX_CACHED else css_urls(css)


@lru_cache(maxsize=128)
def _cached(css: str) -> tuple[CssUrl, ...]:
    return tuple(css_urls(css))


def is_shown(found: CssUrl) -> bool:
    """Whether `found` is a picture that the property shows."""
    if found.property in _NOT_PICTURES or found.property == "@import":
        return False
    if found.property in _REFERENCES and "#" in found.url:
        return False
    return not is_other_file(found.url)


def css_spans(css: str) -> Iterator[Span]:
    """Where the URLs in `css` stand, in order, and in which property.

    Those in `data:` and those that name a part of the document itself are among them.
    """
    begin, name = 0, None  # of the declaration, whose property is looked up once
    last = 0  # the end of the token before; of an image-set(), its last bracket
    for token in _FIND(css):
        start = token.start()
        if start < last:
            continue
        if (mark := max(css.rfind(mark, last, start) for mark in ";{}")) >= 0:
            begin, name = mark + 1, None
        last = token.end()
        group = token.lastindex  # the URL is the last group that matches
        if group is None:
            continue
        if token[6] is not None:
            if group != 6:
                yield *token.span(group), "@import"
            continue
        spans: Iterable[tuple[int, int]] = ()
        if group <= 3:
            spans = (token.span(group),)
        elif group == 12:
            spans, last = _image_set(css, last)
        for found, end in spans:
            if name is None:
                name = _property(css, begin, start)
            yield found, end, name


def _property(css: str, begin: int, at: int) -> str:
    """The property of the declaration that begins at `begin`; "" for none."""
    found = _PROPERTY(css, begin, at)
    return found[1].lower() if found else ""


def _image_set(css: str, start: int) -> tuple[list[tuple[int, int]], int]:
    """The spans of URLs in an `image-set(` that begins before `start`, and its end.

    Strings are URLs there, but not those within another function, as `type("...")`.
    """
    spans: list[tuple[int, int]] = []
    depth = 1
    for token in _IN_SET(css, start):
        group = token.lastindex
        if group is None:
            continue
        if group <= 3:
            spans.append(token.span(group))
            depth += group != 3  # a `url(` with a string is still to be closed
        elif group <= 5:
            if depth == 1:
                spans.append(token.span(group))
        elif group == 6:
            depth += 1
        else:
            depth -= 1
        if depth == 0 or len(spans) >= _MAX_SPANS:
            return spans, token.end()
    return spans, len(css)


def unescape(text: str) -> str:
    """`text` with its escapes decoded ("consume an escaped code point")."""
    return _ESCAPED(_decoded, text) if "\\" in text else text


def _decoded(found: re.Match[str]) -> str:
    if found[1]:
        code = int(found[1], 16)
        return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "�"
    return "" if found[2] else found[3]
