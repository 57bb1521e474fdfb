"""Scrapy as in its manual: LinkExtractor, FilesPipeline, a JSON Lines feed."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors import LinkExtractor

from tests.benchmarks.peers import CONCURRENCY


class SiteSpider(scrapy.Spider):
    name = "site"

    def __init__(self, seed: str) -> None:
        super().__init__()
        self.start_urls = [seed]
        # Not allow_domains: that compares names without ports, and this site is on a
        # port.
        here = "^" + re.escape("{0.scheme}://{0.netloc}/".format(urlsplit(seed)))
        self.links = LinkExtractor(allow=here, tags=("a",), attrs=("href",))
        self.images = LinkExtractor(
            allow=here, tags=("img",), attrs=("src",), deny_extensions=()
        )

    def parse(self, response: Response) -> Iterator[Any]:
        if not isinstance(response, HtmlResponse):
            return
        links = self.links.extract_links(response)
        images = self.images.extract_links(response)
        yield {
            "url": response.url,
            "title": response.css("title::text").get(),
            "links": len(links),
            "file_urls": [image.url for image in images],
        }
        for link in links:
            yield scrapy.Request(link.url)


def main() -> None:
    seed, folder = sys.argv[1:]
    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": CONCURRENCY,
            "CONCURRENT_REQUESTS_PER_DOMAIN": CONCURRENCY,
            "DOWNLOAD_DELAY": 0,
            "ROBOTSTXT_OBEY": True,
            "ITEM_PIPELINES": {"scrapy.pipelines.files.FilesPipeline": 1},
            "FILES_STORE": str(Path(folder) / "images"),
            "FEEDS": {str(Path(folder) / "pages.jsonl"): {"format": "jsonlines"}},
            "TELNETCONSOLE_ENABLED": False,
            "LOG_LEVEL": "INFO",
        }
    )
    process.crawl(SiteSpider, seed=seed)
    process.start()


if __name__ == "__main__":
    main()
