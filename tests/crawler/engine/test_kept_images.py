"""Which images are kept; of the others no more than their start is downloaded."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from crawler.extract.images.formats import possible_sizes, read_header
from crawler.extract.sniff import image_type
from crawler.model.content_config import ImagesConfig, OutputConfig
from tests.helpers.crawling import config, crawl, page, picture, png, records, serve
from tests.site.page import reply
from tests.site.server import Exchange

__all__ = ["serve"]

pillow = pytest.importorskip("PIL.Image", reason="it writes the images")

WIDE, HIGH = 900, 600


def made(name: str, size: tuple[int, int] = (WIDE, HIGH), **options: Any) -> bytes:
    """An image of noise, which no format makes small."""
    file = io.BytesIO()
    mode = "P" if name == "GIF" else "RGB"
    pillow.effect_noise(size, 90).convert(mode).save(file, name, **options)
    return file.getvalue()


def turned(name: str, **options: Any) -> bytes:
    exif = pillow.Exif()
    exif[274] = 6
    return made(name, exif=exif, **options)


def large() -> dict[str, bytes]:
    return {
        "png": made("PNG"),
        "jpeg": made("JPEG", quality=95),
        "gif": made("GIF"),
        "webp": made("WEBP", quality=100),
        "bmp": made("BMP"),
        "avif": made("AVIF", quality=95),
        "turned.jpeg": turned("JPEG", quality=95),
        "turned.png": turned("PNG"),
        "profile.jpeg": made("JPEG", quality=95, icc_profile=bytes(40_000)),
        "lossless.webp": made("WEBP", lossless=True),
    }


@pytest.fixture(scope="module")
def images() -> dict[str, bytes]:
    return large()


def test_the_first_bytes_tell_the_dimensions_that_the_whole_file_has(
    images: dict[str, bytes],
) -> None:
    for name, body in images.items():
        media_type = image_type(body)
        assert media_type is not None, name
        assert len(body) > 128 * 2**10, name
        header = read_header(body, media_type)
        start = body[: 64 * 2**10]
        assert possible_sizes(start, media_type) == ((header.width, header.height),), (
            name
        )


def test_an_orientation_behind_the_pixels_leaves_two_possibilities() -> None:
    body = turned("WEBP", quality=100)
    sizes = possible_sizes(body[: 16 * 2**10], "image/webp")
    assert sizes == ((WIDE, HIGH), (HIGH, WIDE))
    assert read_header(body, "image/webp")[1:3] == (HIGH, WIDE)


@pytest.mark.parametrize(
    "media_type", ["image/png", "image/jpeg", "image/webp", "image/tiff", "image/jxl"]
)
def test_garbage_tells_no_dimensions(media_type: str) -> None:
    for body in (b"", b"\xff\n", b"\xff\xd8\xff\xe1\xff\xff", bytes(99)):
        assert possible_sizes(body, media_type) == ()


def chunked(body: bytes) -> Any:
    def answer(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        exchange.raw(head + b"%x\r\n" % len(body), body + b"\r\n0\r\n\r\n")

    return answer


def ended(folder: Path) -> dict[str, dict[str, Any]]:
    """By its name, the record of each image."""
    return {
        one["url"].rpartition("/")[2]: one
        for one in records(folder)
        if one["type"] in ("image", "skip", "error") and one["url"].count("/") > 2
    }


def received(folder: Path) -> int:
    return int(records(folder)[-1]["bytes"])


def crawl_images(
    serve: Any, folder: Path, answers: dict[str, Any], **limits: Any
) -> dict[str, dict[str, Any]]:
    site = serve(index=page(picture(*(f"/{name}" for name in answers))), **answers)
    made_config = config(
        site,
        folder,
        images=ImagesConfig(**limits),
        records=OutputConfig(record=("skips",)),
    )
    crawl(made_config)
    return ended(folder)


def test_an_unwanted_image_is_not_downloaded_beyond_its_start(
    serve: Any, tmp_path: Path, images: dict[str, bytes]
) -> None:
    answers = {
        name: reply(body, "image/x", headers=(("Content-Length", str(len(body))),))
        for name, body in images.items()
    }
    found = crawl_images(serve, tmp_path, answers, min_width=1000)
    assert set(found) == set(images)
    for name, one in found.items():
        wide = HIGH if name.startswith("turned") else WIDE
        assert (one["type"], one["reason"]) == ("skip", "filter_dimensions"), name
        assert one["rule"] == f"images.min_width: 1000 > {wide}"
    assert received(tmp_path) < sum(map(len, images.values())) / 2
    assert not (tmp_path / "images").exists()


def test_nor_is_one_of_unknown_length(
    serve: Any, tmp_path: Path, images: dict[str, bytes]
) -> None:
    answers = {"a.png": chunked(images["png"])}
    found = crawl_images(serve, tmp_path, answers, max_height=HIGH - 1)
    assert found["a.png"]["rule"] == f"images.max_height: {HIGH - 1} < {HIGH}"
    assert received(tmp_path) < len(images["png"]) / 2


@pytest.mark.parametrize(
    ("limits", "reason", "rule"),
    [
        ({"min_width": 31}, "filter_dimensions", "images.min_width: 31 > 30"),
        ({"max_width": 29}, "filter_dimensions", "images.max_width: 29 < 30"),
        ({"min_height": 11}, "filter_dimensions", "images.min_height: 11 > 10"),
        ({"max_height": 9}, "filter_dimensions", "images.max_height: 9 < 10"),
        ({"min_pixels": 301}, "filter_dimensions", "images.min_pixels: 301 > 300"),
        ({"max_pixels": 299}, "filter_dimensions", "images.max_pixels: 299 < 300"),
        ({"max_ratio": 2.9}, "filter_dimensions", "images.max_ratio: 2.9 < 30:10"),
        ({"min_file_size": 2**20}, "filter_bytes", "images.min_file_size: 1M > "),
        ({"max_file_size": 20}, "filter_bytes", "images.max_file_size: 20 < "),
        ({"formats": ("webp",)}, "filter_format", "images.formats: webp; not png"),
    ],
)
def test_each_limit_names_its_rule(
    serve: Any, tmp_path: Path, limits: dict[str, Any], reason: str, rule: str
) -> None:
    answers = {"a.png": reply(made("PNG", (30, 10)), "image/png")}
    (one,) = crawl_images(serve, tmp_path, answers, **limits).values()
    assert (one["type"], one["reason"]) == ("skip", reason)
    assert one["rule"].startswith(rule)


def test_what_keeps_to_the_limits_is_kept(serve: Any, tmp_path: Path) -> None:
    limits = {
        "min_width": 30, "max_width": 30, "min_height": 10, "max_height": 10,
        "min_pixels": 300, "max_pixels": 300, "max_ratio": 3, "formats": ("png",),
    }  # fmt: skip
    answers = {"a.png": reply(made("PNG", (30, 10)), "image/png")}
    (one,) = crawl_images(serve, tmp_path, answers, **limits).values()
    assert one["type"] == "image"


@pytest.mark.parametrize("limits", [{"max_file_size": 100_000}, {"formats": ("jpeg",)}])
def test_declared_size_and_format_are_enough(
    serve: Any, tmp_path: Path, images: dict[str, bytes], limits: dict[str, Any]
) -> None:
    answers = {"a.png": reply(images["png"], "image/png")}
    (one,) = crawl_images(serve, tmp_path, answers, **limits).values()
    assert one["type"] == "skip"
    assert received(tmp_path) < len(images["png"]) / 2


def test_a_wanted_large_image_is_whole(
    serve: Any, tmp_path: Path, images: dict[str, bytes]
) -> None:
    answers = {"a.webp": reply(turned("WEBP", quality=100), "image/webp")}
    (one,) = crawl_images(serve, tmp_path, answers, min_height=WIDE).values()
    assert (one["type"], one["height"]) == ("image", WIDE)


def test_the_requests_ask_for_the_formats(serve: Any, tmp_path: Path) -> None:
    asked = []

    def answer(exchange: Exchange) -> None:
        asked.append(exchange.hit.headers["accept"])
        reply(png(), "image/png")(exchange)

    crawl_images(serve, tmp_path, {"a.png": answer}, formats=("png", "svg"))
    assert asked == ["image/png,image/svg+xml,*/*;q=0.1"]


def test_a_version_that_is_too_large_makes_room_for_the_next(
    serve: Any, tmp_path: Path
) -> None:
    sizes = (10, 20, 40)
    answers = {
        f"{side}.png": reply(made("PNG", (side, side)), "image/png") for side in sizes
    }
    candidates = ", ".join(f"/{side}.png {side}w" for side in sizes)
    site = serve(index=page(f'<img srcset="{candidates}">'), **answers)
    crawl(config(site, tmp_path / "max", images=ImagesConfig(max_width=20)))
    assert [name for name, one in ended(tmp_path / "max").items()] == ["20.png"]
    crawl(config(site, tmp_path / "min", images=ImagesConfig(min_width=50),
                 records=OutputConfig(record=("skips",))))  # fmt: skip
    assert list(ended(tmp_path / "min")) == ["40.png"]  # the others are smaller


def test_icons_are_left_out_unless_the_page_shows_them(
    serve: Any, tmp_path: Path
) -> None:
    head = '<link rel="icon" href="/i.png"><link rel="shortcut icon" href="/both.png">'
    more = '<link rel="apple-touch-icon" href="/t.png"><link rel=logo href="/l.png">'
    site = serve(
        index=page(head, more, picture("/both.png", "/p.png")),
        **{f"{name}.png": reply(png(), "image/png") for name in "itlp"},
        **{"both.png": reply(png(), "image/png")},
    )
    crawl(
        config(
            site,
            tmp_path,
            images=ImagesConfig(icons=False),
            records=OutputConfig(record=("skips",)),
        )
    )
    found = ended(tmp_path)
    kept = {name for name, one in found.items() if one["type"] == "image"}
    assert kept == {"both.png", "p.png", "l.png"}
    assert {found[name]["reason"] for name in ("i.png", "t.png")} == {"filter_icon"}
    assert found["i.png"]["rule"] == "images.icons: false"
