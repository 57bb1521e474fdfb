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
