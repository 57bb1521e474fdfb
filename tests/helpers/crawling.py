"""Whole crawls of small sites: pages to serve, a crawl to run, its records to read."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from crawler.engine.builder import Summary, open_crawl
from crawler.model.config import Config
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import PolitenessConfig, RetryConfig
from tests.site.page import reply
from tests.site.server import Handler, Site

HASTY = PolitenessConfig(per_host=8, wait=0.0, host_backoff=0.01)


TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}


def png(width: int = 3, height: int = 2, colour: str = "red") -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


def page(*body: str) -> Handler:
    return reply("<!doctype html><title>A page</title>" + "".join(body))


def link(*paths: str) -> str:
    return "".join(f'<a href="{path}">x</a>' for path in paths)


def picture(*paths: str) -> str:
    return "".join(f'<img src="{path}" alt="a picture">' for path in paths)


@pytest.fixture
def serve() -> Iterator[Any]:
    sites: list[Site] = []

    def start(robots: Handler | None = None, **pages: Handler) -> Site:
        named = {"": pages.pop("index", reply(status=404)), **pages}
        sites.append(Site(named if robots is None else {**named, "robots.txt": robots}))
        return sites[-1]

    yield start
    for site in sites:
        site.stop()


def config(site: Site, folder: Path, path: str = "/", **changes: Any) -> Config:
    defaults: dict[str, Any] = {
        "seeds": (site.url(path),),
        "dir": str(folder),
        "politeness": HASTY,
        "retry": RetryConfig(tries=2, backoff=0.01),
        "http": HttpConfig(timeout=5.0),
        "concurrency": 8,
    }
    return Config(**(defaults | changes))


def crawl(config: Config, mode: Any = "new") -> Summary:
    return open_crawl(config, mode=mode).run()


def records(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (folder / "records.jsonl").read_bytes().splitlines()
    ]


def endings(folder: Path, site: Site) -> dict[str, str]:
    """The terminal record type of each path; every URL must have exactly one."""
    found = [
        (record["url"].removeprefix(site.base), record["type"])
        for record in records(folder)
        if record["type"] in TERMINAL
    ]
    twice = [path for path, n in Counter(path for path, _ in found).items() if n > 1]
    assert twice == []
    return dict(found)


def of(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [record for record in records(folder) if record["type"] == kind]
