"""The best of the pictures that look the same is kept (`images.dedupe: near`)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image

from crawler.cli import run
from crawler.engine.builder import open_crawl
from crawler.engine.extraction.opening import extract_crawl
from crawler.frontier.sqlite.store import SqliteStore
from crawler.model.config import Config
from crawler.model.content_config import BodiesConfig, ImagesConfig
from crawler.model.errors import UsageError
from crawler.model.metadata import BOOT
from crawler.workspace.paths import state_folder
from tests.helpers.crawling import config, crawl, of, page, picture, serve
from tests.helpers.made_pictures import SAME, encoded, noise, screenshot, shapes
from tests.site.page import reply
from tests.site.server import Exchange

__all__ = ["serve"]

NEAR = ImagesConfig(dedupe="near")


def animation(number: int, frames: int) -> bytes:
    """Its first frame is `shapes(number)`."""
    more = [shapes(number + frame) for frame in range(1, frames)]
    return encoded(shapes(number), "GIF", save_all=True, append_images=more)


def gallery() -> dict[str, bytes]:
    """By name, in the order of the page."""
    first, broken = shapes(1), encoded(noise(1), "WEBP")
    return {
        "half": SAME["half"](first),
        "first": encoded(first),
        "copy-of-half": SAME["half"](first),
        "copy": encoded(first),
        "small": SAME["thumbnail"](first),
        "larger": SAME["larger"](first),
        "other": encoded(noise(4)),
        "dialog": encoded(screenshot(1)),
        "other-dialog": encoded(screenshot(2)),
        "red": encoded(Image.new("RGB", (60, 60), "red")),
        "red-webp": encoded(Image.new("RGB", (90, 90), "red"), "WEBP"),
        "animation": animation(1, 3),
        "longer-animation": animation(1, 5),
        "damaged": broken[:40] + bytes(len(broken) - 40),
    }


KEPT = {
    "larger", "other", "dialog", "other-dialog", "red", "red-webp", "animation",
    "longer-animation", "damaged",
}  # fmt: skip


class Served:
    """A picture with an ETag, which answers 304 to it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sent = 0

    def __call__(self, exchange: Exchange) -> None:
        etag = f'"{hash(self.data)}"'
        if exchange.hit.headers.get("if-none-match") == etag:
            exchange.reply(status=304, headers=(("ETag", etag),))
        else:
            self.sent += 1
            exchange.reply(self.data, "image/png", headers=(("ETag", etag),))


def serving(serve: Any, pictures: dict[str, bytes]) -> Any:
    shown = page(picture(*(f"/{name}" for name in pictures)))
    return serve(index=shown, **{name: Served(pictures[name]) for name in pictures})


def settings_for(site: Any, folder: Path) -> Config:
    return config(site, folder, images=NEAR, concurrency=1)


def by_name(folder: Path) -> dict[str, dict[str, Any]]:
    """The last record of each picture, with names in place of URLs."""
    found = of(folder, "image")
    for one in found:
        one |= {name: name_in(one[name]) for name in ("dup_of", "replaces")}
    return {name_in(one["url"]): one for one in found}


def name_in(url: str | None) -> str:
    return (url or "").rpartition("/")[2]


def files(folder: Path) -> set[bytes]:
    found = [
        one.read_bytes() for one in (folder / "images").rglob("*.*") if one.is_file()
    ]
    assert len(found) == len(set(found))
    return set(found)


def listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> set[str]:
    assert run(["images", str(folder)]) == 0
    return {name_in(line) for line in capsys.readouterr().out.splitlines()}


