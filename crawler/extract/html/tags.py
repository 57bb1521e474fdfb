"""The tags of an HTML document, one after the other, without building a tree.

Theory. What a crawler takes from a page (links, images, the head's declarations) is in
start tags; it needs nothing of the tree. So this is the *tokenization* stage of the
HTML Standard (section 13.2.5) and no more, written as one regular expression: all up to
the next wanted tag is skipped inside the matcher, at the speed of C, and Python runs
once for each wanted tag.

Why no parser library. A tree takes ten times the document's size in memory, and a page
written for the purpose takes far more: with the HTML Standard's rules for misnested
formatting, 300 kB can make Lexbor ask for more than 4 GB, and its time grows with the
square of the depth (100 kB of `<div>` take half a second). lxml drops everything below
depth 2048 silently. Here time is linear in the document, memory is that of its text,
and depth does not exist. It is also faster: finding the tags takes 0.5 to 0.8 of what
Lexbor takes for a tree and the attributes of these tags, and the whole of extraction,
joins included, 0.35 to 0.6 of a lean use of lxml (measured on real sites by
`tests/benchmarks/extract.py`). The tests compare the result with Lexbor's.

What makes it linear. Every repetition is possessive, so that nothing is tried a second
way once it has matched. The alternatives at a `<` are tried in turn, and each reads at
most the one tag (or comment) that begins there. Where all fail, they fail for the whole
rest of the document, which the standard drops as well (end of file inside a tag or
comment). So no character is read more than three times.

A tag of any name can hold a picture (`<li data-thumb>`, `<td background>`). Nearly all
tags have no attributes, or only some that cannot (`_DULL`), and the matcher skips them
by a test that it makes anyway. So no second pass over the text is needed, and pages
without such attributes cost nothing.

Followed to the letter: names, attributes with and without quotes, duplicate attributes
(the first counts), comments in all their endings, bogus comments, raw text (script with
its escaped states, style, title, textarea, iframe, ...), character references in
attribute values. SVG and MathML have no raw text; that is looked up where one of their
elements is left open (`foreign.py`). Not followed, because that would need a tree:
`<plaintext>` inside SVG, `<title>` inside a select. Links inside `<template>` are
reported, though a browser shows them only when a script has used the template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from html import unescape
from html.entities import html5
from typing import TYPE_CHECKING, NamedTuple

from crawler.model.documents import LeaveOut, say_nothing
from crawler.model.regex import compiled

if TYPE_CHECKING:
    from crawler.extract.html.foreign import ForeignContent

_SPACE = r"\t\n\f\r "


Tag = tuple[str, str, str | None, int, int]
"""A start tag: name, attributes, href, end, content end.

It is a plain tuple because there are so many.

