"""A recrawl under other settings extracts again from what was saved."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.model.config import Config, to_json
from crawler.model.content_config import (
    BodiesConfig,
    FieldConfig,
    ImagesConfig,
    OutputConfig,
    SiteConfig,
)
from crawler.model.http_config import HttpConfig
from tests.helpers.crawling import TERMINAL, config, link, picture, png, records, serve
from tests.helpers.paths import ROOT
from tests.site.server import Exchange, Site

__all__ = ["serve"]

FIELDS = {"h1": FieldConfig("css:h1::text")}
ITEMS = (SiteConfig("/shop$", {"n": FieldConfig("css:b::text")}, items="css:li"),)
SAVED = BodiesConfig(("html",))
WORDS = "<main><h1>Long</h1>" + "<p>many words of a long text" * 2000


class Version:
    """A page with an ETag."""

    def __init__(self, body: str | bytes, content_type: str = "text/html; charset=x"):
        self.body, self.content_type = body, content_type

    def __call__(self, exchange: Exchange) -> None:
        data = self.body if isinstance(self.body, bytes) else self.body.encode()
        etag = f'"{hashlib.sha256(data).hexdigest()[:8]}"'
        if exchange.hit.headers.get("if-none-match") == etag:
            exchange.reply(status=304, headers=[("ETag", etag), ("X-New", "1")])
        else:
            exchange.reply(self.body, self.content_type, headers=[("ETag", etag)])


@pytest.fixture
def site(serve: Any) -> Site:
    made: Site = serve(
        index=Version("<h1>Home</h1>" + link("/shop", "/d.json") + picture("/i.png")),
        shop=Version("<h1>Shop</h1><ul><li><b>1</b><li><b>2</b></ul>"),
        **{
            "d.json": Version('{"a": 1}', "application/json"),
            "i.png": Version(png(), "image/png"),
        },
    )
    return made


def crawl(wanted: Config, mode: Any = "new") -> list[str]:
    """Run it; the notices."""
    said: list[str] = []
    opened = open_crawl(wanted, mode=mode)
    opened.events.on_notice(said.append)
    opened.run()
    return said


def last_run(folder: Path) -> dict[str, dict[str, Any]]:
    """The terminal records of the last run by path; each URL must have one."""
    found = records(folder)
    last = [one for one in found if one["type"] in TERMINAL]
    last = [one for one in last if one["run_id"] == found[-1]["run_id"]]
    by_path = {one["url"].split("/", 3)[3]: one for one in last}
    assert len(by_path) == len(last)
    return by_path


def answers(folder: Path) -> dict[str, tuple[int, str, str]]:
    return {
        path: (one["status"], one["from_cache"], one["changed"])
        for path, one in last_run(folder).items()
    }


SAME = (304, "not_modified", "unchanged")
WHOLE = (200, "miss", "unchanged")
NOTICE = (
    "the settings of the extraction are others than before: what was not saved "
    "(--save) is fetched whole"
)


def test_new_fields_come_from_saved_bodies(site: Site, tmp_path: Path) -> None:
    before = config(site, tmp_path, bodies=SAVED)
    crawl(before)
    first = last_run(tmp_path)
    said = crawl(replace(before, fields=FIELDS), "newer")
    assert answers(tmp_path) == {
        "": SAME, "shop": SAME, "i.png": SAME, "d.json": WHOLE
    }  # fmt: skip
    assert said == [NOTICE]
    again = last_run(tmp_path)
    assert [again[path]["data"] for path in ("", "shop")] == [
        {"h1": "Home"}, {"h1": "Shop"}
    ]  # fmt: skip
    as_before = (
        "body_path", "sha256", "body_bytes", "content_type", "charset", "links_count",
        "images_count", "title", "etag",
    )  # fmt: skip
    for path in ("", "shop"):
        assert {name: again[path][name] for name in as_before} == {
            name: first[path][name] for name in as_before
        }
    assert (again["i.png"]["path"], again["i.png"]["source"]) == (
        first["i.png"]["path"], "existing"
    )  # fmt: skip
    # The next one has the same settings, so a 304 brings the fields as they are.
    assert crawl(replace(before, fields=FIELDS), "newer") == []
    assert set(answers(tmp_path).values()) == {SAME}
    assert last_run(tmp_path)["shop"]["data"] == {"h1": "Shop"}


def test_without_saved_bodies_all_is_fetched_whole_and_said(
    site: Site, tmp_path: Path
) -> None:
    before = config(site, tmp_path)
    crawl(before)
    assert crawl(replace(before, fields=FIELDS), "newer") == [NOTICE]
    assert answers(tmp_path) == {
        "": WHOLE, "shop": WHOLE, "i.png": SAME, "d.json": WHOLE
    }  # fmt: skip
    assert last_run(tmp_path)["shop"]["data"] == {"h1": "Shop"}


def test_other_requests_are_made_without_conditions(site: Site, tmp_path: Path) -> None:
    before = config(site, tmp_path, bodies=SAVED)
    crawl(before)
    crawl(replace(before, http=HttpConfig(user_agent="other")), "newer")
    assert set(answers(tmp_path).values()) == {WHOLE}


def test_items_come_back_with_a_304(site: Site, tmp_path: Path) -> None:
    wanted = replace(config(site, tmp_path, bodies=SAVED), site=ITEMS)
    crawl(wanted)
    crawl(wanted, "newer")
    assert answers(tmp_path)["shop"] == SAME
    items = [one["data"]["n"] for one in records(tmp_path) if one["type"] == "item"]
    assert items == ["1", "2"] * 2


def test_a_long_text_and_many_links_come_back_with_a_304(
    site: Site, tmp_path: Path
) -> None:
    site.pages["shop"] = Version(WORDS)
    include = ("text", "links", "headers")
    wanted = config(site, tmp_path, bodies=SAVED, records=OutputConfig(include=include))
    crawl(wanted)
    first = last_run(tmp_path)
    for _ in range(2):
        crawl(wanted, "newer")
        again = last_run(tmp_path)
        assert answers(tmp_path)["shop"] == SAME
        assert len(again["shop"]["text"]) > 40_000
        for path in ("", "shop"):
            for name in ("text", "links", "words_count"):
                assert again[path][name] == first[path][name]
    names = [row["name"] for row in again[""]["headers"]]
    assert {"content-type", "etag", "x-new"} <= {*names}


def test_links_come_back_with_a_304_though_nothing_was_saved(
    site: Site, tmp_path: Path
) -> None:
    wanted = config(
        site, tmp_path, records=OutputConfig(include=("links", "images", "headers"))
    )
    crawl(wanted)
    first = last_run(tmp_path)[""]
    crawl(wanted, "newer")
    again = last_run(tmp_path)[""]
    assert answers(tmp_path)[""] == SAME
    for name in ("links", "images"):
        assert again[name] == first[name] != []


def test_pictures_that_are_wanted_now_are_found_in_saved_pages(
    site: Site, tmp_path: Path
) -> None:
    before = config(site, tmp_path, bodies=SAVED, images=ImagesConfig(fetch=False))
    crawl(before)
    assert "i.png" not in last_run(tmp_path)
    crawl(replace(before, images=ImagesConfig()), "newer")
    assert answers(tmp_path)[""] == SAME
    assert last_run(tmp_path)["i.png"]["type"] == "image"


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_text("x")])
def test_a_saved_body_that_is_another_now_is_fetched(
    site: Site, tmp_path: Path, change: Any
) -> None:
    before = config(site, tmp_path, bodies=SAVED)
    crawl(before)
    change(tmp_path / last_run(tmp_path)["shop"]["body_path"])
    crawl(replace(before, fields=FIELDS), "newer")
    assert (answers(tmp_path)[""], answers(tmp_path)["shop"]) == (SAME, WHOLE)
    shop = last_run(tmp_path)["shop"]
    assert shop["data"] == {"h1": "Shop"}
    assert (tmp_path / shop["body_path"]).is_file()


def test_a_saved_body_that_lost_its_end_is_fetched_and_saved_again(
    site: Site, tmp_path: Path
) -> None:
    before = config(site, tmp_path, bodies=SAVED)
    crawl(before)
    saved = tmp_path / last_run(tmp_path)["shop"]["body_path"]
    whole = saved.read_bytes()
    saved.write_bytes(whole[:9])
    crawl(before, "newer")
    assert (answers(tmp_path)[""], answers(tmp_path)["shop"]) == (SAME, WHOLE)
    assert (tmp_path / last_run(tmp_path)["shop"]["body_path"]).read_bytes() == whole


KILLED = """
import os, signal, sys
from pathlib import Path
from crawler.engine.builder import open_crawl
from crawler.model.config import from_json
_, config, mode, event, left = sys.argv
def die(_event):
    global left
    left = int(left) - 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
