"""The part of the lean peers that is not the network.

"Lean" means that nothing is done beyond the task: one XPath for each kind of link,
duplicates removed before the (expensive) join, no robots.txt, no retries, no state on
disk.
"""

import json
import sys
from collections import deque
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from lxml import etree

_LINKS = etree.XPath("//a/@href", smart_strings=False)
_IMAGES = etree.XPath("//img/@src", smart_strings=False)
_TITLE = etree.XPath("string(//title)", smart_strings=False)


class LeanCrawl:
    """The queue of a crawl, and what becomes of each response.

    `todo` holds absolute URLs.
    """

    def __init__(self, seed: str, folder: Path) -> None:
        parts = urlsplit(seed)
        self.host = parts.hostname or ""
        self.port = parts.port or 80
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.todo = deque([seed])
        self._seen = {seed}
        self._images = folder / "images"
        self._images.mkdir(parents=True)
        self._pages = (folder / "pages.jsonl").open("w")
        self._parser = etree.HTMLParser(collect_ids=False)

    @classmethod
    def from_arguments(cls) -> "LeanCrawl":
        seed, folder = sys.argv[1:]
        return cls(seed, Path(folder))

    def request(self, url: str) -> bytes:
        """The bytes of a GET of `url`."""
        target = url.removeprefix(self.origin) or "/"
        return (
            f"GET {target} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            "User-Agent: lean\r\nAccept: */*\r\n\r\n"
        ).encode()

    def take(self, url: str, status: int, content_type: str, body: bytes) -> None:
        """Store one response; new URLs in it go to `todo`."""
        if status != 200:
            self._write({"url": url, "status": status})
        elif content_type.startswith("text/html"):
            self._page(url, body)
        elif content_type.startswith("image/"):
            (self._images / url.rpartition("/")[2]).write_bytes(body)

    def close(self) -> None:
        self._pages.close()

    def _page(self, url: str, body: bytes) -> None:
        tree = etree.fromstring(body, self._parser)
        links = {link.partition("#")[0] for link in _LINKS(tree)}
        images = set(_IMAGES(tree))
        for link in links | images:
            found = urljoin(url, link)
            if found not in self._seen and found.startswith(self.origin):
                self._seen.add(found)
                self.todo.append(found)
        self._write(
            {
                "url": url,
                "title": _TITLE(tree),
                "links": len(links),
                "images": len(images),
            }
        )

    def _write(self, record: dict[str, object]) -> None:
        self._pages.write(json.dumps(record) + "\n")
