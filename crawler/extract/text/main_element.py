"""The element of a page that holds its main content.

The main text is known (from trafilatura); this finds the smallest element of the page's
own tree that holds it, so that what the text lost on its way, code blocks and rows of
tables, is there. From `<body>` the search goes down to the child that holds nearly all
of the words, and ends

- at `<main>`, or what has that role: the author says it;
- where no child holds `SHARE` of the words;
- where going down would leave content behind: a heading, a paragraph, a code block, a
  table or a list beside the child, unless it consists of links or is marked as
  navigation.

The last rule was measured: without it a chapter loses its heading where one section
has most of the words (73 of 287 headings of two manuals in DocBook's HTML).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from crawler.extract.text.plain import HIDDEN

if TYPE_CHECKING:
    from lxml.html import HtmlElement

SHARE = 0.85
"""An element has to hold this share of the words of the main text."""
SHARED = 0.7
"""A neighbour is content if the main text has this share of its words."""
_WORD = re.compile(r"\w+")
_CONTENT = frozenset((
    "h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "table", "ul", "ol", "dl",
    "blockquote", "figure",
))  # fmt: skip
_HEADINGS = ("h1", "h2", "h3")
LANDMARKS = frozenset(("nav", "footer", "aside", "form", "search", "dialog", "button"))
LANDMARK_ROLES = frozenset(
    ("navigation", "contentinfo", "search", "complementary", "banner", "dialog")
)
_NAVIGATION = re.compile(
    r"(?:^|[-_\s])(?:nav(?:bar|box|header|footer|igation)?|breadcrumbs?|menu|sidebar|"
    r"editsection|pagination|pager|headerlink)(?:$|[-_\s])",
    re.IGNORECASE,
)
LINK_SHARE = 0.5
"""An element with more of its text in links is a list of links."""


class _Child(Struct, frozen=True):
    element: HtmlElement
    words: int
    shared: int
    """How many of them the main text has too."""


def main_element(tree: HtmlElement, main_text: str) -> HtmlElement:
    """The smallest element that holds the main text; `<body>` if there is none."""
    target = Counter(_WORD.findall(main_text))
    wanted = SHARE * target.total()
    found = body_of(tree)
    while wanted and not (found.tag == "main" or found.get("role") == "main"):
        children = list(_children(found, target))
        best = max(children, key=lambda child: child.shared, default=None)
        if best is None or best.shared < wanted:
            break
        if any(child is not best and _is_content(child) for child in children):
            break
        found = best.element
    return found


def body_of(tree: HtmlElement) -> HtmlElement:
    """`<body>`, or the whole tree where there is none."""
    body = tree.body
    return tree if body is None else body


def _children(element: HtmlElement, target: Counter[str]) -> Iterator[_Child]:
    for child in element:
        if isinstance(child.tag, str) and child.tag not in HIDDEN:
            words = Counter(_WORD.findall(" ".join(child.itertext())))
            yield _Child(child, words.total(), (words & target).total())


def _is_content(child: _Child) -> bool:
    element = child.element
    if not child.words or is_landmark(element) or consists_of_links(element):
        return False
    return (
        element.tag in _CONTENT
        or child.shared >= SHARED * child.words
        or next(element.iter(*_HEADINGS), None) is not None
    )


def is_landmark(element: HtmlElement) -> bool:
    """Whether an element is navigation or the like, by its name or its role."""
    return element.tag in LANDMARKS or element.get("role") in LANDMARK_ROLES


def is_named_navigation(element: HtmlElement) -> bool:
    """Whether an element is navigation by its class or id, and by what it holds."""
    name = f"{element.get('class', '')} {element.get('id', '')}"
    return bool(_NAVIGATION.search(name)) and consists_of_links(element)


def consists_of_links(element: HtmlElement) -> bool:
    """Whether most of the text of an element is in links."""
    if element.tag == "a":
        return True
    length = _letters(element)
    return sum(map(_letters, element.iter("a"))) > LINK_SHARE * length


def _letters(element: HtmlElement) -> int:
    return sum(len(text.strip()) for text in element.itertext())