crawl = open_crawl(from_json(Path(config).read_bytes()), mode=mode)
getattr(crawl.events, event)(die)
crawl.run()
"""
"""A crawl that kills itself at an exchange, before its commit, or after a commit."""


def test_a_recrawl_with_other_settings_that_is_killed(
    serve: Any, tmp_path: Path
) -> None:
    names = [f"p{number}" for number in range(12)]
    pages = {name: Version(f"<h1>{name}</h1>") for name in names}
    site: Site = serve(index=Version("<h1>Home</h1>" + link(*names)), **pages)
    before = config(site, tmp_path / "out", bodies=SAVED, concurrency=1)
    crawl(before)
    wanted = replace(before, fields=FIELDS)
    (tmp_path / "wanted").write_bytes(to_json(wanted))
    site.forget()
    mode = "newer"
    for event, number in (("on_exchange", 3), ("on_exchange", 9), ("on_record", 1)):
        arguments = [str(tmp_path / "wanted"), mode, event, str(number)]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *arguments], cwd=ROOT, timeout=120
        )
        assert done.returncode == -signal.SIGKILL
        mode = "resume"
    crawl(wanted, "resume")
    found = last_run(tmp_path / "out")
    assert found.keys() == {"", *names}
    assert {path: one["data"]["h1"] for path, one in found.items() if path} == {
        name: name for name in names
    }
    assert {one["from_cache"] for one in found.values()} == {"not_modified"}
    asked = Counter(hit.headers.get("if-none-match") is None for hit in site.log)
    assert asked[True] == Counter(hit.target for hit in site.log)["/robots.txt"]
