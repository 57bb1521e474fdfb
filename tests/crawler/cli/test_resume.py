"""`orbweb resume` with other settings: what changes, what is checked anew, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from tests.helpers.crawling import TERMINAL, link, page, records
from tests.site.page import reply
from tests.site.server import Exchange, Handler, Site

HASTY = ["-w", "0", "--per-host", "8", "-t", "1", "-q"]


def chain(part: str) -> Handler:
    """Ten pages, each of which links to the next."""

    def handle(exchange: Exchange) -> None:
        n = int(exchange.arg("0"))
        onward = link(f"/{part}/{n + 1}") if n < 9 else ""
        exchange.reply(f"<title>{part}{n}</title>{onward}")

    return handle


@pytest.fixture
def site() -> Iterator[Site]:
    """Ten pages in /a/, ten in /b/, one link below the other; /b/ forbids robots."""
    pages = {
        "": page(link("/a/0", "/b/0")),
        "a": chain("a"),
        "b": chain("b"),
        "robots.txt": reply("User-agent: *\nDisallow: /b/5\n", "text/plain"),
    }
    running = Site(pages)
    yield running
    running.stop()


def ends(folder: Path, site: Site) -> dict[str, str]:
    """The type of the last record of each URL."""
    return {
        record["url"].removeprefix(site.base): record["type"]
        for record in records(folder)
        if record["type"] in TERMINAL
    }


def changed(folder: Path) -> list[list[str]]:
    """The changed settings of each started run."""
    return [
        [" ".join(change.values()) for change in record["changed_settings"]]
        for record in records(folder)
        if record.get("event") == "started"
    ]


def whole(site: Site, folder: Path, *options: str) -> dict[str, str]:
    """What one crawl with these options records."""
    assert run(["crawl", site.url("/"), "-d", str(folder), *HASTY, *options]) == 0
    return ends(folder, site)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["-n", "3"], ["-n", "none"]),
        (["-l", "2"], ["-l", "none"]),
        (["-l", "2"], ["-s", "scope.depth=4"]),
        (["--max-pages-per-host", "4"], ["--max-pages-per-host", "none"]),
        (["--max-pages-per-template", "2"], ["--max-pages-per-template", "5"]),
        (["--exclude", "/b/"], ["--include", "/b/[0-3]"]),
        (["--scope", "page"], ["--scope", "host"]),
        ([], ["--no-robots"]),
        (["-Q", "1"], ["-Q", "none"]),
    ],
)
@pytest.mark.parametrize("recorded", [(), ("--record", "skips")])
def test_urls_that_a_former_setting_refused_are_checked_anew(
    site: Site,
    tmp_path: Path,
    before: list[str],
    after: list[str],
    recorded: tuple[str, ...],
) -> None:
    folder = tmp_path / "out"
    expected = whole(site, tmp_path / "whole", *before, *after)
    start = ["crawl", site.url("/"), "-d", str(folder), *HASTY, *before, *recorded]
    assert run(start) == 0
    first = {url for url, kind in ends(folder, site).items() if kind == "page"}
    assert run(["resume", str(folder), *after, "-q"]) == 0
    found = {u: kind for u, kind in ends(folder, site).items() if kind != "skip"}
    assert found == expected
    assert len(found) > len(first)
    assert [len(of_run) for of_run in changed(folder)] == [0, 1]
    pages = [r["url"] for r in records(folder) if r["type"] == "page"]
    assert len(pages) == len(set(pages))


def test_urls_that_wait_and_are_out_of_scope_now_are_skips(
    site: Site, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    start = ["crawl", site.url("/"), "-d", str(folder), *HASTY, "--record", "skips"]
    assert run([*start, "-n", "1"]) == 0
    assert run(["resume", str(folder), "-q", "-n", "none", "--exclude", "/b/"]) == 0
    found = ends(folder, site)
    assert found.pop("/b/0") == "skip"
    assert sorted(found) == sorted(["/", *(f"/a/{n}" for n in range(10))])


def test_what_changes_is_shown_and_recorded_without_secrets(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    start = ["crawl", site.url("/"), "-d", str(folder), *HASTY, "-n", "1"]
    assert run(start) == 0
    capsys.readouterr()
    given = ["-n", "2", "-H", "Cookie: id=geheim", "-T", "90s", "-Q", "10M"]
    assert run(["resume", str(folder), *given]) == 0
    shown = capsys.readouterr().err
    assert "orbweb: limits.max_pages 1 -> 2\n" in shown
    assert "orbweb: limits.max_bytes none -> 10M\n" in shown
    assert "http.headers" in shown
    assert changed(folder)[0] == []
    assert "limits.max_pages 1 2" in changed(folder)[1]
    assert records(folder)[-1]["changed_settings"] == []
    assert "geheim" not in shown + (folder / "records.jsonl").read_text()
    assert site.hits("/")[-1].headers["cookie"] == "id=geheim"
    assert run(["resume", str(folder), "-n", "2", "-q"]) == 0
    assert changed(folder)[2] == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["-s", "seeds=['https://other.test/']"], "is not a seed of the crawl"),
        (
            ["--plugin", "tests.helpers.plugins:FirstHeading"],
            "plugin can't change on a resume",
        ),
        (["--schema-line"], "records.schema_line can't change on a resume"),
        (["--field", "x=css:h1::text"], "fields can't get other names"),
        (["-o", "new.jsonl"], "holds committed records of this crawl and stays"),
        (["-o", "out/records.jsonl", "-o", "b.jsonl.gz"], "its name must end as"),
        (["-d", "elsewhere"], "name it as in `orbweb resume DIR`"),
        (["http://h.example/"], "http://h.example/ is not a seed of the crawl in"),
        (["--max-pages-per-host", "0"], "none means no limit"),
    ],
)
def test_what_cannot_change_is_refused_in_one_sentence(
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    whole(site, tmp_path / "out", "-n", "1")
    before = (tmp_path / "out/records.jsonl").read_bytes()
    capsys.readouterr()
    assert run(["resume", "out", *given, "-n", "5"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert (tmp_path / "out/records.jsonl").read_bytes() == before
    assert run(["resume", "out", "-n", "none", "-q"]) == 0
    assert changed(tmp_path / "out")[1] == ["limits.max_pages 1 none"]


def test_warc_files_keep_their_names(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    whole(site, folder, "-n", "1", "--warc=first")
    assert run(["resume", str(folder), "-n", "2", "--warc=second"]) == 2
    assert "the WARC files have their names already" in capsys.readouterr().err
    assert run(["resume", str(folder), "-n", "2", "-q"]) == 0
    assert list(folder.glob("**/second*")) == []


def test_an_output_that_is_added_gets_all_records(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    whole(site, folder, "-n", "3")
    both = ["-o", str(folder / "records.jsonl"), "-o", str(tmp_path / "b.jsonl")]
    other = tmp_path / "b.jsonl"
    other.write_text("something else\n")
    assert run(["resume", str(folder), "-n", "5", *both]) == 2
    assert "is there already" in capsys.readouterr().err
    assert other.read_text() == "something else\n"
    other.write_bytes((folder / "records.jsonl").read_bytes()[:100])  # was killed
    assert run(["resume", str(folder), "-n", "5", "-q", *both]) == 0
    assert run(["resume", str(folder), "-n", "none", "-q"]) == 0
    assert other.read_bytes() == (folder / "records.jsonl").read_bytes()
    assert len(ends(folder, site)) == len(set(ends(folder, site)))


def test_a_file_gives_settings_to_one_crawl_or_to_all_its_jobs(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"seeds = ['{site.url('/')}']\nlimits.max_pages = %s\n"
    (tmp_path / "one.toml").write_text("dir = 'one'\n" + text % 2)
    assert run(["crawl", "--config", "one.toml", *HASTY]) == 0
    (tmp_path / "one.toml").write_text("dir = 'one'\n" + text % 4)
    assert run(["resume", "one", "--config", "one.toml", "-q"]) == 0
    assert changed(tmp_path / "one")[1] == ["limits.max_pages 2 4"]
    jobs = "".join(f"[[job]]\ndir = '{name}'\n" for name in ("one", "two"))
    (tmp_path / "two.toml").write_text(text % 5 + jobs)
    assert run(["resume", "--config", "two.toml", "-n", "6", "-w", "0", "-q"]) == 0
    assert changed(tmp_path / "one")[2] == ["limits.max_pages 4 6"]
    assert sum(kind == "page" for kind in ends(tmp_path / "two", site).values()) == 6


def test_the_environment_and_a_nearer_option_count(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    whole(site, folder, "-n", "1")
    monkeypatch.setenv("ORBWEB_LIMITS_MAX_PAGES", "7")
    assert run(["resume", str(folder), "-q"]) == 0
    assert run(["resume", str(folder), "-q", "-n", "8"]) == 0
    assert changed(folder)[1:] == [["limits.max_pages 1 7"], ["limits.max_pages 7 8"]]


def test_responses_under_other_headers_are_not_reused_by_a_recrawl(
    site: Site, tmp_path: Path
) -> None:
    site.pages["a"] = reply("<p>x", headers=(("ETag", '"1"'),))
    folder = tmp_path / "out"
    whole(site, folder)
    assert run(["recrawl", str(folder), "-q"]) == 0
    assert site.hits("/a/0")[-1].headers["if-none-match"] == '"1"'
    assert run(["resume", str(folder), "-q", "-U", "me/1"]) == 0
    assert run(["recrawl", str(folder), "-q"]) == 0
    assert "if-none-match" not in site.hits("/a/0")[-1].headers
    assert json.loads((folder / "records.jsonl").read_text().splitlines()[-1])


def test_help_shows_the_options_of_a_crawl(capsys: pytest.CaptureFixture[str]) -> None:
    run(["resume", "--help"])
    shown: Any = capsys.readouterr().out
    for option in ("--depth", "--header", "--set", "--config", "--wait", "--output"):
        assert option in shown
    for option in ("--fresh", "--plugin", "--schema-line", "--input-file"):
        assert option not in shown
