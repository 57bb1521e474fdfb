"""Mirrors: a crawl whose files a browser reads offline, made again by each run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin

import pytest

import hub
from crawler.engine.archive.mirroring import MirrorMaker
from crawler.engine.builder import open_crawl
from crawler.engine.run_report import Summary
from crawler.model.config import Config
from crawler.model.content_config import BodiesConfig, ImagesConfig, OutputConfig
from crawler.model.errors import OutputError
from crawler.model.policy_config import LimitsConfig, ScopeConfig
from crawler.output.mirror.files import LIST, MIRROR
from crawler.policy.url_chains import MAX_IMPORT_DEPTH
from crawler.workspace.open import opened_store
from tests.helpers.crawling import (
    config,
    crawl,
    endings,
    link,
    of,
    page,
    picture,
    png,
    records,
    serve,
)
from tests.site.page import reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

CSS = "@import 'more.css'; p { background: url(/i/a.png) }"
MORE = "@font-face { font-family: x; src: url('f.woff2?#iefix') }"
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><image href="/i/deep.png"/></svg>'
FIRST = (
    "<!doctype html><link rel=stylesheet href=/main.css><script src=/s.js></script>"
    '<a href="/b?x=1&amp;y=2#f">b</a><a href="/old">old</a><a href="/gone">gone</a>'
    '<img src="/i/a.png" srcset="/i/b.png 2x"><img src="/i/d.svg">'
    "<video src=/v.mp4></video>"
)


def mirrored(site: Site, folder: Path, **changes: Any) -> Config:
    return config(site, folder, bodies=BodiesConfig(mirror=True), **changes)


def pages(**more: Any) -> dict[str, Any]:
    def pictures(exchange: Exchange) -> None:
        if exchange.hit.target == "/i/d.svg":
            exchange.reply(SVG, "image/svg+xml")
        else:
            exchange.reply(png(), "image/png")

    return {
        "index": reply(FIRST),
        "b": page("<p>b", link("/", "/b/c")),
        "old": reply(status=301, headers=(("Location", "/b/c"),)),
        "main.css": reply(CSS, "text/css"),
        "more.css": reply(MORE, "text/css"),
        "s.js": reply("1", "text/javascript"),
        "f.woff2": reply(b"wOF2", "font/woff2"),
        "v.mp4": reply(b"\0\0\0\x18ftypmp42", "video/mp4"),
        "i": pictures,
        **more,
    }  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    """The files of the mirror, by their paths without the host."""
    root = folder / MIRROR
    return {
        str(path.relative_to(root)).partition("/")[2]: path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != LIST
    }


def first(summary: Summary) -> Path:
    """The page that the result names."""
    assert summary.mirror is not None
    return Path(unquote(summary.mirror.removeprefix("file://")))


def test_all_that_pages_need_is_saved_and_referred_to(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(**pages())
    summary = crawl(mirrored(site, tmp_path))
    found = files(tmp_path)
    assert found["index.html"].decode() == (
        "<!doctype html><link rel=stylesheet href=main.css><script src=s.js></script>"
        '<a href="b@x=1&amp;y=2.html#f">b</a><a href="b/c.html">old</a>'
        f'<a href="{site.url("/gone")}">gone</a>'
        '<img src="i/a.png" srcset="i/b.png 2x"><img src="i/d.svg">'
        "<video src=v.mp4></video>"
    )
    assert found["main.css"].decode() == (
        "@import 'more.css'; p { background: url(i/a.png) }"
    )
    assert b"url('f.woff2@#iefix')" in found["more.css"]
    assert b'href="deep.png"' in found["i/d.svg"]
    assert found["i/deep.png"] == png()
    assert (found["s.js"], found["f.woff2@"]) == (b"1", b"wOF2")
    assert b'href="../index.html"' in found["b/c.html"]
    assert first(summary).read_bytes() == found["index.html"]
    kinds = {one["url"].removeprefix(site.base): one["link_kind"]
             for one in of(tmp_path, "file")}  # fmt: skip
    assert kinds == {
        "/main.css": "stylesheet", "/more.css": "css_import", "/s.js": "script",
        "/f.woff2?": "font", "/v.mp4": "media",
    }  # fmt: skip
    (hit,) = site.hits("/s.js")
    assert (hit.headers["accept"], hit.headers["referer"]) == ("*/*", site.url("/"))


def test_without_a_mirror_nothing_more_is_fetched(serve: Any, tmp_path: Path) -> None:
    site = serve(**pages())
    summary = crawl(config(site, tmp_path))
    assert summary.mirror is None
    assert not (tmp_path / MIRROR).exists()
    assert not {"/s.js", "/v.mp4", "/f.woff2?", "/i/deep.png"} & {
        *endings(tmp_path, site)
    }


def test_requisites_come_from_other_hosts_as_images_do(
    serve: Any, tmp_path: Path
) -> None:
    other = serve(**pages())
    refused = serve(robots=reply("User-agent: *\nDisallow: /"), **pages())
    site = serve(
        index=page(
            *(f"<script src={one.url('/s.js')}></script>" for one in (other, refused)),
            f"<link rel=stylesheet href={other.url('/main.css')}>",
            f"<a href={other.url('/b')}>x</a><iframe src={other.url('/b')}></iframe>",
        )
    )
    crawl(mirrored(site, tmp_path / "any"))
    text = files(tmp_path / "any")["index.html"].decode()
    host = f"../127.0.0.1+{other.port}"
    assert f"<script src={host}/s.js>" in text
    assert f"<link rel=stylesheet href={host}/main.css>" in text
    assert f"<script src={refused.url('/s.js')}>" in text
    assert f"<iframe src={other.url('/b')}>" in text
    scope = ScopeConfig(images_within="host")
    crawl(mirrored(site, tmp_path / "host", scope=scope))
    assert list(files(tmp_path / "host")) == ["index.html"]


def test_frames_outside_the_scope_are_fetched_and_their_links_are_not(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(
        index=page(),
        d=page("<iframe src=/nav>x</iframe><object data=/o.html></object>"),
        nav=page(link("/d/x", "/elsewhere"), picture("/i.png")),
        **{"i.png": reply(png(), "image/png"), "o.html": page()},
    )
    crawl(mirrored(site, tmp_path, scope=ScopeConfig(within="prefix"), seeds=(
        site.url("/d/"),)))  # fmt: skip
    assert files(tmp_path).keys() == {
        "d/index.html", "d/x.html", "nav.html", "i.png", "o.html",
    }  # fmt: skip
    assert b"src=../nav.html" in files(tmp_path)["d/index.html"]
    assert f'href="{site.url("/elsewhere")}"'.encode() in files(tmp_path)["nav.html"]


def test_a_frame_beyond_the_limit_of_pages_waits(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page(), d=page("<iframe src=/nav></iframe>"), nav=page())
    scope, limits = ScopeConfig(within="prefix"), LimitsConfig(max_pages=1)
    seeds = (site.url("/d/"),)
    summary = crawl(mirrored(site, tmp_path, scope=scope, limits=limits, seeds=seeds))
    assert (summary.finish_reason, summary.counts["queued"]) == ("limit_pages", 1)
    limits = LimitsConfig(max_pages=2)
    crawl(mirrored(site, tmp_path, scope=scope, limits=limits, seeds=seeds), "resume")
    assert b"src=../nav.html" in files(tmp_path)["d/index.html"]


def test_pictures_in_pictures_are_bounded(serve: Any, tmp_path: Path) -> None:
    def endless(exchange: Exchange) -> None:
        number = int(exchange.hit.target.partition("=")[2] or 0) + 1
        exchange.reply(SVG.replace("/i/deep.png", f"/x?n={number}"), "image/svg+xml")

    site = serve(index=page(picture("/x")), x=endless)
    crawl(mirrored(site, tmp_path, records=OutputConfig(record=("skips",))))
    assert len(of(tmp_path, "image")) == 1 + MAX_IMPORT_DEPTH
    (skip,) = of(tmp_path, "skip")
    assert (skip["reason"], skip["rule"]) == ("depth", "requisites: more than 5 deep")


def test_html_in_place_of_a_script_is_a_page(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page("<script src=/s.js></script>"), **{"s.js": page("lost")})
    crawl(mirrored(site, tmp_path))
    assert endings(tmp_path, site) == {"/": "page", "/s.js": "page"}
    assert b"src=s.js.html" in files(tmp_path)["index.html"]


def test_a_resume_converts_again(serve: Any, tmp_path: Path) -> None:
    site = serve(**pages())
    summary = crawl(mirrored(site, tmp_path, limits=LimitsConfig(max_pages=1)))
    assert summary.finish_reason == "limit_pages"
    before = files(tmp_path)
    assert f'"{site.url("/b?x=1&amp;y=2#f")}"'.encode() in before["index.html"]
    assert b"src=s.js" in before["index.html"]  # what the page needs is complete
    crawl(mirrored(site, tmp_path), "resume")
    whole = files(tmp_path)
    assert b'"b@x=1&amp;y=2.html#f"' in whole["index.html"]
    crawl(mirrored(site, tmp_path / "at once"))
    assert whole == files(tmp_path / "at once")


def test_a_recrawl_replaces_and_removes(serve: Any, tmp_path: Path) -> None:
    texts = {"a": "<p>one" + link("/b/c"), "b": "<p>b"}

    def answer(exchange: Exchange) -> None:
        text = texts.get(exchange.hit.target[1:2])
        exchange.reply(text or "", status=200 if text else 404)

    site = serve(index=page(link("/a", "/b/c")), a=answer, b=answer)
    crawl(mirrored(site, tmp_path))
    own = tmp_path / MIRROR / "mine.txt"
    own.write_text("not of the mirror")
    opened = (tmp_path / first(crawl(mirrored(site, tmp_path), "newer"))).parent
    reader = (opened / "a.html").open("rb")
    texts.update(a="<p>two" + link("/b/c"), b="")
    crawl(mirrored(site, tmp_path), "newer")
    assert b"<p>one" in reader.read()  # the old file was replaced, not overwritten
    reader.close()
    found = files(tmp_path)
    assert found.keys() == {"index.html", "a.html", ""}
    assert found["a.html"] == f'<p>two<a href="{site.url("/b/c")}">x</a>'.encode()
    assert own.exists()
    assert not (opened / "b").exists()


def test_the_same_mirror_is_not_written_again(serve: Any, tmp_path: Path) -> None:
    site = serve(**pages())
    crawl(mirrored(site, tmp_path))
    written = {
        path: path.stat().st_ino
        for path in (tmp_path / MIRROR).rglob("*")
        if path.is_file() and path.name != LIST
    }
    crawl(mirrored(site, tmp_path), "resume")
    assert {path: path.stat().st_ino for path in written} == written


@pytest.mark.parametrize("steps", range(0, 12, 3))
def test_a_conversion_that_was_killed_is_made_again(
    serve: Any, tmp_path: Path, steps: int
) -> None:
    site = serve(**pages())
    settings = mirrored(site, tmp_path)
    crawl(settings)
    whole = files(tmp_path)
    left = iter(range(steps))
    for path in sorted((tmp_path / MIRROR).rglob("*.html")):
        path.write_text("of an earlier run")
    (tmp_path / MIRROR / ".orbweb-new").write_text("half a fi")
    with opened_store(tmp_path) as store:
        maker = MirrorMaker(
            settings,
            store,
            lambda url, parent: None,
            lambda: next(left, None) is not None,
            pytest.fail,
        )
        assert not maker.make()
    crawl(settings, "resume")
    assert files(tmp_path) == whole
    assert not (tmp_path / MIRROR / ".orbweb-new").exists()


def test_an_interrupt_ends_the_conversion(serve: Any, tmp_path: Path) -> None:
    site = serve(**pages())
    opened = open_crawl(mirrored(site, tmp_path), mode="new")
    warnings: list[str] = []
    opened.events.on_warning(warnings.append)

    def interrupt() -> None:
        while not (tmp_path / MIRROR / LIST).exists():
            hub.sleep(0)
        opened.interrupt(2)

    hub.spawn(interrupt)
    assert opened.run().exit_code == 75
    assert "orbweb resume" in warnings[0]
    assert crawl(mirrored(site, tmp_path), "resume").mirror


def test_a_body_that_is_gone_is_not_referred_to(serve: Any, tmp_path: Path) -> None:
    site = serve(**pages())
    crawl(mirrored(site, tmp_path))
    (script,) = (tmp_path / "bodies").rglob("*.js")
    script.unlink()
    crawl(mirrored(site, tmp_path), "resume")
    assert f"src={site.url('/s.js')}".encode() in files(tmp_path)["index.html"]
    assert "s.js" not in files(tmp_path)


def test_duplicates_have_files(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page(link("/a", "/b/c")), a=page(), b=page())
    scope = ScopeConfig(dedupe_content=True)
    crawl(mirrored(site, tmp_path, scope=scope))
    assert files(tmp_path).keys() == {"index.html", "a.html", "b/c.html"}


def test_no_symbolic_link_is_followed(serve: Any, tmp_path: Path) -> None:
    site = serve(**pages())
    out, folder = tmp_path / "out", tmp_path / "crawl"
    out.mkdir()
    folder.mkdir()
    (folder / MIRROR).symlink_to(out)
    with pytest.raises(OutputError, match="symbolic link"):
        crawl(mirrored(site, folder))
    (folder / MIRROR).unlink()
    (folder / MIRROR).mkdir()
    (folder / MIRROR / f"127.0.0.1+{site.port}").symlink_to(out)
    with pytest.raises(OutputError, match="symbolic link"):
        crawl(mirrored(site, folder), "resume")
    assert list(out.iterdir()) == []


def test_every_local_reference_leads_to_a_file(serve: Any, tmp_path: Path) -> None:
    """Names that are hard on a disk, over HTTP and back."""
    names = ["a", "a/b", "A", "a?x=/../..", "caf%C3%A9", "a%2F..%2Fb", "con", "x.",
             ".h", "%E2%80%AE", "l" * 300, "a:b", "b/", "b/index.html",
             "b;c=d"]  # fmt: skip
    site = serve(index=page(link(*(f"/s/{name}" for name in names))), s=page("<p>s"))
    crawl(mirrored(site, tmp_path))
    root = first(crawl(mirrored(site, tmp_path), "resume"))
    links = re.findall(r'href="([^"]*)"', root.read_text())
    assert len(links) == len(names)
    for one in links:
        target = unquote(urljoin(root.as_uri(), one).removeprefix("file://"))
        assert Path(target).read_text().endswith("<p>s")
        assert Path(target).is_relative_to(root.parent)
    pages_ = [one for one in records(tmp_path) if one["type"] == "page"]
    assert len(pages_) == 1 + len(names)


def test_links_lose_tracking_parameters_and_pictures_keep_them(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(
        index=page(link("/a?utm_source=x&amp;b=1#f"), picture("/i.png?utm_source=x")),
        a=page(),
        **{"i.png": reply(png(), "image/png")},
    )
    crawl(mirrored(site, tmp_path))
    text = files(tmp_path)["index.html"].decode()
    assert 'href="a@b=1.html#f"' in text
    assert 'src="i.png@utm_source=x.png"' in text


def test_what_was_crawled_in_place_of_a_trap_is_referred_to(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(index=page(link("/a?sid=1", "/a")), a=page())
    scope = ScopeConfig(rules=("-sid=",))
    settings = mirrored(site, tmp_path, scope=scope)
    crawl(settings)
    assert f'"{site.url("/a?sid=1")}"' in files(tmp_path)["index.html"].decode()

    def without_sid(url: str, parent: str) -> str | None:
        assert parent == site.url("/")
        return url.partition("?")[0] if "sid" in url else None

    with opened_store(tmp_path) as store:
        MirrorMaker(settings, store, without_sid, lambda: True, pytest.fail).make()
    assert files(tmp_path)["index.html"].count(b'href="a.html"') == 2


def test_without_images_pages_have_their_styles_and_scripts(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(**pages())
    crawl(mirrored(site, tmp_path, images=ImagesConfig(fetch=False)))
    found = files(tmp_path)
    assert {"main.css", "more.css", "s.js", "f.woff2@"} < found.keys()
    assert f"url({site.url('/i/a.png')})".encode() in found["main.css"]