The name is in lower case. The attributes are the text between the name and the `>`, for
`attributes` to read. The href, up to the fragment, is that of an `<a>` with a plainly
written href and no rel; None: read the attributes. The end is the index after the `>`.
The content end is the index after the raw text of a raw text element; that after the
`</a>` of a link with a plainly written href, if its content is a short text without
markup; for all others it is the end.
"""


_RAW_TEXT = (
    "iframe",
    "noembed",
    "noframes",
    "script",
    "style",
    "textarea",
    "title",
    "xmp",
)


def _any_case(name: str) -> str:
    # Faster than (?i), with which the whole expression would lose the matcher's fast
    # path for literals. The first letter is a class, by which the matcher chooses among
    # alternatives; as classes, all the others would take longer to compile.
    return f"[{name[0]}{name[0].upper()}](?ai:{name[1:]})"


_NAMES = (
    "a area base frame html iframe image img input link meta noembed noframes "
    "plaintext script source style textarea title video xmp"
)
_WANTED = rf"(?:{'|'.join(map(_any_case, _NAMES.split()))})(?=[{_SPACE}/>])"

# An attribute: its name may begin with "=", and a quote that is never closed takes all
# the rest.
_ATTRIBUTE = rf"""[^{_SPACE}/>][^{_SPACE}/>=]*+(?:[{_SPACE}]*+=[{_SPACE}]*+
    (?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^{_SPACE}>]*+))?+""".replace("\n    ", "")
_ATTRIBUTES = rf"(?:[{_SPACE}/]*+{_ATTRIBUTE})*+[{_SPACE}/]*+"
# The form in which nearly all tags are written; others fall through to the full form.
_PLAIN = r'(?:[ \n]++[a-z:-]++="[^"]*+")*+'
_CLASS = r'(?: class="[^"]*+")?+'
# Attributes that hold no URL of a page or a picture, in that form. A tag that has
# others is not skipped.
_DULL = (
    r'(?:[ \n]++(?:colspan="[^"]*+"|style="[^"(\\]*+"'
    r"|(?:class|id|title|align|width|valign|height|rowspan|name|cellpadding"
    r"|cellspacing|border|summary|type|role|aria-[a-z]++|lang|dir|for|method|action"
    r"|target|tabindex|accesskey|value|scope|xml:lang|itemtype|itemscope"
    r'|on[a-z]++)="[^"]*+"|data-[a-z_-]++="[^"./(]*+"))*+'
)
_PLAIN_HREF = rf'{_DULL}[ \n]++href="([^"&#]*+)(?:#[^"]*+)?+"{_DULL} ?/?(?=>)'
_NAME = rf"[^{_SPACE}/>]*+"
_SIMPLE = rf"(?:{_CLASS}>|{_DULL} ?/?>)"
_REST = rf"(?:[a-z0-9]*+{_SIMPLE}|{_NAME}[^>=]*+>)"
_COMMENT = r"!--(?:-?+>|(?:[^-]++|-(?!-!?>))*+--!?>)"
# Shortcuts past the test for wanted names: first letters that none of them has,
# frequent names.
_OTHER_LETTER = "[cdgjkoqruwyzCDGJKOQRUWYZ]"
_OTHER_NAME = (
    "(?:span|p|td|tr|th|table|tbody|thead|li|b|i|em|strong|pre|tt|nav|section|sup|sub"
    "|var|small|footer|article|abbr|br|hr|h[1-6])"
)


# An <a> without href, the target of a fragment: manuals are full of them.
_ANCHOR = rf"[aA]{_DULL} ?/?>"

_SKIPPED = (
    "<(?:/[^>=]*+>"
    rf"|{_OTHER_LETTER}{_REST}"
    rf"|{_OTHER_NAME}{_SIMPLE}|{_ANCHOR}"
    rf"|(?!{_WANTED})[a-zA-Z]{_REST}"
    rf"|/(?:[a-zA-Z]{_NAME}{_ATTRIBUTES}|[^a-zA-Z][^>]*+)>"
    rf"|{_COMMENT}|!(?!--)[^>]*+>|\?[^>]*+>"
    "|(?![a-zA-Z/!?]))"
)
# The text of most links, read on from the tag: nothing looks for its end again.
MAX_LINK_TEXT = 1000
_LINK_TEXT = rf"(?:[^<]{{0,{MAX_LINK_TEXT}}}+</[aA]>|)"
# From any point outside tags up to and including the next tag that is not skipped.
_EXPRESSION = (
    rf"[^<]*+(?:{_SKIPPED}[^<]*+)*+"
    rf"<(?:[aA]({_PLAIN_HREF})>{_LINK_TEXT}"
    rf"|([a-zA-Z]{_NAME})({_PLAIN} ?/?(?=>)|{_ATTRIBUTES})>)"
)
_NEXT = compiled(_EXPRESSION).match
_ENDS = {
    name: compiled(rf"</{_any_case(name)}(?=[{_SPACE}/>])").search for name in _RAW_TEXT
}
_LEFT_OPEN = compiled(
    rf"<(?:/(?:svg|math|SVG)|(?:{'|'.join(_RAW_TEXT)}|STYLE|SCRIPT))(?=[{_SPACE}/>])"
).search
"""What a raw text contains if its element, in SVG or MathML, was left open."""
_SCRIPT_MARKS = compiled(
    rf"<!--(?!-*+>)|-->|</?{_any_case('script')}(?=[{_SPACE}/>])"
).finditer


@lru_cache(maxsize=1)
def _next_or_form() -> Callable[[str, int], re.Match[str] | None]:
    """As `_NEXT`, but that `action` is no attribute without a URL."""
    return compiled(_EXPRESSION.replace("|action", "")).match


def start_tags(text: str, *, xml: bool = False, forms: bool = False) -> Iterator[Tag]:
    """The start tags of `text` that may hold a URL, in order.

    These are all with a name in `_NAMES`, but an `<a>` without href where that is
    easily seen, and the `<title>` of an SVG; and those of any name with an attribute
    that is not among `_DULL`. With `xml`, as in SVG, an empty-element tag (`<script/>`)
    has no content. With `forms`, those with an `action` are among them.
    """
    raw_texts = _RawTexts(text, xml)
    next_tag = _next_or_form() if forms else _NEXT
    position = 0
    while found := next_tag(text, position):
        link, href, name, written = found.groups()
        position = found.end()
        if link is not None:
            yield "a", link, href, found.end(1) + 1, position
            continue
        content_end = position
        name = name.lower()
        if name in _ENDS:
            tag = found.start(3) - 1
            skipped = name == "title" and raw_texts.is_of_svg(tag)
            content_end = raw_texts.end(name, written, position, tag)
            if skipped:
                position = content_end
                continue
        elif name == "plaintext":
            return
        yield name, written, None, position, content_end
        position = content_end


class AnyTag(NamedTuple):
    """A start tag or an end tag."""

    name: str
    """In lower case."""
    is_end: bool
    written: str
    """The attributes, for `attributes` to read."""
    end: int
    """Index after the `>`."""
    content_end: int
    """Index after the raw text of a raw text element; for all others the end."""


@lru_cache(maxsize=1)
def _next_of_any() -> Callable[[str, int], re.Match[str] | None]:
    """As `_NEXT`, but that no tag is skipped."""
    skipped = (
        rf"<(?:/[^a-zA-Z][^>]*+>|{_COMMENT}|!(?!--)[^>]*+>|\?[^>]*+>|(?![a-zA-Z/!?]))"
    )
    return compiled(
        rf"[^<]*+(?:{skipped}[^<]*+)*+<(/?)([a-zA-Z]{_NAME})({_ATTRIBUTES})>"
    ).match


def all_tags(text: str) -> Iterator[AnyTag]:
    """All tags of `text` in order, for what needs to know where elements end."""
    raw_texts = _RawTexts(text, xml=False)
    next_tag = _next_of_any()
    position = 0
    while found := next_tag(text, position):
        slash, name, written = found[1], found[2].lower(), found[3]
        position = end = found.end()
        if name == "plaintext" and not slash:
            return
        if name in _ENDS and not slash:
            position = raw_texts.end(name, written, end, found.start(2) - 1)
        yield AnyTag(name, bool(slash), written, end, position)


def _script_end(text: str, start: int) -> int:
    """The end of a script that contains `<!--` (its escaped states).

    Between `<!--` and `-->`, a `<script>` hides the next `</script>`.
    """
    escaped = doubly = False
    for mark in _SCRIPT_MARKS(text, start):
        if mark[0] == "<!--":
            escaped = True
        elif mark[0] == "-->":
            escaped = doubly = False
        elif mark[0][1] != "/":
            doubly = escaped
        elif doubly:
            doubly = False
        else:
            return mark.start()
    return len(text)


class _RawTexts:
    """Finds the ends of raw texts, for rising positions.

    Elements in SVG and MathML have none. Whether one is there is looked up only where
    that can matter: where the raw text would contain a tag that ends it.
    """

    def __init__(self, text: str, xml: bool) -> None:
        self._text = text
        self._xml = xml
        self._ends: dict[str, int] = {}
        self._since: list[tuple[int, int]] = []
        self._foreign: ForeignContent | None = None

    def is_of_svg(self, tag: int) -> bool:
        """Whether the title whose tag begins at `tag` is that of a drawing."""
        return self._text.find("<svg", 0, tag) >= 0 and self._is_foreign(tag)

    def end(self, name: str, written: str, start: int, tag: int) -> int:
        """The end of the text of the element `name`.

        Its tag begins at `tag`, and the text at `start`.
        """
        text = self._text
        if written.endswith("/") and (self._xml or self._is_foreign(tag)):
            return start
        if (end := self._ends.get(name, -1)) < start:
            found = _ENDS[name](text, start)
            end = self._ends[name] = found.start() if found else len(text)
        if (
            (end == len(text) or _LEFT_OPEN(text, start, end))
            and not self._xml
            and self._is_foreign(tag)
        ):
            from crawler.extract.html.foreign import text_end

            return text_end(text, start)
        if name == "script" and text.find("<!--", start, end) >= 0:
            end = _script_end(text, start)
        self._since.append((start, end))
        return end

    def _is_foreign(self, position: int) -> bool:
        if self._foreign is None:
            from crawler.extract.html.foreign import ForeignContent

            self._foreign = ForeignContent(self._text)
        return self._foreign.is_open(position, self._since)


_MAX_TAG = 2**18
"""The maximum length (characters) of a start tag that is parsed.

