"""Whole real sites: a crawl's records against the files and the server's log."""

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from crawler.inspect.audit.audit import audit
from crawler.inspect.audit.findings import Section
from crawler.inspect.links import Chosen, list_links
from crawler.inspect.state import open_state
from tests.helpers import nginx
from tests.helpers.link_walk import (
    WalkedLink,
    file_of,
    is_dead,
    walk_pages,
)
from tests.helpers.paths import PROGRAM
from tests.helpers.sites import SITES, Site
from tests.helpers.walk import Inventory, walk

TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}


@dataclass(frozen=True)
class Crawled:
    """One finished crawl, the files of the site, and the server's log."""

    site: Site
    folder: Path
    origin: str
    inventory: Inventory
    hits: list[nginx.Hit]
    records: list[dict[str, Any]]

    def urls(self, kind: str) -> Counter[str]:
        """The URLs on this host in records of that type."""
        urls = (record["url"] for record in self.records if record["type"] == kind)
        return Counter(url for url in urls if url.startswith(self.origin))


@pytest.fixture(scope="module", params=["postgres", "gimp", "python"])
def crawled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Crawled:
    site = SITES[request.param]
    if reason := nginx.missing() or site.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp(site.name) / "crawl"
    with nginx.serve(site.root) as server:
        seed = server.url + site.index
        options = ["-d", str(folder), "-w", "0", "-c", "16", "--per-host", "16"]
        options += ["--srcset", "all"]  # as the walk over the files has them
        subprocess.run(
            [*PROGRAM, "crawl", seed, *options],
            check=True,
            timeout=500,
            stdin=subprocess.DEVNULL,
        )
    return Crawled(
        site=site,
        folder=folder,
        origin=server.url,
        inventory=walk(site.root, seed),
        hits=server.hits,
        records=[
            json.loads(line)
            for line in (folder / "records.jsonl").read_text().splitlines()
        ],
    )


def test_every_page_is_recorded_once(crawled: Crawled) -> None:
    assert crawled.urls("page") == Counter(crawled.inventory.pages)


def test_every_image_is_recorded_once(crawled: Crawled) -> None:
    assert crawled.urls("image") == Counter(crawled.inventory.images)


def test_every_other_url_has_one_record_too(crawled: Crawled) -> None:
    assert crawled.urls("file") == Counter(crawled.inventory.files)
    assert crawled.urls("redirect") == Counter(crawled.inventory.redirects)
    assert crawled.urls("error") == Counter(crawled.inventory.dead)


def test_each_url_is_requested_once(crawled: Crawled) -> None:
    requested = Counter(
        crawled.origin + hit.target.removeprefix("/") for hit in crawled.hits
    )
    assert requested == Counter(crawled.inventory.everything())


def test_each_image_is_on_disk_byte_for_byte(crawled: Crawled) -> None:
    for record in crawled.records:
        if record["type"] == "image":
            original = crawled.site.root / unquote(urlsplit(record["url"]).path).lstrip(
                "/"
            )
            assert (
                crawled.folder / record["path"]
            ).read_bytes() == original.read_bytes()


def test_its_links_are_those_of_the_files(crawled: Crawled) -> None:
    """Every link of every page, and which are broken, with their texts."""
    root, origin = crawled.site.root, crawled.origin
    pages = frozenset(crawled.inventory.pages)
    with open_state(crawled.folder) as (state, _config):
        lines = [
            line for line in list_links(state, Chosen()) if line.source_url in pages
        ]
    found = Counter(
        WalkedLink(one.source_url, one.target_url, one.text) for one in lines
    )
    walked = Counter(
        link for page in walk_pages(root, pages).values() for link in page.links
    )
    assert found == walked
    assert {
        WalkedLink(one.source_url, one.target_url, one.text)
        for one in lines
        if one.broken
    } == {link for link in walked if is_dead(root, origin, link.target)}


def test_its_audit_is_that_of_the_files(crawled: Crawled) -> None:
    root, pages = crawled.site.root, frozenset(crawled.inventory.pages)
    with open_state(crawled.folder) as (state, _config):
        found = {one.name: one for one in audit(state, len(pages)).sections}
    walked = walk_pages(root, pages)
    listed = {page for page in pages if walked[page].canonical in ("", page)}
    assert_texts(
        found["missing_titles"],
        found["duplicate_titles"],
        {page: walked[page].title for page in listed},
    )
    assert_texts(
        found["missing_descriptions"],
        found["duplicate_descriptions"],
        {page: walked[page].description for page in listed},
    )
    sizes = {page: file_of(root, page).stat().st_size for page in pages}
    largest = [sizes[one.url] for one in found["largest_pages"].findings]
    assert largest == sorted(sizes.values(), reverse=True)
    dead = Counter(
        target
        for one in walked.values()
        for target in {link.target for link in one.links}
        if is_dead(root, crawled.origin, target)
    )
    broken = {one.url: one.count for one in found["broken_links"].findings}
    assert {url: n for url, n in broken.items() if url in dead} == dead
    assert set(broken) == crawled.inventory.dead  # some are named by style sheets
    for name in ("redirect_loops", "mixed_content", "orphan_pages", "not_in_sitemap"):
        assert found[name].count == 0


def assert_texts(
    missing: Section, duplicate: Section, texts: Mapping[str, str]
) -> None:
    """The two sections are about `texts`, by page."""
    assert {one.url for one in missing.findings} == {
        page for page, text in texts.items() if not text
    }
    same = Counter(text for text in texts.values() if text)
    assert {one.detail: one.count for one in duplicate.findings} == {
        text: number - 1 for text, number in same.items() if number > 1
    }


def test_no_image_is_on_disk_twice(crawled: Crawled) -> None:
    files = [path for path in (crawled.folder / "images").rglob("*") if path.is_file()]
    kept = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    assert set(kept.values()) <= {1}
    named = {record["path"] for record in crawled.records if record["type"] == "image"}
    assert {str(path.relative_to(crawled.folder)) for path in files} == named
