"""Lists of seeds: a line that is no URL is named, and the others count."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from crawler.model.url import MAX_URL
from crawler.settings.seed_input import read_seeds
from tests.helpers.crawling import page, records
from tests.helpers.paths import PROGRAM
from tests.helpers.program import Orbweb
from tests.site.server import Site

BAD = [
    (b"http://[::1/", "is not a valid URL"),
    (b"two words", "is not a valid URL"),
    (b"ftp://a.test/", "the scheme ftp is not supported"),
    (b"http://u:pw@a.test/", "was given with a user name"),
    (b"http://a.test/\xff\xfe", "not UTF-8 text (byte 15)"),
    (b"http://a.test/\0x", "holds a NUL byte"),
    (b"http://a.test/" + b"x" * MAX_URL, f"longer than {MAX_URL} characters"),
    (b"http://a\x1b[2J.test/", "is not a valid URL"),
    ("\u202ehttp://a.test/".encode(), "is not a valid URL"),
]


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_a_line_that_is_no_url_is_named(line: bytes, reason: str) -> None:
    found = read_seeds(b"http://a.test/1\n\n" + line + b"\nhttp://a.test/2\n", "list")
    assert found.urls == ("http://a.test/1", "http://a.test/2")
    (problem,) = found.problems
    assert problem.startswith("list:3: ")
    assert reason in problem
    assert "pw" not in problem
    assert problem.isprintable()
    assert len(problem) < 400


@pytest.mark.parametrize(
    "data",
    [
        b"http://a.test/\nhttp://b.test/",
        b"http://a.test/\r\nhttp://b.test/\r\n",
        b"http://a.test/\rhttp://b.test/\r",
        b"\xef\xbb\xbfhttp://a.test/\nhttp://b.test/",
        "\ufeffhttp://a.test/\nhttp://b.test/".encode("utf-16-le"),
        "\ufeffhttp://a.test/\nhttp://b.test/".encode("utf-16-be"),
    ],
)
def test_encodings_and_ends_of_lines(data: bytes) -> None:
    found = read_seeds(data, "list")
    assert found.urls == ("http://a.test/", "http://b.test/")
    assert found.problems == ()


@pytest.fixture
def site(serve: Any) -> Site:
    site: Site = serve(a=page(), b=page())
    return site


def listed(site: Site) -> bytes:
    return f"{site.url('/a')}\nhttp://[bad\n{site.url('/b')}\n".encode()


QUICK = ["-d", "out", "-w", "0", "-q"]


@pytest.mark.parametrize("file", ["list", "-"])
def test_a_bad_line_does_not_refuse_the_rest(
    site: Site, tmp_path: Path, file: str
) -> None:
    (tmp_path / "list").write_bytes(listed(site))
    done = subprocess.run(
        [*PROGRAM, "crawl", "-i", file, *QUICK],
        cwd=tmp_path,
        input=listed(site),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0
    assert f"orbweb: {file}:2: " in done.stderr.decode()
    assert "the line is left out" in done.stderr.decode()
    pages = [one for one in records(tmp_path / "out") if one["type"] == "page"]
    assert len(pages) == 2


def test_strict_input_refuses_it(site: Site, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(listed(site))
    orbweb = Orbweb(tmp_path)
    for words in (["--strict-input", "-i", "list"], ["-i", "list", "--strict-input"]):
        done = orbweb("crawl", *words, *QUICK)
        assert done.returncode == 2
        assert done.stderr.startswith("orbweb: list:2: 'http://[bad' is not a valid")
    assert site.log == []
    assert not (tmp_path / "out").exists()


def test_a_list_without_any_url_names_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a b\n" * 30)
    done = Orbweb(tmp_path)("crawl", "-i", "list", *QUICK)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[0].startswith("orbweb: list:1: ")
    assert lines[20:] == [
        "and 10 lines more that are no URL",
        "--input-file list: no URL in it; write one URL per line",
    ]
