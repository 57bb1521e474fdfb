"""Microseconds per page of each stage of extraction, on real sites, beside two parser libraries.

    python -m tests.benchmarks.extract [FOLDER...]

Without a folder: the sites of Debian's postgresql-doc-15, gimp-help-en, cppreference-doc-en-html
and python3-doc, as far as they are installed. The best of five rounds in turn.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from crawler.extract.charset import decide, decode
from crawler.extract.html import read_page
from crawler.extract.tags import start_tags

SITES = (
    "/usr/share/doc/postgresql-doc-15/html",
    "/usr/share/gimp/2.0/help/en",
    "/usr/share/cppreference/doc/html/en",
    "/usr/share/doc/python3.11/html",
)
TAGS = ("a", "area", "base", "title", "meta", "link", "img", "source", "iframe", "frame", "video")
ROUNDS = 5


def sample(folder: Path, pages: int = 200) -> list[tuple[str, bytes]]:
    """Pages of a folder, always the same, with URLs as a server on loopback would give them."""
    files = sorted(folder.rglob("*.html"))
    random.Random(1).shuffle(files)
    chosen = islice(files, pages)
    return [
        (f"http://127.0.0.1:8080/{file.relative_to(folder)}", file.read_bytes()) for file in chosen
    ]


def with_lexbor(url: str, body: bytes) -> None:
    for node in LexborHTMLParser(body).css(",".join(TAGS)):
        _ = node.attributes


def with_lxml(url: str, body: bytes) -> None:
    parser = etree.HTMLParser(collect_ids=False, huge_tree=True)
    for element in etree.fromstring(body, parser).iter(*TAGS):
        element.get("href")


STAGES: dict[str, Callable[[str, bytes], Any]] = {
    "decide the charset": lambda url, body: decide(body, None),
    "decode": lambda url, body: decode(body, None, 2**24),
    "... and find the tags": lambda url, body: list(start_tags(decode(body, None, 2**24).text)),
    "read the page, all of it": lambda url, body: read_page(
        decode(body, None, 2**24).text, url, "utf-8", "text/html", 50_000
    ),
    "... with the links' texts": lambda url, body: read_page(
        decode(body, None, 2**24).text, url, "utf-8", "text/html", 50_000, with_text=True
    ),
    "Lexbor: tree, tags, attributes": with_lexbor,
    "lxml: tree, tags, one attribute": with_lxml,
}


def measure(pages: list[tuple[str, bytes]]) -> dict[str, float]:
    best = dict.fromkeys(STAGES, float("inf"))
    for _ in range(ROUNDS):
        for name, stage in STAGES.items():
            started = time.process_time()
            for url, body in pages:
                stage(url, body)
            best[name] = min(best[name], time.process_time() - started)
    return {name: seconds / len(pages) * 1e6 for name, seconds in best.items()}


def main(folders: Iterable[str]) -> None:
    for folder in map(Path, folders):
        pages = sample(folder)
        if not pages:
            print(f"{folder}: no pages there, left out")
            continue
        size = sum(len(body) for _, body in pages) // len(pages)
        print(f"{folder}: {len(pages)} pages, {size} bytes each")
        for name, microseconds in measure(pages).items():
            print(f"  {name:34}{microseconds:8.0f} us")


if __name__ == "__main__":
    main(sys.argv[1:] or SITES)
