"""A crawl without memory: an exit code of its own, and an exact resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler.engine.builder import open_crawl
from crawler.fetch.client import Client
from crawler.frontier.memory import MemoryStore
from crawler.model.errors import OutOfMemoryError, ReadTimeout
from crawler.model.http import Request, Response
from crawler.model.http_config import HttpConfig
from crawler.policy.poison_url import MAX_DEATHS
from tests.helpers.crawling import config, crawl, endings, link, page, records
from tests.helpers.limited_memory import ABORTED, crawl_whole, faults, heavy_site


def test_a_crawl_within_any_limit_is_exact_or_says_why(tmp_path: Path) -> None:
    """At 14 MB too few modules do not load; at 7 MB the first page cannot be read."""
    with heavy_site() as site:
        whole = crawl_whole(site, tmp_path / "whole")
        assert faults(site, tmp_path, whole, whole.peak_kib + 16 * 1024) == (0, [])
        codes = []
        for missing in (14, 7, 5, 3):
            limit = whole.peak_kib - missing * 1024
            code, found = faults(site, tmp_path, whole, limit)
            assert found == []
            codes.append(code)
        assert codes[0] == 71
        assert set(codes) <= {0, 71, ABORTED}


class Starving:
    """A client that fails as one does that gets no memory, for URLs with `word`."""

    def __init__(self, word: str) -> None:
        self._word = word
        self._client = Client(HttpConfig(timeout=5.0), named_hosts={"127.0.0.1"})
        self.close = self._client.close
        self.close_idle = self._client.close_idle
        self.on_exchange = self._client.on_exchange

    def fetch(self, request: Request) -> Response:
        if self._word in request.url:
            raise ReadTimeout("no byte came") from MemoryError()
        return self._client.fetch(request)


@pytest.mark.parametrize("word", ["/b", "robots.txt"])
def test_what_fails_for_want_of_memory_is_no_failure_of_the_url(
    serve: Any, tmp_path: Path, word: str
) -> None:
    site = serve(index=page(link("/a", "/b")), a=page(), b=page())
    asked = config(site, tmp_path)
    starved: Any = Starving(word)
    with pytest.raises(OutOfMemoryError, match="orbweb resume"):
        open_crawl(asked, mode="new", client=starved).run()
    assert [one for one in records(tmp_path) if one["type"] == "error"] == []
    crawl(asked, "resume")
    assert endings(tmp_path, site) == {"/": "page", "/a": "page", "/b": "page"}


class StarvingExtractor:
    """An extractor that gets no memory."""

    def extract(self, *_args: object, **_options: object) -> Any:
        raise MemoryError


def test_a_body_that_always_takes_too_much_memory_ends_as_an_error(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(index=page())
    asked = config(site, tmp_path)
    for number in range(MAX_DEATHS):
        mode: Any = "resume" if number else "new"
        with pytest.raises(OutOfMemoryError):
            open_crawl(asked, mode=mode, extractor=StarvingExtractor()).run()
    crawl(asked, "resume")
    assert endings(tmp_path, site) == {"/": "error"}


def test_a_store_without_memory_stops_the_crawl(serve: Any, tmp_path: Path) -> None:
    class Full(MemoryStore):
        def commit(self) -> None:
            if self.counts()["page"]:
                raise MemoryError
            super().commit()

    site = serve(index=page())
    with pytest.raises(OutOfMemoryError):
        open_crawl(config(site, tmp_path), mode="new", store=Full()).run()
