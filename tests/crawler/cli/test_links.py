"""`orbweb links`: what is shown of each link, and which links are chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from tests.helpers.crawling import page, png
from tests.site.page import reply
from tests.site.server import Site


def moved(to: str) -> Any:
    return reply(status=301, headers=(("Location", to),))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site(
        {
            "": page(
                "<a href=/a>The a</a><a href=/gone>Gone</a><a href=/old>Old</a>",
                "<a href=/lost>Lost</a><a href=http://far.example/>Far</a>",
                "<a href=/no>No</a><a href=/loop>Loop</a><img src=/i.png alt=pic>",
            ),
            "a": page("<a href=/gone>Also gone</a><img src=/gone><a href=/>home</a>"),
            "b": page("unlinked"),
            "old": moved("/older"),
            "older": moved("/a"),
            "lost": moved("/gone"),
            "loop": moved("/pool"),
            "pool": moved("/loop"),
            "i.png": reply(png(), "image/png"),
            "robots.txt": reply("User-agent: *\nDisallow: /no", "text/plain"),
        }
    )
    yield site
    site.stop()


@pytest.fixture(scope="module")
def folder(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("links") / "out"
    run(["crawl", site.url("/"), "-d", str(folder), "-w", "0", "-q"])
    return folder


Shown = list[tuple[str, str, str | None]]


def listed(
    folder: Path, site: Site, capfd: pytest.CaptureFixture[str], *options: str
) -> list[dict[str, Any]]:
    assert run(["links", str(folder), "--json", *options]) == 0
    text = capfd.readouterr().out.replace(site.base, "")
    return [json.loads(line) for line in text.splitlines()]


def brief(lines: list[dict[str, Any]]) -> Shown:
    return [(one["source_url"], one["target_url"], one["text"]) for one in lines]


def test_every_link_with_what_became_of_it(
    folder: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = listed(folder, site, capfd, "--from", site.url("/"))
    assert [
        (one["target_url"], one["text"], one["state"], one["status"], one["code"])
        for one in lines
    ] == [
        ("/a", "The a", "page", 200, None),
        ("/gone", "Gone", "error", 404, "status_4xx"),
        ("/old", "Old", "redirect", 301, None),
        ("/lost", "Lost", "redirect", 301, None),
        ("http://far.example/", "Far", "skip", None, "scope"),
        ("/no", "No", "skip", None, "robots"),
        ("/loop", "Loop", "redirect", 301, None),
        ("/i.png", "pic", "image", 200, None),
    ]


def test_broken_are_those_that_end_in_an_error(
    folder: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = listed(folder, site, capfd, "--broken")
    assert brief(lines) == [
        ("/", "/gone", "Gone"),
        ("/", "/lost", "Lost"),
        ("/", "/loop", "Loop"),
        ("/a", "/gone", "Also gone"),
        ("/a", "/gone", None),
    ]
    ends = {
        one["target_url"]: (one["redirects"], one["final_status"], one["final_code"])
        for one in lines
    }
    assert ends == {
        "/gone": ([], None, None),
        "/lost": (["/gone"], 404, "status_4xx"),
        "/loop": (["/pool"], None, "redirect_loop"),
    }


def test_redirects_with_all_their_hops(
    folder: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = listed(folder, site, capfd, "--redirects", "--to", site.url("/old"))
    assert [(one["target_url"], one["redirects"]) for one in lines] == [
        ("/old", ["/older", "/a"])
    ]
    assert (lines[0]["final_status"], lines[0]["broken"]) == (200, False)


def test_external_and_to_and_from(
    folder: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    far = [("/", "http://far.example/", "Far")]
    assert brief(listed(folder, site, capfd, "--external")) == far
    home = [("/a", "/", "home")]
    assert brief(listed(folder, site, capfd, "--to", site.url("/"))) == home
    some = listed(folder, site, capfd, "--from", site.url("/a"), "--broken", "-n", "1")
    assert brief(some) == [("/a", "/gone", "Also gone")]
    assert listed(folder, site, capfd, "--to", "http://nowhere.example/") == []


def test_as_text_each_target_once_with_its_pages(
    folder: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["links", str(folder), "--broken"]) == 0
    shown = capfd.readouterr()
    lines = [line.rstrip() for line in shown.out.replace(site.base, "").splitlines()]
    assert lines == [
        "404           /gone  on 2 pages",
        '              /  "Gone"',
        '              /a  "Also gone"',
        "301           /lost  on 1 page",
        "              -> /gone  404",
        '              /  "Lost"',
        "301           /loop  on 1 page",
        "              -> /pool  redirect_loop",
        '              /  "Loop"',
    ]
    assert shown.err == "4 links to 3 URLs\n"


def test_as_text_below_the_pages(
    folder: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["links", str(folder), "--from", site.url("/a")]) == 0
    shown = capfd.readouterr()
    assert shown.out.replace(site.base, "").splitlines() == [
        "/a",
        '  404           /gone  "Also gone"',
        '  200           /  "home"',
        "  404           /gone",
    ]
    assert shown.err == "3 links on 1 page\n"


def test_words_that_are_no_url(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["links", str(folder), "--to", "x"]) == 2
    assert "--to x: not a URL" in capfd.readouterr().err
    assert run(["links", str(folder), "--from", "http://nowhere.example/"]) == 2
    assert "the crawl has read no links there" in capfd.readouterr().err
