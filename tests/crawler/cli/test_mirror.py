"""`orbweb mirror` as a user runs it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from crawler.demo.server import DemoServer
from tests.helpers.program import QUICK, Orbweb, last_line, records


def opened(line: str) -> Path:
    """The page that the result line names."""
    found = re.search(r"Open (file://\S+) to read it offline", line)
    assert found is not None, line
    return Path(unquote(found[1].removeprefix("file://")))


def pages(folder: Path) -> set[str]:
    return {
        row["url"].rpartition("/")[2]
        for row in records(folder / "records.jsonl")
        if row["type"] == "page"
    }


def test_it_names_the_page_to_open_and_is_updated(
    orbweb: Orbweb, server: DemoServer, tmp_path: Path
) -> None:
    done = orbweb("mirror", server.url, *QUICK, "-d", "out")
    assert (done.returncode, done.stdout) == (0, "")
    first = opened(last_line(done))
    assert first.name == "index.html"
    assert first.parent.parent == tmp_path / "out" / "mirror"
    text = first.read_text()
    assert 'href="visit.html"' in text  # over a redirect
    assert f'href="{server.url}lost.html"' in text
    assert "Le café" in (first.parent / "cafe.html").read_text("windows-1252")
    again = orbweb("mirror", server.url, *QUICK, "-d", "out")
    assert opened(last_line(again)) == first
    assert "unchanged)" in last_line(again)
    assert first.read_text() == text


def test_its_scope_is_what_is_below_the_url(
    orbweb: Orbweb, server: DemoServer, tmp_path: Path
) -> None:
    url = f"{server.url}webs/orb.html"
    done = orbweb("mirror", url, *QUICK, "-d", "below")
    assert opened(last_line(done)).name == "orb.html"
    assert "about.html" not in pages(tmp_path / "below")
    orbweb("mirror", url, *QUICK, "-d", "host", "--scope", "host")
    assert "about.html" in pages(tmp_path / "host")
    (tmp_path / "crawl.toml").write_text('[scope]\nwithin = "host"\n')
    orbweb("mirror", url, *QUICK, "-d", "file", "--config", "crawl.toml")
    assert "about.html" in pages(tmp_path / "file")


def test_a_crawl_makes_one_too(
    orbweb: Orbweb, server: DemoServer, tmp_path: Path
) -> None:
    done = orbweb("crawl", server.url, *QUICK, "-d", "out", "--mirror", "-n", "2")
    assert opened(last_line(done)).is_file()
    done = orbweb("resume", "out", "-n", "none", *QUICK[:4])
    text = opened(last_line(done)).read_text()
    assert 'href="about.html"' in text
