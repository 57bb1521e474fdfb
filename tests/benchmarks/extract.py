"""Microseconds per page of each stage of extraction, on real sites.

    python -m tests.benchmarks.extract [FOLDER...]

Without a folder: the sites of Debian's postgresql-doc-15, gimp-help-en,
cppreference-doc-en-html and python3-doc, as far as they are installed, and the images
of gimp-help. It prints the best CPU time of five rounds, beside two parser libraries.

"Lean lxml" does what the peers of the crawl benchmark do: a tree, two XPaths,
duplicates removed, links joined. Lexbor's line has no joining.
"""

from __future__ import annotations

import io
import random
import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

from lxml import etree
from PIL import Image
from selectolax.lexbor import LexborHTMLParser

from crawler.extract.charset import markup, sniff_encoding
from crawler.extract.extractor import extract
from crawler.extract.html.tags import start_tags
from crawler.extract.images.formats import read_header
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig

SITES = (
    "/usr/share/doc/postgresql-doc-15/html",
    "/usr/share/gimp/2.0/help/en",
    "/usr/share/cppreference/doc/html/en",
    "/usr/share/doc/python3.11/html",
)
IMAGES = "/usr/share/doc/gimp-help-en/html/en/images"
TAGS = (
    "a",
    "area",
    "base",
    "title",
    "meta",
    "link",
    "img",
    "source",
    "iframe",
    "frame",
    "video",
)
ROUNDS = 5


def sample(folder: Path, pattern: str, pages: int = 200) -> list[tuple[str, bytes]]:
    """The same files of a folder each time, with URLs of a server on loopback."""
    files = sorted(folder.rglob(pattern))
    random.Random(1).shuffle(files)
    chosen = islice(files, pages)
    return [
        (f"http://127.0.0.1:8080/{file.relative_to(folder)}", file.read_bytes())
        for file in chosen
    ]


def with_lexbor(url: str, body: bytes) -> None:
    for node in LexborHTMLParser(body).css(",".join(TAGS)):
        _ = node.attributes


def with_lxml(url: str, body: bytes) -> None:
    parser = etree.HTMLParser(collect_ids=False, huge_tree=True)
    tree = etree.fromstring(body, parser)
    for path in ("//a/@href", "//img/@src"):
        for href in set(tree.xpath(path, smart_strings=False)):
            urldefrag(urljoin(url, href))


def whole(url: str, body: bytes, **options: Any) -> None:
    response = Response(
        url, 200, "OK", "1.1", (("content-type", "text/html"),), body, len(body),
        Timings(1), remote_ip=None, reused_connection=True,
    )  # fmt: skip
    extract(response, "page", LimitsConfig(), **options)


STAGES: dict[str, Callable[[str, bytes], Any]] = {
    "sniff the encoding": lambda url, body: sniff_encoding(body, None),
    "... and find the tags": lambda url, body: list(
        start_tags(markup(body, None, 2**24).text)
    ),
    "extract, all of it": whole,
    "extract with the links' texts": lambda url, body: whole(url, body, with_text=True),
    "Lexbor: tree, tags, attributes": with_lexbor,
    "Lean lxml": with_lxml,
}


def with_pillow(url: str, body: bytes) -> None:
    with Image.open(io.BytesIO(body), formats=["PNG"]) as image:
        image.verify()


IMAGE_STAGES: dict[str, Callable[[str, bytes], Any]] = {
    "read an image": lambda url, body: read_header(body, "image/png"),
    "Pillow: open, verify": with_pillow,
}


def measure(
    stages: dict[str, Callable[[str, bytes], Any]], pages: list[tuple[str, bytes]]
) -> dict[str, float]:
    """Microseconds per page of each stage."""
    best = dict.fromkeys(stages, float("inf"))
    for _ in range(ROUNDS):
        for name, stage in stages.items():
            started = time.process_time()
            for url, body in pages:
                stage(url, body)
            best[name] = min(best[name], time.process_time() - started)
    return {name: seconds / len(pages) * 1e6 for name, seconds in best.items()}


def report(
    folder: Path, pattern: str, stages: dict[str, Callable[[str, bytes], Any]]
) -> None:
    pages = sample(folder, pattern)
    if not pages:
        print(f"{folder}: no {pattern} there, left out")
        return
    size = sum(len(body) for _, body in pages) // len(pages)
    print(f"{folder}: {len(pages)} of {pattern}, {size} bytes each")
    for name, microseconds in measure(stages, pages).items():
        print(f"  {name:34}{microseconds:8.0f} us")


def main(folders: Iterable[str]) -> None:
    for folder in map(Path, folders):
        report(folder, "*.html", STAGES)
    report(Path(IMAGES), "*.png", IMAGE_STAGES)


if __name__ == "__main__":
    main(sys.argv[1:] or SITES)
