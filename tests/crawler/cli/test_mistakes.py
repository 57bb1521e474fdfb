"""Mistakes that people make at the command line, and what they are told."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import COMMANDS, run
from crawler.cli.commands.help import TOPICS
from crawler.cli.options import crawl_options
from crawler.cli.other_names import OTHER_NAMES
from crawler.cli.seed_words import seeds_of, speaks_tls
from crawler.engine.exit_status import URLS_WAIT
from tests.helpers.crawling import page, serve
from tests.helpers.program import Orbweb, last_line, records
from tests.site.server import Site

__all__ = ["serve"]


@pytest.fixture
def orbweb(tmp_path: Path) -> Orbweb:
    return Orbweb(tmp_path)


@pytest.mark.parametrize(
    "option",
    ["--level", "--accept", "--reject", "--no-check-certificate", "--load-cookies",
     "--random-wait", "--spider", "-m", "-A", "-R", "-nc", "-nv"],
)  # fmt: skip
def test_an_option_of_wget_gets_its_name_here(option: str, orbweb: Orbweb) -> None:
    done = orbweb("crawl", "https://h.example/", option, "1")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"; use {OTHER_NAMES[option]}")


def test_the_names_here_are_options() -> None:
    known = {name for option in crawl_options() for name in option.opts} | {"-s"}
    for option, ours in OTHER_NAMES.items():
        assert option not in known
        word = ours.split()[0].partition("=")[0].rstrip(";")
        assert word in known or word in ("no", "orbweb")


def test_the_name_of_a_file_asks_for_i(tmp_path: Path, orbweb: Orbweb) -> None:
    (tmp_path / "seeds.txt").write_text("https://h.example/")
    done = orbweb("crawl", "seeds.txt")
    assert (done.returncode, done.stderr) == (
        2,
        "orbweb: seeds.txt is a file; for the URLs in it, write -i seeds.txt\n",
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_without_a_scheme_is_tried_as_http(
    host: str, serve: Any, tmp_path: Path, orbweb: Orbweb
) -> None:
    site = serve(index=page("x"))
    done = orbweb("crawl", f"{host}:{site.port}", "-d", "out", "-w", "0")
    assert done.returncode == 0, done.stderr
    assert f"{host}:{site.port} does not speak TLS" in done.stderr
    rows = records(tmp_path / "out/records.jsonl")
    pages = [row["url"] for row in rows if row["type"] == "page"]
    assert pages == [f"http://{host}:{site.port}/"]


def test_a_server_with_tls_is_crawled_with_tls(tls_site: Site) -> None:
    assert speaks_tls(f"127.0.0.1:{tls_site.port}")
    setting = seeds_of([f"127.0.0.1:{tls_site.port}/x", "h.example", "h.example:80/a"])
    assert setting.value == (
        f"127.0.0.1:{tls_site.port}/x", "h.example", "h.example:80/a"
    )  # fmt: skip
    assert setting.notes == ()


def test_a_server_that_says_nothing_or_hangs_up_speaks_no_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        assert not speaks_tls(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert speaks_tls("127.0.0.1:1")  # there is no server: the crawl says so


def test_no_proxy_is_not_called_none(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["crawl", "http://h.example/", "-s", "http.proxy=none"]) == 2
    assert "'direct' is no proxy" in capfd.readouterr().err


def test_a_failure_of_the_proxy_says_so(orbweb: Orbweb) -> None:
    done = orbweb("crawl", "http://h.example/", "-x", "http://127.0.0.1:1", "-t", "1")
    assert done.returncode == 4
    assert "(proxy http://127.0.0.1:1: Connection refused)" in last_line(done)


def test_a_seed_that_fails_is_not_said_to_be_robots_txt(orbweb: Orbweb) -> None:
    done = orbweb("crawl", "http://127.0.0.1:1/", "-t", "1")
    assert "(127.0.0.1:1: Connection refused)" in last_line(done)


@pytest.mark.parametrize("name", ["", *COMMANDS, *TOPICS])
def test_there_is_help_on_each_command_and_topic(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["help", *filter(None, [name])]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) > 3
    if name in COMMANDS:
        run([name, "--help"])
        assert capsys.readouterr().out == shown


def test_help_on_nothing_names_what_there_is(orbweb: Orbweb) -> None:
    done = orbweb("help", "exitcodes")
    assert done.returncode == 2
    assert "exit-codes" in done.stderr


def test_the_exit_codes_are_in_the_help() -> None:
    for code in (4, 5, 6, 8, 9, 71, URLS_WAIT):
        assert f"\n  {code} " in TOPICS["exit-codes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-e", "robots=off"], "for `-e robots=off` of wget: --no-robots"),
        (["-H", "http://b.test/"], "--header 'http://b.test/': this is a URL;"),
        (["--include", "("], "--include '(': missing ), at character 1"),
        (["--exclude", r"\(a[b"], r"--exclude '\\(a[b': missing ], at character 4"),
        (["--include", "[(](b)c)"], "'[(](b)c)': unexpected ), at character 8"),
        (["--include", "x**"], "'x**': bad repetition operator, at character 2"),
        (["--only-keep", "a("], "--only-keep: 'a(' is not a valid expression: missing"),
        (["--include", "(?!x)"], "RE2 has no lookaround and no backreferences"),
        (["--cert", "/none"], "--cert: /none can't be read: No such file or directory"),
        (["--key", "/none"], "--key: /none can't be read: No such file or directory"),
        (["--cookies", "/none"], "--cookies: /none can't be read: No such file"),
        (["--input-file", "/none"], "--input-file /none: No such file or directory"),
        (["--config", "/none"], "--config /none: No such file or directory"),
        (["--warc", "a/b"], "--warc: 'a/b' is no name for WARC files"),
        (["--warc", "/tmp/b"], "--warc: '/tmp/b' is no name for WARC files"),
        (["--warc", "news.warc.gz"], "--warc: 'news.warc.gz' is no name for WARC"),
        (["--warc=news.warc"], "--warc: 'news.warc' is no name for WARC files"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_option_and_its_place(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["crawl", "https://example.com/", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_warc_file_is_a_mistake_and_no_damaged_source(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["extract", "--from-warc", "none.warc.gz"]) == 2
    message = "orbweb: --from-warc none.warc.gz: No such file or directory\n"
    assert capsys.readouterr().err == message
    assert list(tmp_path.iterdir()) == []


def test_sizes_have_their_default_in_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["crawl", "--help-all"]) == 0
    assert "Size at which the next WARC file is begun [default: 1 GB]" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["audit", "--fail-on", "broken_link"], "broken_links"),
        (["crawl", "http://h.example/", "--fail-on", "sead"], "seed"),
        (["crawl", "http://h.example/", "--log-format", "jsn"], "json"),
        (["crawl", "http://h.example/", "--scope", "hots"], "host"),
        (["crawl", "http://h.example/", "--with", "txt"], "text"),
        (["export", "--to", "cvs"], "csv"),
        (["export", "--to", "csv", "--type", "pgae"], "page"),
        (["images", "--to", "imagefolders"], "imagefolder"),
        (["images", "--format", "jpg"], "jpeg"),
        (["images", "--caption", "atl"], "alt"),
        (["urls", "--state", "eror"], "error"),
        (["urls", "--code", "status_4x"], "status_4xx"),
        (["retry", "--code", "status_4x"], "status_4xx"),
        (["urls", "--code", "404"], "status_4xx"),
        (["retry", "--code", "reset,429"], "rate_limited"),
        (["urls", "--code", "304"], "status_other"),
        (["schema", "--format", "duckbd"], "duckdb"),
        (["completion", "bahs"], "bash"),
        (["help", "exit-code"], "exit-codes"),
        (["stauts"], "status"),
    ],
)
def test_one_of_a_set_of_names_is_suggested(
    words: list[str], meant: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    assert f"did you mean '{meant}'?" in capfd.readouterr().err
