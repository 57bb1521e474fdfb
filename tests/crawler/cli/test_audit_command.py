"""`orbweb audit`: text, JSON, and the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from tests.helpers.crawling import page, serve
from tests.helpers.paths import ROOT
from tests.site.page import reply
from tests.site.server import Site

__all__ = ["serve"]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    described = "<meta name=description content=Home>"
    site = Site(
        {
            "": page(described, "<a href=/a>To a</a><a href=/gone>\x1b[31mGone</a>"),
            "a": reply("<!doctype html><a href=/gone>Also gone</a>"),
        }
    )
    yield site
    site.stop()


@pytest.fixture(scope="module")
def folder(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("audit") / "out"
    run(["crawl", site.url("/"), "-d", str(folder), "-w", "0", "-q"])
    return str(folder)


def test_as_text(folder: str, site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", folder]) == 0
    text = capfd.readouterr().out.replace(site.base, "")
    assert text.startswith(
        "2 pages, 3 links\n"
        "\n"
        "error    Broken links: 1\n"
        "  /gone  404 Not Found\n"
        '      /  "?[31mGone"\n'
        '      /a  "Also gone"\n'
        "\n"
        "warning  Pages without a title: 1\n"
        "  /a\n"
        "\n"
        "warning  Pages without a description: 1\n"
        "  /a\n"
        "\n"
        "info     Slowest pages: 2\n"
    )
    assert "Nothing found: redirect loops, redirect chains, conflicts of" in text
    assert "read no sitemap (--sitemaps)" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_a_sitemap_that_was_wanted_and_not_found(
    site: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    run(["crawl", site.url("/"), "-d", out, "-w", "0", "-q", "--sitemaps", "-n", "1"])
    assert run(["audit", out]) == 0
    text = " ".join(capfd.readouterr().out.split())
    assert "has read no sitemap (robots.txt names none that could be read;" in text


def test_translations_that_a_sitemap_names(
    serve: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pages: dict[str, Any] = {"en": page("en"), "de": page("de"), "index": page()}
    site = serve(**pages)
    names = f'<xhtml:link rel="alternate" hreflang="de" href="{site.url("/de")}"/>'
    listed = reply(
        '<urlset xmlns:xhtml="http://www.w3.org/1999/xhtml"><url><loc>'
        f"{site.url('/en')}</loc>{names}</url></urlset>",
        "application/xml",
    )
    site.pages = {**site.pages, "map.xml": listed}
    out = str(tmp_path / "out")
    run(["crawl", site.url("/"), site.url("/map.xml"), "-d", out, "-w", "0", "-q"])
    assert run(["audit", out, "--fail-on", "hreflang_without_return"]) == 8
    text = capfd.readouterr().out.replace(site.base, "")
    assert "/en  de: it does not name this page\n      /de\n" in text


def test_as_json(folder: str, site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", folder, "--json", "-n", "1"]) == 0
    found = json.loads(capfd.readouterr().out.replace(site.base, ""))
    assert (found["pages"], found["links"], found["has_sitemap"]) == (2, 3, False)
    names = [one["name"] for one in found["sections"]]
    assert len(names) == len(set(names)) == 15
    broken = found["sections"][0]
    assert (broken["name"], broken["level"], broken["count"]) == (
        "broken_links", "error", 1,
    )  # fmt: skip
    assert broken["findings"][0]["related"][1] == {"url": "/a", "text": "Also gone"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("error", 8),
        ("redirect_loops,missing_titles", 8),
        ("warning", 8),
        ("redirect_loops", 0),
        ("mixed_content", 0),
        ("info", 2),
        ("nonsense", 2),
    ],
)
def test_the_exit_code_is_what_fail_on_says(
    folder: str, words: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", folder, "--fail-on", words]) == code
    capfd.readouterr()


@pytest.mark.parametrize(("fatal", "code"), [("error", 8), ("redirect_loops", 0)])
def test_a_reader_that_has_left_does_not_change_the_exit_code(
    folder: str, fatal: str, code: int
) -> None:
    """In `orbweb audit --fail-on error | head -1` head ends before all is written."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, str(ROOT / "cli.py"), "audit", folder]
    done = subprocess.run(
        [*command, "--fail-on", fatal],
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=300,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (code, b"")


def test_a_crawl_that_is_unfinished(
    site: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    run(["crawl", site.url("/"), "-d", out, "-w", "0", "-q", "-n", "1"])
    says = f"the crawl is unfinished: 2 URLs are left (orbweb status {out})"
    assert run(["audit", out]) == 0
    assert capfd.readouterr().out.startswith(f"1 page, 2 links\nwarning  {says}\n")
    assert run(["audit", out, "--json", "--fail-on", "error"]) == 0
    shown = capfd.readouterr()
    assert json.loads(shown.out)["urls_left"] == 2
    assert shown.err == f"orbweb: {says}\n"
    assert run(["audit", out, "--json", "--fail-on", "error,unfinished"]) == 8
    capfd.readouterr()
    for words in (["--broken"], ["--json"]):
        assert run(["links", out, *words]) == 0
        assert f"orbweb: {says}\n" in capfd.readouterr().err
    run(["resume", out, "-q", "-n", "none"])
    assert run(["audit", out, "--json", "--fail-on", "unfinished"]) == 0
    shown = capfd.readouterr()
    assert (json.loads(shown.out)["urls_left"], shown.err) == (0, "")
