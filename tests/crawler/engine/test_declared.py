"""What a page declares is in its record, in a crawl and after a 304."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from crawler.model.content_config import OutputConfig
from crawler.model.documents import Declared
from tests.helpers.crawling import config, crawl, records, serve
from tests.site.server import Exchange, Site

__all__ = ["serve"]

PRODUCT = {"@type": "Product", "name": "Lamp", "offers": [{"price": 9.5}]}
PAGE = """
    <html lang=en><title>Lamp</title>
    <meta property=og:type content=product><meta property=og:site_name content=Shop>
    <meta name=author content="Jane Doe">
    <meta property=article:published_time content="2026-11-30 08:15 +0100">
    <meta property=article:modified_time content=2026-12-01>
    <link rel=alternate type=application/rss+xml href=/feed>
    <link rel=amphtml href=/amp><link rel=alternate hreflang=de href=/de>
    <script type=application/ld+json>
    {"@type": "Product", "name": "Lamp", "offers": [{"price": 9.5}]}</script>
    <ol itemscope itemtype=https://schema.org/BreadcrumbList>
    <li itemprop=itemListElement><span itemprop=name>Home</span></ol>
"""
FACTS = {
    "og_type": "product",
    "og_site_name": "Shop",
    "author": "Jane Doe",
    "published": "2026-11-30T08:15+01:00",
    "modified": "2026-12-01",
    "jsonld_types": ["Product"],
    "breadcrumbs": ["Home"],
}


def versioned(exchange: Exchange) -> None:
    headers = (("ETag", '"1"'), ("Link", "</fr>; rel=alternate; hreflang=fr"))
    if exchange.hit.headers.get("if-none-match") == '"1"':
        exchange.reply(status=304, headers=headers)
    else:
        exchange.reply(PAGE, "text/html", headers=headers)


def facts_of(site: Site) -> dict[str, Any]:
    return {
        **FACTS,
        "feeds": [f"{site.base}/feed"],
        "amp_url": f"{site.base}/amp",
        "alternates": [
            {"hreflang": "fr", "url": f"{site.base}/fr"},
            {"hreflang": "de", "url": f"{site.base}/de"},
        ],
    }


def pages(site: Site, folder: Path) -> list[dict[str, Any]]:
    return [
        one
        for one in records(folder)
        if one["type"] == "page" and one["url"] == f"{site.base}/"
    ]


def declared(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in Declared.__struct_fields__}


def test_the_record_has_what_the_page_declares(serve: Any, tmp_path: Path) -> None:
    site = serve(index=versioned)
    settings = config(site, tmp_path, records=OutputConfig(include=("links",)))
    crawl(settings)
    crawl(settings, "newer")
    first, again = pages(site, tmp_path)
    assert declared(first) == {**facts_of(site), "jsonld": None}
    assert again["from_cache"] == "not_modified"
    assert declared(again) == declared(first)
    languages = {one["url"]: one["hreflang"] for one in first["links"]}
    assert languages == {
        f"{site.base}/fr": "fr",
        f"{site.base}/feed": None,
        f"{site.base}/de": "de",
    }


def test_json_ld_as_written_if_it_is_wanted(serve: Any, tmp_path: Path) -> None:
    site = serve(index=versioned)
    without = config(site, tmp_path)
    wanted = replace(without, records=OutputConfig(include=("jsonld",)))
    crawl(without)
    for _ in range(2):
        crawl(wanted, "newer")
    first, whole, again = pages(site, tmp_path)
    assert [first["jsonld"], whole["jsonld"]] == [None, [PRODUCT]]
    assert whole["from_cache"] == "miss"  # the first answer was stored without it
    assert again["from_cache"] == "not_modified"
    assert declared(again) == declared(whole)


def test_fetch_shows_it(serve: Any, tmp_path: Path) -> None:
    site = serve(index=versioned)
    shown = subprocess.run(
        [sys.executable, "-m", "crawler", "fetch", f"{site.base}/"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = dict(line.strip().split("  ", 1) for line in shown.splitlines()
                if "  " in line.strip())  # fmt: skip
    told = {name: text.strip() for name, text in rows.items()}
    assert told["published"] == "2026-11-30T08:15+01:00"
    assert told["og:site_name"] == "Shop"
    assert told["json-ld"] == "Product"
    assert told["languages"] == "fr, de"
    assert told["feeds"] == f"{site.base}/feed"
