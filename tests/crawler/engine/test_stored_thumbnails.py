"""`images.thumbnails`: small files of the pictures, one for each content."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image, ImageCms

from crawler.engine.extraction.opening import extract_crawl, extract_warcs
from crawler.model.config import Config
from crawler.model.content_config import ImagesConfig, WarcConfig
from tests.helpers.bombs import bombs
from tests.helpers.crawling import config, crawl, of, page, picture, serve
from tests.helpers.made_pictures import SAME, encoded, noise, shapes
from tests.site.server import Exchange

__all__ = ["serve"]

SIDE = 96


def turned(picture: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture, "JPEG", exif=exif.tobytes())


def profile() -> bytes:
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return bytes(made.tobytes())


PROFILE = profile()
CLEAR = Image.new("RGBA", (300, 200), (200, 20, 20, 90))
PICTURES = {
    "jpeg": encoded(noise(1).resize((400, 300)), "JPEG"),
    "same": encoded(noise(1).resize((400, 300)), "JPEG"),
    "turned": turned(shapes(1)),
    "clear": encoded(CLEAR),
    "opaque": encoded(Image.new("RGBA", (300, 200), (9, 9, 200, 255))),
    "small": encoded(shapes(3).resize((40, 20))),
    "cmyk": encoded(shapes(2).convert("CMYK"), "JPEG"),
    "profile": encoded(shapes(4), "JPEG", icc_profile=PROFILE),
    "deep": encoded(noise(2).convert("I;16")),
    "animation": encoded(shapes(5), "GIF", save_all=True, append_images=[shapes(6)]),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
    **{f"bomb-{name}": data for name, data in bombs() if name != "bmp"},
}
WITHOUT = {name for name in PICTURES if name.startswith("bomb-")} | {"svg"}


def sent(exchange: Exchange, data: bytes) -> None:
    etag = f'"{hash(data)}"'
    if exchange.hit.headers.get("if-none-match") == etag:
        exchange.reply(status=304, headers=(("ETag", etag),))
    else:
        kind = "image/svg+xml" if data == PICTURES["svg"] else "image/png"
        exchange.reply(data, kind, headers=(("ETag", etag),))


def serving(serve: Any, pictures: dict[str, bytes]) -> Any:
    handlers = {
        name: lambda exchange, data=data: sent(exchange, data)
        for name, data in pictures.items()
    }
    return serve(index=page(picture(*(f"/{name}" for name in pictures))), **handlers)


def settings_for(site: Any, folder: Path, **images: Any) -> Config:
    wanted = ImagesConfig(thumbnails=SIDE, **images)
    return config(site, folder, images=wanted, concurrency=1)


def by_name(folder: Path) -> dict[str, dict[str, Any]]:
    return {one["url"].rpartition("/")[2]: one for one in of(folder, "image")}


def files(folder: Path) -> set[str]:
    found = (one for one in (folder / "thumbnails").rglob("*") if one.is_file())
    return {str(one.relative_to(folder)) for one in found}


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def test_each_picture_that_can_be_decoded_has_one(serve: Any, tmp_path: Path) -> None:
    site = serving(serve, PICTURES)
    crawl(settings_for(site, tmp_path))
    found = by_name(tmp_path)
    paths = {name: one["thumbnail_path"] for name, one in found.items()}
    assert {name for name, path in paths.items() if path is None} == WITHOUT
    assert files(tmp_path) == {path for path in paths.values() if path}
    assert paths["same"] == paths["jpeg"]
    assert paths["jpeg"].startswith(f"thumbnails/{SIDE}/")
    small = {name: opened(tmp_path / path) for name, path in paths.items() if path}
    assert {name: image.format for name, image in small.items()} == {
        **dict.fromkeys(small, "JPEG"), "clear": "WEBP"
    }  # fmt: skip
    assert small["jpeg"].size == (96, 72)
    assert small["turned"].size == (72, 96)
    assert small["small"].size == (40, 20)
    assert small["clear"].convert("RGBA").getpixel((5, 5)) == pytest.approx(
        (200, 20, 20, 90), abs=8
    )
    assert small["profile"].info["icc_profile"] == PROFILE
    upright = shapes(1).transpose(Image.Transpose.ROTATE_270).resize((72, 96))
    for at in ((10, 10), (40, 60), (60, 90)):
        ours, theirs = small["turned"].getpixel(at), upright.getpixel(at)
        assert ours == pytest.approx(theirs, abs=40), at

    crawl(settings_for(site, tmp_path), "newer")
    again = {name: one["thumbnail_path"] for name, one in by_name(tmp_path).items()}
    assert again == paths
    extract_crawl(
        tmp_path, replace(settings_for(site, tmp_path), dir=str(tmp_path / "x")), print
    )
    again = {n: one["thumbnail_path"] for n, one in by_name(tmp_path / "x").items()}
    assert again == paths
    assert files(tmp_path / "x") == set()


def test_an_extraction_makes_them_where_it_writes_the_pictures(
    serve: Any, tmp_path: Path
) -> None:
    site = serving(serve, {"jpeg": PICTURES["jpeg"]})
    made = config(site, tmp_path, warc=WarcConfig(write=True))
    crawl(made)
    told: list[str] = []
    new = replace(made, images=ImagesConfig(thumbnails=SIDE), dir=str(tmp_path / "a"))
    extract_crawl(tmp_path, new, told.append)
    assert [line for line in told if line.startswith("no thumbnails were made")]
    assert by_name(tmp_path / "a")["jpeg"]["thumbnail_path"] is None
    (warc,) = (tmp_path / "warc").glob("*.warc.gz")
    extract_warcs([warc], replace(new, dir=str(tmp_path / "b")), told.append)
    small = by_name(tmp_path / "b")["jpeg"]["thumbnail_path"]
    assert opened(tmp_path / "b" / small).size == (96, 72)


def test_a_recrawl_makes_them_of_what_is_there(serve: Any, tmp_path: Path) -> None:
    pictures = {name: PICTURES[name] for name in ("jpeg", "clear", "svg")}
    site = serving(serve, pictures)
    plain = config(site, tmp_path, concurrency=1)
    crawl(plain)
    assert by_name(tmp_path)["jpeg"]["thumbnail_path"] is None
    crawl(settings_for(site, tmp_path), "newer")
    found = by_name(tmp_path)
    assert found["jpeg"]["from_cache"] == "not_modified"
    assert len(files(tmp_path)) == 2
    other = replace(plain, images=ImagesConfig(thumbnails=32))
    crawl(other, "newer")
    path = by_name(tmp_path)["jpeg"]["thumbnail_path"]
    assert opened(tmp_path / path).size == (32, 24)


def test_what_is_not_kept_has_none(serve: Any, tmp_path: Path) -> None:
    first = shapes(1)
    pictures = {
        "half": SAME["half"](first),
        "first": encoded(first),
        "small": SAME["thumbnail"](first),
    }
    site = serving(serve, pictures)
    crawl(settings_for(site, tmp_path, dedupe="near"))
    found = by_name(tmp_path)
    assert files(tmp_path) == {found["first"]["thumbnail_path"]}
    assert found["small"]["thumbnail_path"] is None
    assert opened(tmp_path / found["first"]["thumbnail_path"]).size == (96, 72)