def test_the_best_of_a_group_is_kept(
    serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = gallery()
    site = serving(serve, pictures)
    crawl(settings_for(site, tmp_path))
    found = by_name(tmp_path)
    assert files(tmp_path) == {pictures[name] for name in KEPT}
    assert {
        name: (one["dup_kind"], one["dup_of"], one["replaces"], one["path"] is not None)
        for name, one in found.items()
        if name in ("half", "first", "copy-of-half", "copy", "small", "larger")
    } == {
        "half": (None, "", "", True),
        "first": (None, "", "half", True),
        "copy-of-half": ("exact", "half", "", False),
        "copy": ("exact", "first", "", True),
        "small": ("near", "first", "", False),
        "larger": (None, "", "first", True),
    }
    for name in KEPT - {"larger"}:
        assert (found[name]["dup_of"], found[name]["replaces"]) == ("", ""), name
    assert listed(tmp_path, capsys) == KEPT

    crawl(settings_for(site, tmp_path), "newer")  # what has no file is fetched whole
    again = by_name(tmp_path)
    assert files(tmp_path) == {pictures[name] for name in KEPT}
    assert listed(tmp_path, capsys) == KEPT
    for name in pictures:
        assert again[name]["path"] or name not in KEPT, name
        assert again[name]["changed"] == "unchanged"
        assert site.pages[name].sent == (1 if name in KEPT else 2), name


def test_the_next_best_is_kept_when_the_best_has_other_bytes(
    serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = {name: gallery()[name] for name in ("half", "first", "larger")}
    site = serving(serve, pictures)
    crawl(settings_for(site, tmp_path))
    site.pages["larger"].data = encoded(noise(9))
    crawl(settings_for(site, tmp_path), "newer")
    assert listed(tmp_path, capsys) == {"first", "larger"}
    found = by_name(tmp_path)
    assert found["first"]["replaces"] == "half"
    assert (tmp_path / found["first"]["path"]).read_bytes() == pictures["first"]


def test_of_equal_ones_the_first_is_kept_and_more_bytes_are_better(
    serve: Any, tmp_path: Path
) -> None:
    first = shapes(1)
    pictures = {
        "q50": SAME["q50"](first),
        "q95": encoded(first, "JPEG", quality=95),
        "webp": SAME["webp"](first),
    }
    site = serving(serve, pictures)
    crawl(settings_for(site, tmp_path))
    assert files(tmp_path) == {pictures["q95"]}


def test_files_of_a_crawl_that_kept_all_are_removed(
    serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = gallery()
    site = serving(serve, pictures)
    kept_all = config(site, tmp_path, images=ImagesConfig(phash=True), concurrency=1)
    crawl(kept_all)
    assert files(tmp_path) == set(pictures.values())
    crawl(settings_for(site, tmp_path), "newer")
    assert files(tmp_path) == {pictures[name] for name in KEPT}
    assert listed(tmp_path, capsys) == KEPT


def test_what_was_removed_is_not_lost_in_a_power_cut(
    serve: Any, tmp_path: Path
) -> None:
    site = serving(serve, gallery())
    settings = settings_for(site, tmp_path)
    crawl(settings)
    before = of(tmp_path, "image")
    with closing(SqliteStore(state_folder(tmp_path))) as store:
        store.set(BOOT, "", b"an earlier one")
        store.commit()
    resumed = open_crawl(settings, mode="resume")
    assert resumed.lost == 0
    resumed.run()
    assert of(tmp_path, "image") == before


def test_an_extraction_says_what_the_crawl_said(serve: Any, tmp_path: Path) -> None:
    site = serving(serve, gallery())
    settings = settings_for(site, tmp_path / "a")
    crawl(settings)
    extract_crawl(tmp_path / "a", replace(settings, dir=str(tmp_path / "b")), print)
    ours, theirs = by_name(tmp_path / "b"), by_name(tmp_path / "a")
    for name, one in theirs.items():
        for field in ("path", "dup_of", "dup_kind", "replaces"):
            assert ours[name][field] == one[field], (name, field)


def test_a_mirror_needs_each_picture(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page(), **{"a.png": reply(encoded(shapes(1)), "image/png")})
    settings = replace(settings_for(site, tmp_path), bodies=BodiesConfig(mirror=True))
    with pytest.raises(UsageError, match="mirror"):
        open_crawl(settings, mode="new")
