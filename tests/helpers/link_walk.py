"""Every link on a site's pages, read from its files by lxml, without the crawler.

Links are those elements by which a crawl finds URLs. Each page names a URL once here as
well, with the text of the first element that has one. A URL that is a link and an image
of one page is named twice, and so is one that is a style sheet, too.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit, urlunsplit

from lxml import html

_ATTRIBUTES = {
    "a": "href", "area": "href", "link": "href", "iframe": "src", "frame": "src",
    "img": "src", "object": "data",
}  # fmt: skip
_SCHEMES = ("http:", "https:", "ftp:")
_PARSER = html.HTMLParser(encoding="utf-8")


class WalkedLink(NamedTuple):
    """A link: its page and its target as URLs, its text, None without one."""

    source: str
    target: str
    text: str | None


class Walked(NamedTuple):
    """What one page says: its links and texts, and its canonical URL; "" for none."""

    links: list[WalkedLink]
    title: str
    description: str
    canonical: str


@lru_cache(maxsize=1)
def walk_pages(root: Path, pages: frozenset[str]) -> dict[str, Walked]:
    """All that `pages` say, which are URLs of files below `root`."""
    return {page: _walked(page, file_of(root, page)) for page in pages}


def is_dead(root: Path, base: str, url: str) -> bool:
    """Whether the static server at `base` has nothing at `url`."""
    if not url.startswith(base):
        return False
    file = file_of(root, url)
    return not (file.is_file() or file.is_dir())


def file_of(root: Path, url: str) -> Path:
    """The file that is served at `url`."""
    return root / unquote(urlsplit(url).path).lstrip("/")


def _walked(page: str, file: Path) -> Walked:
    tree = html.fromstring(file.read_bytes(), parser=_PARSER)
    title = tree.xpath("string(//title)")
    description = tree.xpath('string(//meta[@name="description"]/@content)')
    texts = (" ".join(text.split()) for text in (title, description))
    canonical = tree.xpath('string(//link[@rel="canonical"]/@href)')
    return Walked(_links(page, tree), *texts, _absolute(page, canonical) or "")


def _links(page: str, tree: html.HtmlElement) -> list[WalkedLink]:
    found: dict[tuple[str, str], WalkedLink] = {}
    unnamed: set[tuple[str, str]] = set()
    for element in tree.iter(*_ATTRIBUTES):
        url = _absolute(page, element.get(_ATTRIBUTES[element.tag], ""))
        group = _group(element)
        if url is None or group is None:
            continue
        first = found.get((group, url))
        # An image is named by its first <img>, also if it is an icon as well.
        if first is None or (first.text is None and (group, url) in unnamed):
            found[group, url] = WalkedLink(page, url, _text(element))
            if group == "link" or element.tag == "link":
                unnamed.add((group, url))
            else:
                unnamed.discard((group, url))
    return list(found.values())


def _group(element: html.HtmlElement) -> str | None:
    """Where it counts once: as a link, an image or a style; None: it is no link."""
    if element.tag != "link":
        return "image" if element.tag in ("img", "object") else "link"
    rels = set(element.get("rel", "").lower().split())
    if rels & {"canonical", "next", "prev"}:
        return "link"
    if "alternate" in rels and "stylesheet" not in rels:
        return "link"
    if "stylesheet" in rels and "alternate" not in rels:
        return "style"
    return "image" if "icon" in rels else None


def _text(element: html.HtmlElement) -> str | None:
    if element.tag == "img":
        return " ".join(element.get("alt", "").split()) or None
    if element.tag != "a":
        return None
    words = " ".join(element.itertext()).split()
    return " ".join(words) or None


def _absolute(page: str, href: str) -> str | None:
    url = urldefrag(urljoin(page, href.strip())).url
    if not href.strip() or href.startswith("#") or not url.startswith(_SCHEMES):
        return None
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:~()@!$&'*+,;=-._")
    return urlunsplit((parts.scheme, parts.netloc.lower(), path, parts.query, ""))
