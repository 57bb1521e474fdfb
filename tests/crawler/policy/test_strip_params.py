"""Tracking parameters are stripped, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler.inspect.explain import explain
from crawler.inspect.state import open_state
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.model.policy_config import ScopeConfig
from crawler.policy.strip_params import ParamStripper
from tests.helpers.crawling import config, crawl, endings, link, page, serve

__all__ = ["serve"]

DEFAULT = Config().scope.strip_params


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("", ""),
        ("?a=1", "?a=1"),
        ("?utm_source=x", ""),
        ("?utm_source=x&a=1&utm_medium=y", "?a=1"),
        ("?a=1&fbclid=z&b", "?a=1&b"),
        ("?gclid", ""),
        ("?gclids=1&my_utm_x=2&a=utm_b", "?gclids=1&my_utm_x=2&a=utm_b"),
        ("?", "?"),
        ("?&&", "?&&"),
    ],
)
def test_what_is_taken_off(query: str, left: str) -> None:
    assert (
        ParamStripper(DEFAULT).stripped(f"http://a.example/p{query}")
        == f"http://a.example/p{left}"
    )


def test_none_and_wrong_names() -> None:
    assert (
        ParamStripper(()).stripped("http://a.example/?utm_a=1")
        == "http://a.example/?utm_a=1"
    )
    assert (
        ParamStripper(("s.d*",))
        .stripped("http://a.example/?sxd=1&s.dx=2")
        .endswith("/?sxd=1")
    )
    for wrong in ("", "*", "a=b", "a*b", "a b"):
        with pytest.raises(UsageError, match="strip_params"):
            ParamStripper((wrong,))


def test_links_lose_them_and_explain_knows(serve: Any, tmp_path: Path) -> None:
    site = serve(
        index=page(link("/a?utm_source=x", "/a?sid=1&b=2", "/a?sid=2&b=2")), a=page()
    )
    start = config(site, tmp_path, scope=ScopeConfig(strip_params=("utm_*", "sid")))
    crawl(start)
    assert endings(tmp_path, site) == {"/": "page", "/a": "page", "/a?b=2": "page"}
    with open_state(tmp_path) as (state, _):
        found = explain(state, start, site.url("/a?sid=77&b=2"), 0.0)
    assert (found.url, found.answer) == (site.url("/a?b=2"), "fetched: page")