Some `data-` attributes have hundreds of thousands.
"""

_ATTRIBUTE_PARTS = compiled(
    rf"""([^{_SPACE}/>][^{_SPACE}/>=]*+)(?:[{_SPACE}]*+=[{_SPACE}]*+"""
    rf"""(?:"([^"]*+)(?:"|\Z)|'([^']*+)(?:'|\Z)|([^{_SPACE}>]*+)))?+"""
)
_EACH_ATTRIBUTE = _ATTRIBUTE_PARTS.findall


class AttributeSpan(NamedTuple):
    """Where an attribute stands in the text of a tag."""

    name: str
    """In lower case."""
    at: int
    """Index of the name."""
    start: int
    """Index of the value, character references not decoded; behind a quote."""
    end: int
    """Index behind the value; less than `start` where the attribute has none."""


def attribute_spans(written: str) -> list[AttributeSpan]:
    """The attributes as `attributes` has them, each with its place, in order."""
    found: dict[str, AttributeSpan] = {}
    for one in _ATTRIBUTE_PARTS.finditer(written[:_MAX_TAG]):
        name, value = one[1].lower(), one.lastindex or 1
        start, end = one.span(value) if value > 1 else (one.end(), -1)
        found.setdefault(name, AttributeSpan(name, one.start(), start, end))
    return list(found.values())


