"""A field has one type in a crawl: said with the settings, before anything is begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.model.config import Config
from crawler.model.content_config import FieldConfig, SiteConfig
from crawler.model.errors import UsageError
from crawler.settings.load import load
from crawler.settings.resumed import load_resumed

TWO_TYPES = """
seeds = ["http://a.test/"]
dir = "{dir}"
[fields]
x = {{ select = "css:b", type = "int" }}
[[site]]
match = "/p/"
fields.x = "css:i"
"""


def config(folder: Path, x: str, **more: Any) -> Config:
    fields = {"x": FieldConfig("css:b", type=x)}  # type: ignore[arg-type]
    return Config(seeds=("http://a.test/",), dir=str(folder), fields=fields, **more)


def test_two_types_are_refused_before_a_crawl_begins(tmp_path: Path) -> None:
    sentence = r"^field 'x' is int in \[fields\] and str in \[\[site\]\] 1; give it one"
    folder = tmp_path / "crawl"
    with pytest.raises(UsageError, match=sentence):
        load(("c.toml", TWO_TYPES.format(dir=folder)), {}, [])
    sites = (SiteConfig("/p/", {"x": FieldConfig("css:i")}),)
    with pytest.raises(UsageError, match=sentence):
        open_crawl(config(folder, "int", site=sites), mode="new")
    assert not folder.exists()


@pytest.mark.parametrize(("before", "after"), [("int", "str"), ("int", "float")])
def test_a_resume_does_not_change_the_type(
    tmp_path: Path, before: str, after: str
) -> None:
    stored = config(tmp_path, before)
    text = f'dir = "{tmp_path}"\n[fields.x]\nselect = "css:i"\ntype = "{after}"\n'
    with pytest.raises(UsageError, match="'x' has another type in the records"):
        load_resumed(("c.toml", text), {}, [], lambda _dir: stored)
    plan = load_resumed(
        ("c.toml", text), {}, [], lambda _dir: replace(stored, fields={})
    )
    assert plan.jobs[0].config.fields["x"].select == "css:i"
