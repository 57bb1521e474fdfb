"""What a limit leaves out of documents: in their records and in `orbweb status`."""

from __future__ import annotations

import re
import shlex
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.cli import run
from crawler.engine.images import versions
from crawler.model.content_config import BodiesConfig, ImagesConfig
from crawler.model.policy_config import LimitsConfig
from tests.helpers.crawling import config, crawl, link, page, png, records, serve
from tests.site.page import reply
from tests.site.server import Exchange

__all__ = ["serve"]

ETAG = (("ETag", '"1"'),)


def unchanging(body: str, content_type: str = "text/html") -> Any:
    """Answers 304 to whom has it already."""

    def answer(exchange: Exchange) -> None:
        if exchange.hit.headers.get("if-none-match"):
            exchange.reply(status=304, headers=ETAG)
        else:
            exchange.reply(body, content_type, headers=ETAG)

    return answer


def site_of(serve: Any) -> Any:
    """Two links are the limit: of the two pages one has more, and so has a sitemap."""
    sitemap = "".join(f"<url><loc>/{n}</loc></url>" for n in range(3))
    return serve(
        index=unchanging("<p>" + link("/a", "/map.xml")),
        a=unchanging("<p>" + link("/", "/map.xml", "/c")),
        **{"map.xml": unchanging(f"<urlset>{sitemap}</urlset>", "text/xml")},
    )


def left_out(folder: Path) -> dict[str, list[str]]:
    """By path; the last record of each document counts."""
    return {
        row["url"].split("/", 3)[3]: row["left_out"]
        for row in records(folder)
        if row["type"] in ("page", "file")
    }


EXPECTED = {"": [], "a": ["links"], "map.xml": ["links"]}


def test_records_and_status_say_it_also_after_a_304(
    serve: Any, tmp_path: Path, capsys: Any
) -> None:
    settings = config(site_of(serve), tmp_path, limits=LimitsConfig(max_links=2))
    crawl(settings)
    assert left_out(tmp_path) == EXPECTED
    assert run(["status", str(tmp_path)]) == 0
    cut = next(one for one in capsys.readouterr().out.splitlines() if "  cut  " in one)
    assert cut.startswith(f"  cut      links 2: orbweb export {tmp_path} ")
    assert run(shlex.split(cut)[4:]) == 0
    listed = capsys.readouterr().out.splitlines()[1:]
    expected = ['/a,"[""links""]"', '/map.xml,"[""links""]"']
    assert sorted("/" + one.split("/", 3)[3] for one in listed) == expected
    crawl(settings, "newer")
    again = [row for row in records(tmp_path) if row.get("from_cache")]
    assert [row["from_cache"] for row in again[-3:]] == ["not_modified"] * 3
    assert left_out(tmp_path) == EXPECTED
    assert run(["status", str(tmp_path)]) == 0
    assert "  cut      links 2: " in capsys.readouterr().out


def test_explain_and_report_say_it(serve: Any, tmp_path: Path, capsys: Any) -> None:
    site = site_of(serve)
    settings = config(site, tmp_path, limits=LimitsConfig(max_links=2))
    told = "a limit has left something out of it: links or images\n"

    def shown_of(path: str) -> str:
        assert run(["explain", site.url(path), str(tmp_path)]) == 0
        shown: str = capsys.readouterr().out
        return shown

    def reported() -> str:
        assert run(["report", str(tmp_path)]) == 0
        page = (tmp_path / "report.html").read_text("utf-8")
        return page.partition('id="cut"')[2].partition("</section></section>")[0]

    crawl(settings)
    for again in ("", "unchanged since the crawl before, "):
        if again:
            crawl(settings, "newer")
        for path, kind in (("/a", "page"), ("/map.xml", "file")):
            shown = shown_of(path)
            assert f"\n  fetched: {kind}, {again}{told}" in shown
            assert f"\n  cut       {told}" in shown
        assert "limit has" not in shown_of("/")
        text = reported()
        assert "left something out of 2 documents: links or images of 2." in text
        named = re.findall(r'href="http://[^/]+/([^"]*)"', text)
        assert sorted(named) == ["a", "map.xml"]
        (command,) = re.findall(r'data-copy="([^"]+)"', text)
        assert run(shlex.split(unescape(command))[1:]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_report_of_a_crawl_without_cuts_has_no_such_section(
    serve: Any, tmp_path: Path
) -> None:
    crawl(config(serve(index=page("x")), tmp_path))
    assert run(["report", str(tmp_path)]) == 0
    assert 'id="cut"' not in (tmp_path / "report.html").read_text("utf-8")


def test_pages_that_the_extraction_process_reads_say_the_same(
    serve: Any, tmp_path: Path
) -> None:
    settings = config(site_of(serve), tmp_path, limits=LimitsConfig(max_links=2))
    crawl(replace(settings, extract_processes=1))
    assert left_out(tmp_path) == EXPECTED


def named(*names: str) -> Any:
    """One picture in several versions."""
    candidates = ", ".join(f"/i/{name} {at}w" for at, name in enumerate(names, 1))
    return page(f'<img src="/i/{names[0]}" srcset="{candidates}">')


@pytest.mark.parametrize("srcset", ["best", "all"])
def test_versions_of_a_picture_that_are_not_remembered(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, srcset: Any
) -> None:
    """Where all are fetched, none has to take the place of another."""
    monkeypatch.setattr(versions, "MAX_VERSIONS", 2)
    site = serve(
        index=page(link("/whole", "/cut", "/sizes", "/fewer")),
        whole=named("a", "b", "c"),
        cut=named("d", "e", "f", "g"),
        fewer=page(*(f'<img src="/i/x-{n}00x90.png">' for n in range(1, 4))),
        sizes=page(*(f'<img src="/i/y-{n}00x90.png">' for n in range(1, 5))),
        i=reply(png(), "image/png"),
    )
    crawl(config(site, tmp_path, images=ImagesConfig(srcset=srcset)))
    told = ["links"] if srcset == "best" else []
    assert left_out(tmp_path) == {
        "": [], "whole": [], "fewer": [], "cut": told, "sizes": told
    }  # fmt: skip


def test_versions_are_nothing_to_a_crawl_without_images(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "MAX_VERSIONS", 2)
    site = serve(index=named("d", "e", "f", "g"))
    crawl(config(site, tmp_path, images=ImagesConfig(fetch=False)))
    assert left_out(tmp_path) == {"": []}


def test_what_a_mirror_does_not_fetch_of_a_page(serve: Any, tmp_path: Path) -> None:
    def scripts(number: int) -> str:
        return "".join(f"<script src=/s/{n}.js></script>" for n in range(number))

    fonts = "@font-face { src: url(/s/%d.woff) }"
    site = serve(
        index=page(link("/cut", "/two"), "<link rel=stylesheet href=/a.css>"),
        two=page(scripts(2)),
        cut=page(scripts(3)),
        s=reply("x", "text/javascript"),
        **{"a.css": reply("".join(fonts % n for n in range(3)), "text/css")},
    )
    limits, bodies = LimitsConfig(max_links=2), BodiesConfig(save=("all",), mirror=True)
    crawl(config(site, tmp_path, limits=limits, bodies=bodies))
    found = {path: kinds for path, kinds in left_out(tmp_path).items() if kinds}
    assert found == {"cut": ["links"], "a.css": ["links"]}
