"""What a page says of its images comes into their records, and into the page's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crawler.extract.extractor import extract
from crawler.model.config import ScopeConfig
from crawler.model.content_config import ImagesConfig, OutputConfig
from crawler.model.documents import ImageLink, Page
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig
from tests.helpers.crawling import config, crawl, of, page, png, serve
from tests.site.page import reply

__all__ = ["serve"]

BODY = (
    '<img src="/plain.png" alt="plain">'
    '<img src="/titled.png" title=" A &amp;\n title ">'
    '<figure class="x"><img src="/figure.png" title="t" alt="a">'
    "<figcaption>The <b>caption</b> &copy; one</figcaption></figure>"
    "<figure><figure><img data-src=/inner.png></figure>"
    "<figcaption>Outer</figcaption></figure>"
    '<figure><a href="/large.jpg"><img src="/small.png" title="Title"> Photo <i>5</i>'
    "</a><figcaption>Linked</figure>"
)


def images_of(*body: str) -> dict[str, ImageLink]:
    response = Response(
        url="http://a.test/", status=200, reason="", http_version="1.1",
        headers=[("content-type", "text/html; charset=utf-8")],
        body="".join(body).encode(), wire_bytes=0, timings=Timings(0),
        remote_ip="127.0.0.1", reused_connection=False,
    )  # fmt: skip
    found = extract(response, "page", LimitsConfig())
    assert isinstance(found, Page)
    return {one.url.removeprefix("http://a.test/"): one for one in found.images}


def said(image: ImageLink) -> tuple[str | None, str | None, str | None]:
    return image.title, image.caption, image.link_text


def test_titles_captions_and_texts_of_links_are_found() -> None:
    found = images_of(BODY)
    assert {name: said(one) for name, one in found.items()} == {
        "plain.png": (None, None, None),
        "titled.png": ("A & title", None, None),
        "figure.png": ("t", "The caption © one", None),
        "inner.png": (None, None, None),
        "small.png": ("Title", "Linked", "Photo 5"),
    }


def test_all_versions_in_a_figure_have_its_caption() -> None:
    found = images_of(
        '<figure><picture><source srcset="a.avif 1x, b.avif 2x"><img src=c.jpg title=T>'
        "</picture><FIGCAPTION>One</FIGCAPTION></figure>"
    )
    assert {name: said(one) for name, one in found.items()} == dict.fromkeys(
        ("a.avif", "b.avif", "c.jpg"), ("T", "One", None)
    )


def test_a_caption_is_bounded_and_a_figure_without_an_end_has_none() -> None:
    text = "x" * 5000
    found = images_of(
        f"<figure><img src=a.png><figcaption>{text}</figcaption></figure>"
    )
    assert found["a.png"].caption == text[:1000]
    assert images_of("<figure><img src=a.png><figcaption>x")["a.png"].caption is None


def test_the_records_have_them(serve: Any, tmp_path: Path) -> None:
    names = ("plain", "titled", "figure", "inner", "small")
    site = serve(
        index=page(BODY),
        **{f"{name}.png": reply(png(), "image/png") for name in names},
        **{"large.jpg": reply(png(9, 9), "image/png")},
    )
    crawl(config(site, tmp_path, records=OutputConfig(include=("images",))))
    keys = ("title", "caption", "link_text", "thumbnail")
    found = {
        one["url"].removeprefix(site.base): tuple(one[key] for key in keys)
        for one in of(tmp_path, "image")
    }
    assert found == {
        "/plain.png": (None, None, None, None),
        "/titled.png": ("A & title", None, None, None),
        "/figure.png": ("t", "The caption © one", None, None),
        "/inner.png": (None, None, None, None),
        "/large.jpg": ("Title", "Linked", "Photo 5", site.url("/small.png")),
    }
    (listed,) = (one["images"] for one in of(tmp_path, "page"))
    assert {one["caption"] for one in listed} == {None, "The caption © one", "Linked"}


def test_a_linked_picture_of_another_host_has_its_thumbnail(
    serve: Any, tmp_path: Path
) -> None:
    other = serve(**{"large.png": reply(png(9, 9), "image/png")})
    url = other.url("/large.png")
    site = serve(
        index=page(f'<a href="{url}"><img src="/small.png" alt="A"> Text</a>'),
        **{"small.png": reply(png(), "image/png")},
    )
    crawl(config(site, tmp_path, scope=ScopeConfig(within="any")))
    (one,) = of(tmp_path, "image")
    assert (one["url"], one["alt"]) == (url, "A")
    assert (one["thumbnail"], one["link_text"]) == (site.url("/small.png"), "Text")


def test_the_thumbnail_that_takes_the_place_of_its_picture_has_none(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(
        index=page('<a href="/gone.png"><img src="/small.png" title="T"></a>'),
        **{"small.png": reply(png(), "image/png")},
    )
    crawl(config(site, tmp_path, images=ImagesConfig(srcset="best")))
    (one,) = of(tmp_path, "image")
    assert (one["title"], one["thumbnail"]) == ("T", None)


def test_names_have_the_dimensions_and_the_folders(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page('<img src="/a/b/x.png">'), a=reply(png(3, 2), "image/png"))
    name = "{path}/{width}x{height}-{data.title}.{ext}"
    crawl(config(site, tmp_path, images=ImagesConfig(name=name)))
    (one,) = of(tmp_path, "image")
    assert one["path"] == "images/a/b/3x2-none.png"
    assert (tmp_path / one["path"]).is_file()
