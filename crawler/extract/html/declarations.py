"""What a page says of itself: title, description and canonical URL, and where.

An element with an empty text says nothing, and does not hide a later one. Where the
page has no `<title>`, no description or no `<link rel=canonical>`, what it tells to
social networks (Open Graph, Twitter Cards) takes their place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeVar

from crawler.model.documents import (
    CanonicalSource,
    DescriptionSource,
    LeaveOut,
    LinkKind,
    TitleSource,
)
from crawler.model.regex import compiled
from crawler.model.url import Base

MAX_TEXT = 1000
"""Characters of a text; the rest is cut off."""
_MAX_CANONICALS = 10
MAX_ROBOTS = 10
"""Elements `<meta name=robots>` of one page."""
_JSON_TYPE = compiled(
    r"""[\t\n\f\r ]type[\t\n\f\r ]*=[\t\n\f\r ]*["']?(?:application|text)/"""
    r"(ld\+|[\w.-]+\+)?json",
    re.IGNORECASE,
).search
_STATE = compiled(
    r"\s*+(?:(?:<!--|//|/\*)[^\n]*+\s*+)?+"
    r"(?:(?:window|self|globalThis)[.\[]|(?:var|let|const)\s|\(?self\.__next_f)"
).match
"""Scripts that begin with an assignment, as those do that hold a page's state."""
_MIN_SCRIPT = 12
MAX_SCRIPT = 2**20
"""Characters of a script that are read."""

_TITLES: dict[str, TitleSource] = {"og:title": "og", "twitter:title": "twitter"}
_DESCRIPTIONS: dict[str, DescriptionSource] = {
    "description": "meta",
    "og:description": "og",
    "twitter:description": "twitter",
}
_CANONICAL = "og:url"
NAMES = frozenset({*_TITLES, *_DESCRIPTIONS, _CANONICAL})
"""The names of `<meta>` elements that say such a thing."""

# The `<meta>` elements of further facts (`facts.py`): Open Graph, Dublin Core,
# parse.ly, Sailthru, Highwire Press and the like. The first of each row counts.
_AUTHORS_NAMES = """
    author article:author og:article:author parsely-author sailthru.author
    citation_author dc.creator dcterms.creator dc.contributor.author byl
"""
AUTHORS = _AUTHORS_NAMES.split()
_PUBLISHED_NAMES = """
    article:published_time og:article:published_time og:published_time parsely-pub-date
    sailthru.date citation_publication_date citation_online_date citation_date
    dcterms.issued dc.date.issued dcterms.created dc.date.created dcterms.date dc.date
    cxenseparse:recs:publishtime datepublished schema:datepublished publish-date
    publishdate publish_date published_date pubdate date.published date.issued
    originalpublicationdate date
"""
PUBLISHED = _PUBLISHED_NAMES.split()
_MODIFIED_NAMES = """
    article:modified_time og:article:modified_time og:modified_time og:updated_time
    dcterms.modified dc.date.modified dc.modified datemodified schema:datemodified
    last-modified lastmod last_modified last-updated date.modified modified revised
"""
MODIFIED = _MODIFIED_NAMES.split()
FACTS = frozenset((*AUTHORS, *PUBLISHED, *MODIFIED, "og:type", "og:site_name"))

_FEEDS = frozenset(
    {"application/rss+xml", "application/atom+xml", "application/feed+json"}
)
_PAGES = frozenset({"", "text/html", "application/xhtml+xml"})

S = TypeVar("S", bound=str)


