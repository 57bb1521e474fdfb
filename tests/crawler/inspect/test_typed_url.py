"""A URL as a person types it: which URL of the crawl is meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.cli import run
from crawler.inspect.state import open_state
from crawler.inspect.typed_url import find_typed
from crawler.model.errors import UsageError
from tests.helpers.crawling import page
from tests.site.server import Site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    links = "<a href=/docs/>x</a><a href=/file>x</a><a href=/q?a=1&utm_source=x>x</a>"
    site = Site(
        {
            "": page(links, "<a href=http://b%C3%BCcher.example/>x</a>"),
            "docs": page("<a href=/>x</a><img src=https://pictures.example/a.png>"),
            "file": page(),
            "q": page(),
        }
    )
    yield site
    site.stop()


@pytest.fixture(scope="module")
def folder(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("typed") / "out"
    options = ["-w", "0", "-q", "--no-images"]
    run(["crawl", site.url("/"), "-d", str(folder), *options])
    return folder


def meant(folder: Path, site: Site, word: str) -> str:
    with open_state(folder) as (state, config):
        found = find_typed(state, config, word)
    assert found.row is None or found.row.url == found.url
    known = "" if found.row else "unknown "
    return known + found.url.replace(site.base, "")


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("HOST/docs/", "/docs/"),
        ("HOST/docs", "/docs/"),
        ("HOST/file/#part", "/file"),
        ("/docs", "/docs/"),
        ("/nothing", "unknown /nothing"),
        ("HTTP://HOST/file", "/file"),
        ("  HOST  ", "/"),
        ("HOST/q?a=1&utm_source=mail", "/q?a=1"),
        ("Bücher.EXAMPLE", "http://xn--bcher-kva.example/"),
        ("xn--bcher-kva.example/#top", "http://xn--bcher-kva.example/"),
        ("HOST/unknown?utm_source=mail", "unknown /unknown"),
        ("nowhere.example/x", "unknown https://nowhere.example/x"),
        ("https://HOST/file", "unknown https://HOST/file"),
    ],
)
def test_what_is_meant(folder: Path, site: Site, word: str, url: str) -> None:
    host = site.base.partition("://")[2]
    found = meant(folder, site, word.replace("HOST", host))
    assert found == url.replace("HOST", host)


def test_a_path_needs_a_host_where_there_are_several(folder: Path, site: Site) -> None:
    with open_state(folder) as (state, config):
        seeds = (*config.seeds, "https://other.example/")
        with pytest.raises(UsageError, match=r"--to /docs is a path, .*/docs"):
            find_typed(state, replace(config, seeds=seeds), "/docs", "--to")


@pytest.mark.parametrize("word", ["nothing", "http://", "mailto:a@b.example", ""])
def test_what_is_no_url(folder: Path, site: Site, word: str) -> None:
    with pytest.raises(UsageError):
        meant(folder, site, word)


def test_each_command_takes_it(
    folder: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    word = site.url("/docs").partition("://")[2] + "#x"
    assert run(["explain", word, str(folder)]) == 0
    shown = capfd.readouterr().out.splitlines()
    assert shown[:2] == [site.url("/docs/"), "  fetched: page"]
    assert run(["links", str(folder), "--to", word]) == 0
    assert capfd.readouterr().err == "1 link on 1 page\n"
    assert run(["links", str(folder), "--from", word]) == 0
    assert capfd.readouterr().err == "2 links on 1 page\n"
    picture = "pictures.example/a.png"  # none was fetched: the links alone know it
    assert run(["links", str(folder), "--to", picture]) == 0
    assert capfd.readouterr().err == "1 link on 1 page\n"


def test_one_that_the_crawl_does_not_know(
    folder: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    url = site.url("/unknown")
    for options in ([], ["--json"], ["--broken"]):
        assert run(["links", str(folder), "--to", url, *options]) == 0
        assert f"the crawl does not know {url}" in capfd.readouterr().err


def test_the_total_counts_what_a_limit_left_out(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["links", str(folder), "-n", "2"]) == 0
    assert capfd.readouterr().err == "6 links on 2 pages; the first 2 links are shown\n"
    assert run(["links", str(folder), "--external", "-n", "1"]) == 0
    assert capfd.readouterr().err == "1 link to 1 URL\n"
