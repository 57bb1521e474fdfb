"""`images.verify` and `images.keep_damaged`: what becomes of damaged pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.cli import run
from crawler.model.content_config import ImagesConfig, OutputConfig
from tests.helpers.bombs import bombs
from tests.helpers.crawling import config, crawl, of, page, picture, serve
from tests.helpers.made_pictures import encoded, noise
from tests.site.page import reply
from tests.site.server import Exchange

__all__ = ["serve"]

VERIFY = ImagesConfig(verify=True)
KEEP = ImagesConfig(verify=True, keep_damaged=True)

LARGE, SMALL = encoded(noise(1), "JPEG"), encoded(noise(2), "JPEG")
MIDDLE = len(LARGE) // 2
GREY_BELOW = LARGE[:MIDDLE] + b"\xff\xd9"
"""The header's reader takes it for a whole picture."""
PNG = encoded(noise(3))
PICTURES = {
    "whole": LARGE,
    "grey": GREY_BELOW,
    "same-grey": GREY_BELOW,
    "hole": LARGE[:MIDDLE] + bytes(900) + LARGE[MIDDLE + 900 :],
    "cut": PNG[: len(PNG) // 2],
    "checksum": PNG[:200] + b"xx" + PNG[202:],
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
    **{f"bomb-{name}": data for name, data in bombs()},
}
BOMBS = {name for name in PICTURES if name.startswith("bomb-")}


def sent(name: str, exchange: Exchange) -> None:
    data = PICTURES[name]
    kind = "image/svg+xml" if name == "svg" else "image/png"
    etag = f'"{hash(data)}"'
    if exchange.hit.headers.get("if-none-match") == etag:
        exchange.reply(status=304, headers=(("ETag", etag),))
    else:
        exchange.reply(data, kind, headers=(("ETag", etag),))


@pytest.fixture
def site(serve: Any) -> Any:
    def handler(name: str) -> Any:
        return lambda exchange: sent(name, exchange)

    shown = page(picture(*(f"/{name}" for name in PICTURES)))
    return serve(index=shown, **{name: handler(name) for name in PICTURES})


def by_name(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    return {one["url"].rpartition("/")[2]: one for one in of(folder, kind)}


def files(folder: Path) -> set[str]:
    found = (one for one in folder.rglob("*") if one.is_file())
    return {str(one.relative_to(folder)) for one in found}


def test_a_damaged_picture_is_an_error_and_has_no_file(
    site: Any, tmp_path: Path
) -> None:
    settings = config(site, tmp_path, images=VERIFY, concurrency=1)
    crawl(settings)
    errors = by_name(tmp_path, "error")
    assert set(errors) == {"grey", "same-grey", "hole", "cut", "checksum", "bomb-bmp"}
    assert {one["error_code"] for one in errors.values()} == {"image_decode"}
    assert "premature end" in errors["grey"]["error_message"]
    images = by_name(tmp_path, "image")
    verified = {name: one["verified"] for name, one in images.items()}
    not_decoded = {"svg", *BOMBS} - {"bomb-bmp"}
    assert verified == {"whole": True, **dict.fromkeys(not_decoded, False)}
    paths = {one["path"] for one in images.values()}
    assert files(tmp_path / "images") == {p.removeprefix("images/") for p in paths}

    crawl(settings, "newer")  # the whole one is a 304
    assert {
        name: one["verified"] for name, one in by_name(tmp_path, "image").items()
    } == verified


@pytest.mark.parametrize("verify", [True, False])
def test_damaged_pictures_are_kept_apart(
    site: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], verify: bool
) -> None:
    settings = config(
        site, tmp_path, images=replace(KEEP, verify=verify), concurrency=1
    )
    crawl(settings)
    assert of(tmp_path, "error") == []
    images = by_name(tmp_path, "image")
    found = {"cut": "truncated", "checksum": "corrupt", "bomb-bmp": "truncated"}
    if verify:
        found |= {"grey": "truncated", "same-grey": "truncated", "hole": "truncated"}
    damaged = {name: one["damage"] for name, one in images.items() if one["damage"]}
    assert damaged == found
    for name, one in images.items():
        folder = "damaged" if name in found else "images"
        assert one["path"].startswith(f"{folder}/"), name
        assert (tmp_path / one["path"]).read_bytes() == PICTURES[name]
        assert one["verified"] == (name == "whole" if verify else None), name
    assert images["same-grey"]["path"] == images["grey"]["path"]
    assert run(["images", str(tmp_path)]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert {line.rpartition("/")[2] for line in listed} == set(PICTURES) - set(found)


def test_the_next_version_takes_the_place_of_a_damaged_one(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(
        index=page('<img src="/small" srcset="/large 2x">'),
        large=reply(GREY_BELOW, "image/jpeg"),
        small=reply(SMALL, "image/jpeg"),
    )
    for name, images in {"error": VERIFY, "image": KEEP}.items():
        crawl(config(site, tmp_path / name, images=images))
        assert set(by_name(tmp_path / name, "image")) == {
            "small", *(["large"] if name == "image" else [])
        }  # fmt: skip


def test_a_picture_that_broke_off_is_damaged(serve: Any, tmp_path: Path) -> None:
    def breaks_off(exchange: Exchange) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(LARGE)}\r\n\r\n"
        exchange.raw(head.encode(), LARGE[:MIDDLE])
        exchange.close()

    site = serve(index=page(picture("/half")), half=breaks_off)
    settings = config(site, tmp_path, images=KEEP)
    crawl(replace(settings, records=OutputConfig(keep_truncated="none")))
    (half,) = of(tmp_path, "image")
    assert (half["damage"], half["truncated"]) == ("truncated", "disconnect")
    assert (tmp_path / half["path"]).read_bytes() == LARGE[:MIDDLE]
    assert half["path"].startswith("damaged/")