class Declarations:
    """What was found in one document; the first of each source counts."""

    def __init__(self) -> None:
        self._titles: dict[TitleSource, str] = {}
        self._descriptions: dict[DescriptionSource, str] = {}
        self._canonicals: dict[str, CanonicalSource] = {}
        self._robots: list[str] = []

    @property
    def titled(self) -> bool:
        """Whether a `<title>` with a text was found."""
        return "title" in self._titles

    def add_title(self, text: str) -> None:
        """Note the text of a `<title>`."""
        if title := short(text):
            self._titles.setdefault("title", title)

    def add_meta(self, name: str, content: str) -> None:
        """Note the content of a `<meta>`; ignored if its name is none of NAMES."""
        if not (text := short(content)):
            return
        if name in _DESCRIPTIONS:
            self._descriptions.setdefault(_DESCRIPTIONS[name], text)
        elif name in _TITLES:
            self._titles.setdefault(_TITLES[name], text)
        elif name == _CANONICAL:
            self.add_canonical(content.strip(), "og")

    def add_canonical(self, href: str, source: CanonicalSource) -> None:
        """Note a canonical URL, as written."""
        if len(self._canonicals) < _MAX_CANONICALS:
            self._canonicals.setdefault(href, source)

    def add_robots(self, content: str, leave_out: LeaveOut) -> None:
        """Note the directives of a `<meta name=robots>`."""
        directives = short(content)
        if len(self._robots) < MAX_ROBOTS:
            self._robots.append(directives)
        elif directives not in self._robots:
            leave_out("values")

    def robots_meta(self) -> str | None:
        """All directives for robots, as `Page.robots_meta` has them."""
        return ", ".join(filter(None, self._robots)) or None

    def title(self) -> tuple[str | None, TitleSource | None]:
        return _best(self._titles, "title", "og", "twitter")

    def description(self) -> tuple[str | None, DescriptionSource | None]:
        return _best(self._descriptions, "meta", "og", "twitter")

    def canonical(self, base: Base) -> tuple[str | None, CanonicalSource | None]:
        """The first URL of a `<link>` that is one, else that of an `og:url`."""
        written = sorted(self._canonicals.items(), key=lambda one: one[1] != "link")
        for href, source in written:
            if url := base.join(href):
                return url, source
        return None, None


def _best(texts: Mapping[S, str], *sources: S) -> tuple[str | None, S | None]:
    """The text of the first of `sources` that has one, and which that is."""
    for source in sources:
        if source in texts:
            return texts[source], source
    return None, None


def short(text: str) -> str:
    """`text` with white space collapsed, cut at MAX_TEXT characters."""
    return " ".join(text[: 10 * MAX_TEXT].split())[:MAX_TEXT]


def kind_of_link(rels: list[str], values: Mapping[str, str]) -> LinkKind | None:
    """The kind of a `<link>`; None: it leads to nothing that is fetched as a page."""
    if "canonical" in rels:
        return "link_canonical"
    if "next" in rels or "prev" in rels:
        return "link_next"
    if "alternate" in rels and "stylesheet" not in rels:
        kind = values.get("type", "").partition(";")[0].strip().lower()
        if kind in _FEEDS:
            return "feed"
        if kind in _PAGES:
            return "link_alternate"
    return None


def is_style(rels: list[str], values: Mapping[str, str]) -> bool:
    """Whether a `<link>` is a style sheet that is shown, or is when it has loaded."""
    if "stylesheet" in rels:
        return "alternate" not in rels
    return "preload" in rels and values.get("as", "").lower() == "style"


def is_image_preload(values: Mapping[str, str]) -> bool:
    """Whether what a `<link>` has loaded ahead is an image."""
    from crawler.extract.addresses import is_picture

    return (
        values.get("as", "").lower() == "image"
        or values.get("type", "").lower().startswith("image/")
        or ("as" not in values and is_picture(values.get("href", "")))
    )


def kind_of_script(
    written: str, text: str, start: int, end: int
) -> Literal["json", "json_ld"] | None:
    """What the script from `start` to `end` holds; `written`: its tag's attributes.

    The source of a script counts as JSON if it may hold the page's state.
    """
    if end - start < _MIN_SCRIPT:
        return None
    found = _JSON_TYPE(written)
    if found is None:
        return None if _STATE(text, start, end) is None else "json"
    return "json_ld" if (found[1] or "").lower() == "ld+" else "json"
