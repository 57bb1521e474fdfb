"""Every column and every value of a closed list that the schema names is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.engine.extraction.opening import extract_crawl
from crawler.model.config import Config
from crawler.model.content_config import BodiesConfig, OutputConfig
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import LimitsConfig, PolitenessConfig, RobotsConfig
from crawler.model.records import RECORD_TYPES
from crawler.output.schema_export import columns
from tests.helpers.crawling import (
    config,
    crawl,
    link,
    page,
    picture,
    png,
    records,
    serve,
)
from tests.site.certificates import one_suite
from tests.site.page import raw, reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

ELSEWHERE = {
    ("page", "data"): "test_fields",
    ("page", "text"): "test_text",
    ("page", "markdown"): "test_text",
    ("page", "words_count"): "test_text",
    ("file", "data"): "test_fields",
    ("file", "external"): "test_external_links",
    ("error", "external"): "test_external_links",
    ("item", "type"): "test_fields",
    ("item", "item"): "test_fields",
    ("item", "index"): "test_fields",
    ("item", "data"): "test_fields",
    ("image", "data"): "test_api",
    ("image", "versions"): "test_versions",
    ("image", "phash"): "test_looks",
    ("image", "near"): "test_looks",
    ("image", "verified"): "test_damaged_images",
    ("image", "damage"): "test_damaged_images",
    ("image", "truncated"): "test_damaged_images",
    ("image", "corrupt"): "test_damaged_images",
    **{
        ("image", name): "tests/crawler/extract/images: test_photo"
        for name in ("taken_at", "camera_make", "camera_model", "latitude", "longitude")
    },
    ("image", "thumbnail_path"): "test_stored_thumbnails",
    ("image", "replaces"): "test_best_of_look",
    **{
        ("image", name): "test_image_context"
        for name in ("title", "caption", "link_text", "thumbnail")
    },
    **{
        ("error", name): "test_extract"
        for name in ("body_path", "body_bytes", "sha256", "content_type", "charset")
    },
    **{
        (kind, what): "tests/crawler/extract and plugins: test_left_out"
        for kind in ("page", "file")
        for what in ("markup", "items", "values", "urls")
    },
    ("image", "resumed"): "tests/crawler/fetch: a picture whose connection broke",
    ("run", "parked"): "test_politeness",
    ("run", "signal"): "tests/crawler/cli: Ctrl-C",
    ("run", "limit_time"): "test_crawl",
    ("run", "limit_bytes"): "test_host_quotas",
}
"""What other tests provoke."""
BY_CODE = {"error_code", "reason"}
"""Closed lists that test_explain_endings provokes, value by value."""


@dataclass
class Changing:
    """A page that answers 304 once its ETag is known, and something else when told."""

    etag: str = '"1"'
    body: str = "<p>old"
    content_type: str = "text/html"
    headers: tuple[tuple[str, str], ...] = field(default=())

    def __call__(self, exchange: Exchange) -> None:
        headers = (("ETag", self.etag), ("Last-Modified", DATE), *self.headers)
        if exchange.hit.headers.get("if-none-match") == self.etag:
            exchange.reply(status=304, headers=headers)
        else:
            exchange.reply(self.body, self.content_type, headers=headers)


DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
ROBOTS = "User-agent: orbweb\nDisallow: /no\nCrawl-delay: 0.01\n"
HEAD = (
    '<html lang="de"><title>Home</title><meta name="description" content="x">'
    '<link rel="canonical" href="/"><meta name="robots" content="noarchive">'
)
DECLARED = (
    "<meta property=og:type content=article><meta property=og:site_name content=x>"
    "<meta name=author content=Jane><meta name=date content=2026-11-30>"
    "<meta name=revised content=2026-12-01><link rel=amphtml href=/amp>"
    "<link rel=alternate type=application/atom+xml href=/map.xml>"
    "<link rel=alternate hreflang=de href=/de>"
    '<script type="application/ld+json">{"@type": "BreadcrumbList",'
    '"itemListElement": [{"position": 1, "name": "Home"}]}</script>'
)
OG = ("title", "description", "url")
SITEMAP = (
    '<urlset xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">'
    "<url><loc>/b</loc><image:image><image:loc>/red.png</image:loc></image:image>"
    "</url></urlset>"
)


def site_of(serve: Any) -> tuple[Site, Changing]:
    changing = Changing()
    return serve(
        robots=reply(ROBOTS, "text/plain"),
        index=page(
            HEAD,
            DECLARED,
            link("/a", "/moved", "/cut", "/late", "/no", "/zip", "/map.xml", "/same"),
            link("/pdf", "/bom", "/meta", "/detected", "/og", "/twitter", "/header"),
            picture("/red.png", "/copy.png", "/broken.png"),
            '<link rel="stylesheet" href="/gone.css">',
        ),
        a=changing,
        same=Changing(headers=(("Content-Encoding", "identity"),)),
        b=page("<p>b"),
        moved=reply(b"x" * 70_000, status=301, headers=(("Location", "/b"),)),
        cut=page("<p>" + "x" * 70_000),
        late=reply(status=503, headers=(("Retry-After", "1"),)),
        zip=Changing(body="PK", content_type="application/zip; charset=utf-8"),
        pdf=reply(b"%PDF-1.7" + bytes(200_000), "application/pdf"),
        bom=reply(b"\xef\xbb\xbf<p>x", "text/html"),
        meta=reply("<meta charset=koi8-r><p>x", "text/html"),
        og=reply("".join(f"<meta property=og:{n} content=/o>" for n in OG)),
        twitter=reply("".join(f"<meta name=twitter:{n} content=x>" for n in OG)),
        header=reply("<p>", headers=(("Link", "</c>; rel=canonical"),)),
        detected=reply("<p>Größe", "text/html"),
        **{
            "map.xml": reply(SITEMAP, "application/xml"),
            "red.png": reply(png(), "image/png", headers=(("ETag", '"r"'),)),
            "copy.png": reply(png(), "image/png"),
            "broken.png": reply("<p>no image", "image/png"),
        },
    ), changing


def everything(
    serve: Any, folder: Path, tls_site: Site, authority: trustme.CA, ca_file: Path
) -> Iterable[Any]:
    site, changing = site_of(serve)
    site.pages["robots.txt"] = reply(ROBOTS + f"Sitemap: {site.base}/map.xml\n")
    name = f"www.site.test:{site.port}"
    settings = config(
        site,
        folder / "a",
        seeds=(f"http://{name}/",),
        http=HttpConfig(
            timeout=5.0,
            max_body=60_000,
            resolve=(f"www.site.test:{site.port}:127.0.0.1",),
        ),
        records=OutputConfig(
            record=("skips", "robots"), include=("links", "images", "headers", "jsonld")
        ),
        bodies=BodiesConfig(("html",)),
    )
    crawl(settings)
    changing.etag, changing.body = '"2"', "<p>new"
    site.pages["c"] = page("<p>c")
    site.pages["b"] = page(link("/c"))
    crawl(settings, "newer")
    yield from records(folder / "a")
    extract_crawl(folder / "a", replace(settings, dir=str(folder / "g")), print)
    yield from records(folder / "g")
    deferred = serve(robots=reply(status=503), index=page())
    crawl(config(deferred, folder / "b", records=settings.records, politeness=QUICK))
    yield from records(folder / "b")
    allowing = serve(
        index=page(link("/a", "/left-out"), "<script src=/no.js></script>"), a=page()
    )
    limited = config(
        allowing,
        folder / "c",
        records=settings.records,
        limits=LimitsConfig(max_pages=1, max_links=1),
        bodies=BodiesConfig(mirror=True),
    )
    crawl(limited)
    crawl(replace(limited, limits=LimitsConfig()), "resume")
    yield from records(folder / "c")
    odd = serve(
        index=page(link("/a", "/b", "/c", "/d")), **dict(zip("abcd", ODD, strict=True))
    )
    crawl(config(odd, folder / "f"))
    yield from records(folder / "f")
    tls = Config(
        seeds=(tls_site.url("/arrived", "127.0.0.1"),),
        dir=str(folder / "d"),
        robots=RobotsConfig(obey=False),  # whose request would make the connection
        http=replace(settings.http, ca_file=str(ca_file), resolve=()),
    )
    open_crawl(tls, mode="new").run()
    yield from records(folder / "d")
    old = Site(tls_site.pages, tls={"": one_suite(authority, "AES128-SHA")})
    seeds = (old.url("/arrived", "127.0.0.1"),)
    open_crawl(replace(tls, seeds=seeds, dir=str(folder / "e")), mode="new").run()
    old.stop()
    yield from records(folder / "e")


# Every fault that is tolerated, in three responses, and a page that breaks off.
ODD = (
    raw(
        b"\r\nHTTP/1.1 200OK\r\nHTTP/1.0 200 OK\r\nno colon\r\nno token: 1\r\n"
        b"X : 1\r\nX: \x01\r\nX: a\rb\r\nContent-Length: 3, 3\r\n\r\nabc"
    ),
    raw(b"HTTP/2 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n3\nabc\n0\n\n"),
    raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n"
    ),
    raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n<p>"),
)
QUICK = PolitenessConfig(wait=0.0, host_backoff=0.01, park_after=1, max_parkings=1)


def test_every_column_and_value_is_written(
    serve: Any, tmp_path: Path, tls_site: Site, authority: trustme.CA, ca_file: Path
) -> None:
    found = [
        one
        for one in everything(serve, tmp_path, tls_site, authority, ca_file)
        if one["type"] != "schema"
    ]
    filled = {
        (_owner(one["type"], name), name)
        for one in found
        for name, value in one.items()
        if value not in (None, (), [], "")
    }
    values = {
        (_owner(one["type"], name), name, value)
        for one in found
        for name, values in one.items()
        for value in (values if isinstance(values, list) else [values])
        if isinstance(value, str)
    }
    missing = set()
    for kind, record in RECORD_TYPES.items():
        for column in columns(record):
            name, owner = column.name, _owner(kind, column.name)
            if (owner, name) not in filled and (kind, name) not in ELSEWHERE:
                missing.add(f"{owner}.{name}")
            choices = () if name in BY_CODE else column.choices
            missing |= {
                f"{owner}.{name} = {choice}"
                for choice in choices
                if (owner, name, choice) not in values
                and (kind, choice) not in ELSEWHERE
            }
    assert missing == set()


def _owner(kind: str, name: str) -> str:
    """The class that defines a column: it is written if any of its records has it."""
    classes = RECORD_TYPES[kind].__mro__
    return next(one.__name__ for one in classes if name in one.__annotations__)
