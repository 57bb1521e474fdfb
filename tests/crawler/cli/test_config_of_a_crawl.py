"""`orbweb config show DIR`: the settings with which a resume goes on, as TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.cli import run
from crawler.frontier.sqlite.database import FILE_NAME
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.settings.load import load
from crawler.workspace.open import opened_store, stored_config
from tests.helpers.crawling import link, page
from tests.site.server import Site

SECRET = "hunter2"
HASTY = ["-w", "0", "-t", "1", "-q", "--no-images"]
SETTINGS = """\
output = ["out.jsonl"]
[fields]
heading = "css:h1::text"
[scope]
rules = ["+/", "-/private/"]
[limits]
max_bytes = "50M"
max_time = "90m"
[politeness]
max_adaptive_wait = "2.5s"
[http]
headers = { "X-Api-Key" = "env:SITE_KEY", "X-Note" = "a \\"quoted\\" word" }
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    running = Site({"": page(link("/a")), "a": page("")})
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITE_KEY", SECRET)


Shown = pytest.CaptureFixture[str]


def shown(capsys: Shown, *arguments: str) -> str:
    capsys.readouterr()
    assert run(["config", "show", *arguments]) == 0
    return capsys.readouterr().out


def read_back(text: str) -> Config:
    (job,) = load(("shown.toml", text), {}, []).jobs
    return job.config


@pytest.mark.parametrize("everything", [[], ["--all"]])
def test_what_is_shown_is_what_a_resume_uses(
    site: Site, capsys: Shown, everything: list[str]
) -> None:
    Path("c.toml").write_text(SETTINGS)
    assert run(["crawl", site.url("/"), "-d", "o", "--config", "c.toml", *HASTY]) == 0
    text = shown(capsys, "o", *everything)
    assert read_back(text) == stored_config(Path("o"))
    assert SECRET not in text
    assert "env:SITE_KEY" in text
    assert ("concurrency = " in text) is bool(everything)


def test_options_and_environment_change_it_as_they_would_a_resume(
    site: Site, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["crawl", site.url("/"), "-d", "o", "-n", "1", *HASTY]) == 0
    monkeypatch.setenv("ORBWEB_RETRY_TRIES", "7")
    text = shown(capsys, "o", "-n", "40")
    assert "# --max-pages\n" in text
    assert "# ORBWEB_RETRY_TRIES\n" in text
    config = read_back(text)
    assert (config.limits.max_pages, config.retry.tries) == (40, 7)
    assert stored_config(Path("o")).limits.max_pages == 1  # it has changed nothing
    with opened_store("o"):  # as while a crawl is at work there
        assert shown(capsys, "o", "-n", "40") == text
    assert run(["config", "show", "o", "--plugin", "json:dumps"]) == 2
    assert "can't change on a resume" in capsys.readouterr().err
    assert run(["config", "show", "o", "-d", "x"]) == 2
    assert run(["config", "show", "nothere"]) == 2
    assert "there is no folder nothere" in capsys.readouterr().err


def test_a_secret_that_is_no_reference_is_left_out(site: Site, capsys: Shown) -> None:
    options = ["-u", f"me:{SECRET}", "-H", f"X-Token: {SECRET}", "-H", "X-Page: 1"]
    assert run(["crawl", site.url("/"), "-d", "o", *options, *HASTY]) == 0
    text = shown(capsys, "o")
    assert SECRET not in text
    assert tomllib.loads(text)["http"] == {"headers": {"X-Page": "1"}}
    stored = stored_config(Path("o"))
    http = replace(stored.http, auth="", headers={"X-Page": "1"})
    assert read_back(text) == replace(stored, http=http)


def test_a_crawl_of_several_processes(site: Site, capsys: Shown) -> None:
    start = ["crawl", site.url("/"), "-d", "o", "--processes", "2"]
    assert run([*start, *HASTY]) == 0
    text = shown(capsys, "o")
    assert text.startswith("# --processes 2\n")
    assert read_back(text) == stored_config(Path("o"))


@pytest.mark.parametrize(
    "command",
    [
        ["config", "show"], ["status"], ["resume"], ["retry"], ["recrawl"], ["urls"],
        ["hosts"], ["audit"], ["links"], ["report"], ["images"], ["explain", "a.test"],
        ["export", "-t", "csv"],
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("has_state", [False, True])
def test_a_folder_without_a_crawl_is_the_same_mistake_everywhere(
    capsys: Shown, command: list[str], has_state: bool
) -> None:
    folder = Path("empty")
    (folder / "state" if has_state else folder).mkdir(parents=True)
    assert run([*command, "empty"]) == 2
    assert "empty holds no crawl" in (said := capsys.readouterr().err)
    assert (FILE_NAME in said) is has_state
    assert not (folder / "state" / FILE_NAME).exists()


def test_the_folder_names_one_of_the_jobs(site: Site, capsys: Shown) -> None:
    job = '[[job]]\nname = "{0}"\nseeds = ["{1}"]\nlimits.max_pages = {2}\n'
    jobs = [job.format(name, site.url("/"), 1) for name in "ab"]
    Path("two.toml").write_text("".join(jobs))
    assert run(["crawl", "--config", "two.toml", *HASTY]) == 0
    jobs = [job.format(name, site.url("/"), n) for name, n in (("a", 5), ("b", 7))]
    Path("two.toml").write_text("".join(jobs))
    assert read_back(shown(capsys, "b", "--config", "two.toml")).limits.max_pages == 7
    assert run(["resume", "./b", "--config", "two.toml", *HASTY]) == 0
    kept = [stored_config(Path(name)).limits.max_pages for name in "ab"]
    assert kept == [1, 7]
    Path("c").mkdir()
    assert run(["resume", "c", "--config", "two.toml"]) == 2
    assert "name one of a, b, or no folder to resume all" in capsys.readouterr().err


def test_a_redacted_secret_is_refused_where_it_is_read_back(capsys: Shown) -> None:
    login = ["--login", "https://a.test/in", "--form", "user=joe"]
    text = shown(capsys, "https://a.test/", *login)
    with pytest.raises(UsageError, match='write user = "env:NAME"'):
        read_back(text)


@pytest.mark.parametrize(
    "command", [["report"], ["images"], ["export", "-t", "jsonl"]], ids=" ".join
)
def test_what_reads_the_records_says_that_the_crawl_is_unfinished(
    site: Site, capsys: Shown, command: list[str]
) -> None:
    assert run(["crawl", site.url("/"), "-d", "o", "-n", "1", *HASTY]) == 0
    capsys.readouterr()
    assert run([command[0], "o", *command[1:]]) == 0
    said = "orbweb: the crawl is unfinished: 1 URL is left (orbweb status o)\n"
    assert said in capsys.readouterr().err
    assert run(["resume", "o", "-n", "none", "-q"]) == 0
    assert run([command[0], "o", *command[1:]]) == 0
    assert "unfinished" not in capsys.readouterr().err
