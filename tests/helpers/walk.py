"""What is on a site, found without the crawler: files, `html.parser` and `urljoin`.

An independent check shares no code with what it checks. So this walk reads the files
themselves, parses them with the standard library's parser, and resolves links with its
`urljoin`. It knows only which elements hold links, and how a static file server
answers.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from mimetypes import MimeTypes
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

_PLAIN = {
    "a": "href", "area": "href", "iframe": "src", "frame": "src", "img": "src",
    "object": "data",
}  # fmt: skip
_LINK_RELS = frozenset({"next", "prev", "canonical", "alternate", "icon", "stylesheet"})
_SRCSET_URL = re.compile(r"[\s,]*(\S*[^\s,])(?:\s[^,]*)?(?:,|$)")
_TYPES = MimeTypes()
_TYPES.add_type("image/svg+xml", ".svg")


@dataclass(slots=True)
class Inventory:
    """The URLs reachable on a site, by what the server has for them."""

    pages: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    redirects: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)

    def everything(self) -> set[str]:
        return self.pages | self.images | self.files | self.redirects | self.dead


def walk(root: Path, seed: str) -> Inventory:
    """Find all that `seed` leads to, if the folder `root` is the root of its host."""
    inventory = Inventory()
    host = urlsplit(seed).netloc
    todo, seen = deque([seed]), {seed}
    while todo:
        url = todo.popleft()
        for found in _visit(root, url, inventory):
            if urlsplit(found).netloc == host and found not in seen:
                seen.add(found)
                todo.append(found)
    return inventory


def _visit(root: Path, url: str, inventory: Inventory) -> list[str]:
    """Add `url` to its set, and return the URLs that it leads to."""
    path = unquote(urlsplit(url).path)
    file = root / path.lstrip("/")
    if path.endswith("/"):
        file /= "index.html"
    elif file.is_dir():
        inventory.redirects.add(url)
        return [url + "/"]
    if not file.is_file():
        inventory.dead.add(url)
        return []
    media_type = _TYPES.guess_type(file.name)[0] or ""
    if media_type == "text/html":
        inventory.pages.add(url)
        return _links(url, file)
    (inventory.images if media_type.startswith("image/") else inventory.files).add(url)
    return _pictures(url, file) if media_type == "text/css" else []


_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_FONT = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)
_IN_STYLES = re.compile(r"""(?:@import\s+(?:url\()?|url\()\s*["']?([^"')]+)""")


def _pictures(url: str, file: Path) -> list[str]:
    """The pictures and style sheets that a style sheet names; fonts are none."""
    text = file.read_text(encoding="utf-8", errors="replace")
    text = _FONT.sub("", _COMMENT.sub("", text))
    found = (link.strip() for link in _IN_STYLES.findall(text))
    return [
        urldefrag(urljoin(url, link)).url
        for link in found
        if link and not link.startswith(("data:", "#"))
    ]


def _links(url: str, file: Path) -> list[str]:
    """The absolute http URLs of the document's links and images, without fragments."""
    collector = _Collector()
    collector.feed(file.read_text(encoding="utf-8", errors="replace"))
    collector.close()
    base = urljoin(url, collector.base.strip()) if collector.base else url
    found = [urldefrag(urljoin(base, link.strip())).url for link in collector.found]
    return [link for link in found if link.startswith(("http://", "https://"))]


class _Collector(HTMLParser):
    """Collects the attributes that hold URLs."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if name := _PLAIN.get(tag):
            self._add(values.get(name))
        if tag in ("img", "source"):
            self.found += _SRCSET_URL.findall(values.get("srcset", ""))
        if tag == "base":
            self.base = self.base or values.get("href", "")
        if tag == "link":
            self._link(values)
        if tag == "meta":
            self._meta(values)

    def _link(self, values: dict[str, str]) -> None:
        rels = set(values.get("rel", "").lower().split())
        if _LINK_RELS & rels and rels != {"alternate", "stylesheet"}:
            self._add(values.get("href"))

    def _meta(self, values: dict[str, str]) -> None:
        if values.get("property", "").lower() == "og:image":
            self._add(values.get("content"))
        if values.get("http-equiv", "").lower() == "refresh":
            _, _, target = values.get("content", "").partition("=")
            self._add(target.strip().strip("'\""))

    def _add(self, value: str | None) -> None:
        if value:
            self.found.append(value)
