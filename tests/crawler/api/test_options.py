"""Keyword arguments are settings: each key has one, and mistakes are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler.api.options import CrawlOptions, configure, keyword_paths
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import LimitsConfig
from crawler.settings.fields import keys

OTHER = {("seeds",), ("name",), ("plugin",), ("scope", "rules")}


def configured(*urls: str, **options: Any) -> Config:
    return configure("crawl", None, urls, options)


def test_every_key_has_one_keyword_and_a_type() -> None:
    paths = keyword_paths()
    assert len(paths) == len(set(paths.values()))
    assert {*paths.values(), *OTHER} == set(keys())
    assert {*paths, "include", "exclude"} == set(CrawlOptions.__annotations__)


def test_values_are_those_of_the_file() -> None:
    config = configured("a.test", dir=Path("out"), max_time="2h", wait=1, max_pages=3)
    assert config.seeds == ("https://a.test/",)
    assert (config.dir, config.limits.max_time) == ("out", 7200.0)
    assert (config.politeness.wait, config.limits.max_pages) == (1.0, 3)
    config = configured("a.test", robots=False, images=False, optional_fields=["links"])
    assert config.dir == "a.test"
    assert (config.robots.obey, config.images.fetch) == (False, False)
    assert config.records.include == ("links",)


def test_rules_keep_the_order_of_the_call() -> None:
    config = configured("a.test", exclude=["a{1,2}", "b"], include="c,d")
    assert config.scope.rules == ("-a{1,2}", "-b", "+c,d")


def test_options_change_a_ready_configuration() -> None:
    base = Config(
        seeds=("https://a.test/",),
        http=HttpConfig(timeout=5.0, max_header=1000),
        limits=LimitsConfig(max_pages=7),
    )
    changed = configure("crawl", base, ["https://b.test/"], {"timeout": 9})
    assert changed.seeds == ("https://a.test/", "https://b.test/")
    assert changed.http == HttpConfig(timeout=9.0, max_header=1000)
    assert changed.limits.max_pages == 7
    assert configure("crawl", base, (), {"max_pages": None}).limits.max_pages is None


def test_an_unknown_keyword_is_a_type_error_with_a_suggestion() -> None:
    with pytest.raises(TypeError, match=r"fetch.. got an unexpected .* 'max_pages'"):
        configure("fetch", None, ["a.test"], {"max_page": 1})
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'nonsense'$"):
        configured("a.test", nonsense=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_pages": 0}, "max_pages: expected a whole number >= 1"),
        ({"timeout": "soon"}, "timeout: 'soon' is not"),
        ({"scope": "hots"}, "scope: 'hots' is not one of host"),
        ({"exclude": "("}, "exclude: "),
        ({"robots": "maybe"}, "robots: expected true or false"),
    ],
)
def test_a_wrong_value_is_told_by_its_keyword(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        configured("a.test", **options)
    assert message in str(caught.value)