def attributes(written: str, leave_out: LeaveOut = say_nothing) -> Mapping[str, str]:
    """The attributes in the text of a tag: names in lower case, values decoded.

    Of two attributes with one name the first counts. What is beyond _MAX_TAG characters
    is left out.
    """
    if len(written) <= _MAX_CACHED_TAG:
        return _parse_cached(written)
    if len(written) > _MAX_TAG:
        leave_out("markup")
        written = written[:_MAX_TAG]
    return _parse(written)


def _parse(written: str) -> dict[str, str]:
    values = {
        name.lower(): double or single or bare
        for name, double, single, bare in reversed(_EACH_ATTRIBUTE(written))
    }
    if "&" in written:
        return {name: decode_references(value) for name, value in values.items()}
    return values


# A site's style sheets, icons and navigation are written alike on each of its pages.
_MAX_CACHED_TAG = 200
_parse_cached = lru_cache(maxsize=512)(_parse)


REFERENCE = compiled(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|([0-9a-zA-Z]+);?)(=?)")


def decode_references(value: str) -> str:
    """An attribute's value with its character references decoded (13.2.5.72 to 79).

    Unlike in text, `&copy=1` and `&copyright` stay as they are: they are queries.
    """
    return REFERENCE.sub(decoded, value) if "&" in value else value


def decoded(found: re.Match[str]) -> str:
    """What a match of REFERENCE stands for in an attribute's value."""
    whole, name, equals = found[0], found[1], found[2]
    if name is None:
        return unescape(whole)
    named = whole[1 : len(whole) - len(equals)]
    if named in html5 and (named.endswith(";") or not equals):
        return html5[named] + equals
    return whole
