"""A picture in several versions: one of them is fetched, or the next best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.model.config import Config
from crawler.model.content_config import ImagesConfig, OutputConfig
from tests.helpers.crawling import TERMINAL, config, crawl, page, png, records, serve
from tests.site.page import reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

WIDTHS = (150, 300, 768, 1024, 1536, 2048)


def photo(number: int) -> str:
    """A photo as WordPress writes it into a post: seven sizes, linked to the whole."""
    names = [f"/photo/{number}-{width}x{width // 2}.png {width}w" for width in WIDTHS]
    return (
        f'<figure><a href="/photo/{number}.png"><img alt="photo {number}" '
        f'src="/photo/{number}-1024x512.png" srcset="{", ".join(names)}" '
        f'sizes="(max-width: 800px) 100vw, 700px"></a></figure>'
    )


def whole(exchange: Exchange) -> None:
    name = exchange.arg("")
    size = name.removesuffix(".png").partition("-")[2] or "4000x2000"
    colour = ("red", "green", "blue", "white")[int(name[0]) % 4]
    reply(png(int(size.partition("x")[0]), 2 + ord(name[0]), colour), "image/png")(
        exchange
    )


def asked(site: Site) -> list[str]:
    return sorted(
        hit.target.rpartition("/")[2] for hit in site.hits() if "." in hit.target
    )


def post(serve: Any, folder: Path, srcset: Any) -> tuple[Site, Config]:
    site = serve(index=page(*map(photo, range(5))), photo=whole)
    settings = config(site, folder, images=ImagesConfig(srcset=srcset))
    return site, replace(settings, records=OutputConfig(include=("images",)))


WANTED = {
    "best": [f"{n}.png" for n in range(5)],
    "auto": [f"{n}-768x384.png" for n in range(5)],
    "smallest": [f"{n}-150x75.png" for n in range(5)],
}


@pytest.mark.parametrize("srcset", WANTED)
def test_of_each_photo_one_version_is_fetched(
    serve: Any, tmp_path: Path, srcset: str
) -> None:
    site, settings = post(serve, tmp_path, srcset)
    crawl(settings)
    found = [name for name in asked(site) if name != "robots.txt"]
    assert found == sorted(WANTED[srcset])
    rows = records(tmp_path)
    images = [row for row in rows if row["type"] == "image"]
    assert {row["alt"] for row in images} == {f"photo {n}" for n in range(5)}
    assert all(len(row["versions"]) == len(WIDTHS) for row in images)
    (home,) = [row for row in rows if row["type"] == "page"]
    groups = {image["url"]: image["group"] for image in home["images"]}
    assert sorted(set(groups.values())) == list(range(5))


def test_all_versions_are_fetched_where_that_is_wanted(
    serve: Any, tmp_path: Path
) -> None:
    site, settings = post(serve, tmp_path, "all")
    crawl(settings)
    assert len(asked(site)) == 5 * 7 + 1


def test_a_version_that_is_missing_is_replaced_by_the_next_best(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(
        index=page('<img src="/a/1.png" srcset="/gone/2.png 2x, /html/3.png 3x">'),
        a=reply(png(), "image/png"),
        gone=reply(status=404),
        html=page("no image"),
    )
    crawl(config(site, tmp_path))
    types = {
        row["url"].removeprefix(site.url("")): row["type"]
        for row in records(tmp_path)
        if row["type"] in TERMINAL
    }
    assert types["/html/3.png"] == "page"
    assert types["/gone/2.png"] == "error"
    assert types["/a/1.png"] == "image"


def test_a_version_that_is_refused_is_replaced_by_the_next_best(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(
        index=page('<img src="/a/1.png" srcset="/b/2.png 2x">'),
        a=reply(png(), "image/png"),
        b=reply(png(), "image/png"),
        robots=reply("User-agent: *\nDisallow: /b/\n", "text/plain"),
    )
    crawl(config(site, tmp_path))
    assert asked(site) == ["1.png", "robots.txt"]


def test_smaller_versions_elsewhere_on_the_page_are_left_out_by_name(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(
        index=page(
            '<img src="/p/x-150x150.png"><img src="/p/x-1024x768.png">'
            '<img src="/p/y-150x150.png"><img src="/p/z.png"><img src="/p/z-90x90.png">'
        ),
        p=reply(png(), "image/png"),
    )
    crawl(config(site, tmp_path))
    names = ["robots.txt", "x-1024x768.png", "y-150x150.png", "z.png"]
    assert asked(site) == names


# Formats, and widths that srcset tells


PICTURE = (
    '<picture><source type="image/avif" srcset="/v/a?small 400w, /v/a?large 800w">'
    '<source srcset="/v/b.webp 1600w"><img src="/v/c.jpg"></picture>'
)


@pytest.mark.parametrize(
    ("preferred", "srcset", "expected"),
    [
        ((), "best", "/v/b.webp"),
        (("avif", "webp"), "best", "/v/a?large"),
        (("avif", "webp"), "smallest", "/v/a?small"),
        (("jpeg",), "best", "/v/c.jpg"),
        (("png", "webp"), "smallest", "/v/b.webp"),
        (("png",), "best", "/v/b.webp"),
    ],
)
def test_preferred_formats_come_before_the_size(
    serve: Any, tmp_path: Path, preferred: Any, srcset: Any, expected: str
) -> None:
    site = serve(index=page(PICTURE), v=whole_of_any)
    wanted = ImagesConfig(srcset=srcset, prefer_formats=preferred)
    crawl(config(site, tmp_path, images=wanted))
    assert [hit.target for hit in site.hits() if "/v/" in hit.target] == [expected]


def whole_of_any(exchange: Exchange) -> None:
    reply(png(), "image/png")(exchange)


NARROW = '<img srcset="/v/a 100w, /v/b 200w"><img srcset="/v/c 100w, /v/d 400w">'


@pytest.mark.parametrize(
    ("srcset", "expected"),
    [
        ("best", ["/v/d"]),
        ("smallest", ["/v/d"]),
        ("auto", ["/v/d"]),
        ("all", ["/v/d"]),
    ],
)
def test_what_srcset_says_to_be_too_narrow_is_not_requested(
    serve: Any, tmp_path: Path, srcset: Any, expected: list[str]
) -> None:
    site = serve(index=page(NARROW), v=reply(png(400, 300), "image/png"))
    wanted = ImagesConfig(srcset=srcset, min_width=300)
    settings = config(site, tmp_path, images=wanted)
    crawl(replace(settings, records=OutputConfig(record=("skips",))))
    assert [hit.target for hit in site.hits() if "/v/" in hit.target] == expected
    skips = [one for one in records(tmp_path) if one["type"] == "skip"]
    assert {one["reason"] for one in skips} == {"filter_dimensions"}
    narrowest = {"smallest": 100}.get(srcset, 200)
    assert f"images.min_width: 300 > {narrowest}" in {one["rule"] for one in skips}


def test_images_are_named_by_their_page(serve: Any, tmp_path: Path) -> None:
    site = serve(
        index=page('<img src="/v/1"><img src="/v/2"><a href="/next">x</a>'),
        next=reply('<title> ../A / "B"\n</title><img src="/v/2"><img src="/v/3">'),
        bare=reply('<img src="/v/4">'),
        v=lambda exchange: reply(png(int(exchange.arg("9"))), "image/png")(exchange),
    )
    name = "{page_title}/{index:02}-{sha256:.8}.{ext}"
    settings = config(site, tmp_path, images=ImagesConfig(name=name))
    crawl(replace(settings, seeds=(site.url("/"), site.url("/bare"))))
    names = {
        one["url"][-1]: one["path"].rpartition("-")[0]
        for one in records(tmp_path)
        if one["type"] == "image"
    }
    assert names == {
        "1": "images/A_page/01",
        "2": "images/A_page/02",
        "3": "images/A_B/02",
        "4": "images/untitled/01",
    }
