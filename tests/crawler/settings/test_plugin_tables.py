"""`[[plugin]]` tables of a file: read, written again, and wrong in their own line."""

from __future__ import annotations

import jsonschema
import pytest

from crawler.model.config import Config, PluginConfig, from_json, to_json
from crawler.model.errors import UsageError
from crawler.settings.help_texts import json_schema, show
from crawler.settings.load import from_environ, from_flag, load

USE = "tests.helpers.plugins"
TEXT = f"""
[[plugin]]
use = "{USE}:FirstHeading"
tag = "h2"

[[plugin]]
use = "{USE}:Needy"
limit = 3
"""
LOADED = (
    PluginConfig(f"{USE}:FirstHeading", {"tag": "h2"}),
    PluginConfig(f"{USE}:Needy", {"limit": 3}),
)


def only(text: str) -> Config:
    (job,) = load(("crawl.toml", text), {}, []).jobs
    return job.config


def test_options_stand_beside_use() -> None:
    config = only(TEXT)
    assert config.plugin == LOADED
    assert from_json(to_json(config)).plugin == LOADED


def test_shown_they_are_a_configuration() -> None:
    (job,) = load(("crawl.toml", TEXT), {}, []).jobs
    assert only(show(job)).plugin == LOADED
    validator = jsonschema.Draft202012Validator(json_schema())
    assert not list(validator.iter_errors({"plugin": [{"use": "a:b", "x": 1}]}))
    assert list(validator.iter_errors({"plugin": [{"x": 1}]}))


def test_a_flag_adds_and_the_environment_replaces() -> None:
    flag = from_flag(("plugin",), [f"{USE}:instance"], "--plugin", adds=True)
    (job,) = load(("crawl.toml", TEXT), {}, [flag]).jobs
    assert job.config.plugin == (*LOADED, PluginConfig(f"{USE}:instance"))
    (setting,) = from_environ({"ORBWEB_PLUGIN": f"{USE}:instance"})
    assert setting.value == (PluginConfig(f"{USE}:instance"),)


def test_a_job_may_have_its_own() -> None:
    (job,) = load(
        ("f", f'[[job]]\n[[job.plugin]]\nuse = "{USE}:instance"\n'), {}, []
    ).jobs
    assert job.config.plugin == (PluginConfig(f"{USE}:instance"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("limit", "limt"), "crawl.toml:8: plug-in 'tests.helpers.plugins:"
         "Needy' has no option 'limt'; did you mean 'limit'?"),
        (TEXT.replace("limit = 3", ""), "crawl.toml:6: plug-in 'tests.helpers.plugins:"
         "Needy' needs the option 'limit'"),
        ("[[plugin]]\nuse = 'a.b.c:D'", "crawl.toml:1: plug-in 'a.b.c:D' can't be"),
        ("[[plugin]]\ntag = 'h2'", 'crawl.toml:1: a plug-in is named: write use ='),
        ("plugin = 3", "crawl.toml:1: a plug-in is a table: write [[plugin]]"),
        (TEXT.replace('"h2"', "2001-01-01"), "crawl.toml:4: tag: write a date or"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(("crawl.toml", text), {}, [])
    assert message in str(caught.value)
