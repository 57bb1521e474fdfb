"""The command line without a network: parsing, help, configuration, schema, errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import pytest
import trustme

from crawler.cli import COMMANDS, run
from crawler.cli import orbweb as group
from crawler.cli.commands.help import TOPICS
from crawler.cli.flags import Flag
from crawler.cli.options import (
    COMMON,
    crawl_options,
    mirror_options,
    resume_options,
)
from crawler.model.config import Config
from crawler.output.export.formats import FORMATS
from crawler.output.schema_export import FORMS
from crawler.settings.fields import choices, keys
from crawler.settings.help_texts import example_toml
from tests.helpers.paths import PROGRAM, ROOT


class Result:
    """Exit code, stdout, stderr of one call of the program in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code = run(arguments)
        self.out, self.err = capsys.readouterr()


@pytest.fixture
def orbweb(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: Result(capsys, *arguments)


def values(orbweb, *arguments: str) -> dict[str, str]:  # type: ignore[no-untyped-def]
    """The effective configuration, as `config show` prints it."""
    result = orbweb("config", "show", *arguments)
    assert result.code == 0, result.err
    rows = (
        line.partition("  #")[0].partition(" = ") for line in result.out.splitlines()
    )
    return {name: value.strip() for name, _, value in rows if value}


# ------------------------------------------------------------------ the program


def test_help_and_version(orbweb) -> None:  # type: ignore[no-untyped-def]
    for word in ("--help", "-h"):
        result = orbweb(word)
        assert result.code == 0
        assert all(command in result.out for command in COMMANDS)
    assert orbweb("-V").out.startswith("orbweb ")


def test_every_command_has_help(orbweb) -> None:  # type: ignore[no-untyped-def]
    for name in COMMANDS:
        result = orbweb(name, "--help")
        assert result.code == 0
        assert result.out.startswith(f"Usage: orbweb {name}")


def test_help_loads_no_machinery() -> None:
    """Start-up stays fast because heavy modules are not imported for it."""
    script = (
        "import sys; from crawler.cli import run; run(['--help']);"
        "heavy = {'rich', 'lxml', 'hub.hub', 'ada_url', 'msgspec'};"
        "print(sorted(heavy & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stderr.strip() == "[]"


def test_a_crawl_loads_only_what_it_meets() -> None:
    """A crawl over plain http, without rules, XML and terminal: imports took half."""
    script = (
        "import sys; before = set(sys.modules); from crawler.cli import running;"
        "from crawler.cli.commands import crawl;"
        "heavy = {'rich', 'lxml', 'ssl', 'logging', 'email', 'dns', 're2',"
        " 'publicsuffixlist', 'backports.zstd', 'dataclasses', 'asyncio',"
        " 'tomllib', 'difflib', 'secrets', 'importlib.util'};"
        "print(sorted(heavy & sys.modules.keys() - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


MAX_MODULES = 194
"""Modules of ours that a crawl imports which uses no option but its URL.

Each costs 0.3 to 1 million instructions at every start. What only some crawls need is
imported where it is used: `if config.proxy: from ... import ...`.
"""


def test_a_crawl_loads_few_of_our_modules(tmp_path: Path) -> None:
    """The bound is what a crawl loads today."""
    script = (
        "import sys; from crawler.cli import run;"
        f"code = run(['crawl', 'http://127.0.0.1:1/', '-d', {str(tmp_path / 'out')!r},"
        " '-q', '-s', 'retry.tries=1']);"
        "ours = sorted(n for n in sys.modules if n.split('.')[0] == 'crawler');"
        "print(code, *ours)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    code, *ours = done.stdout.split()
    assert code == "4", done.stderr
    assert len(ours) <= MAX_MODULES, "\n".join(ours)


def test_python_cli_py_is_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "cli.py", "-V"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout[:7]) == (0, "orbweb ")


def test_mistyped_words(orbweb) -> None:  # type: ignore[no-untyped-def]
    result = orbweb("staus")
    assert result.code == 2
    assert "did you mean 'status'?" in result.err
    assert orbweb("nonsense").code == 2
    result = orbweb("crawl", "--dept", "3")
    assert result.code == 2
    assert "--depth" in result.err


def test_a_url_alone_is_crawled() -> None:
    context = click.Context(group)
    for word in ("example.com", "localhost:1", "./x"):
        name, command, rest = group.resolve_command(context, [word, "-l", "1"])
        assert (name, rest) == ("crawl", [word, "-l", "1"])
        assert command is not None


# ------------------------------------------------------------------ options

SAMPLES = {
    "records.rotate": "7M",
    "http.ca_file": "ca.pem", "http.client_cert": "ca.pem",
    "http.client_key": "ca.pem", "http.cookies": "ca.pem",
    "records.keep_truncated": "all",
    "http.dns_servers": "127.0.0.1",
    "http.headers": "A: b", "http.cookie_pairs": "sid=1", "login.form": "user=me",
    "images.srcset": "all", "images.formats": "jpeg,webp", "images.dedupe": "near",
    "images.prefer_formats": "avif,webp", "images.thumbnails": "99",
    "scope.within": "any", "robots.nofollow": "link", "bodies.save": "html,pdf",
    "scope.follow_redirect": "never",
    "images.name": "{sha256}.{ext}", "records.include": "links,images",
    "records.text": "whole",
    "records.record": "skips", "scope.domains": "a.test,b.test",
    "retry.statuses": "429,5xx", "fail_on": "5%",
    "http.tls_ciphers": "HIGH",
    "http.resolve": "a.test:443:127.0.0.1", "http.allow_net": "127.0.0.0/8",
    "limits.max_bytes": "5M", "http.max_body": "1M",
    "fields": "title=css:h1",
    "plugin": "tests.helpers.plugins:FirstHeading",
}  # fmt: skip


@pytest.mark.parametrize(
    "flag",
    [flag for flag in crawl_options() if flag.path],
    ids=lambda flag: flag.opts[-1],
)
def test_each_option_sets_its_key(orbweb, flag: Flag) -> None:  # type: ignore[no-untyped-def]
    assert flag.path in keys()
    if flag.path and SAMPLES.get(".".join(flag.path)) == "ca.pem":
        trustme.CA().cert_pem.write_to_path("ca.pem")
    before = values(orbweb)
    for name in flag.opts:
        value = [] if flag.is_flag else [SAMPLES.get(".".join(flag.path), "7")]
        changed = values(orbweb, name, *value).items() - before.items()
        assert [key for key, _ in changed] == [flag.path[-1]]


@pytest.mark.parametrize(
    "flag",
    [flag for flag in crawl_options() if not flag.hidden],
    ids=lambda flag: flag.opts[-1],
)
def test_each_option_has_a_help_of_one_sentence(flag: Flag) -> None:
    """It comes from the docstring of its setting where the option has none."""
    flag.describe()
    assert flag.help
    text = flag.help.partition("  [default: ")[0]
    assert text[0].isupper()
    assert not text.endswith(".")
    assert ". " not in text
    assert "`" not in text


@pytest.mark.parametrize("options", [crawl_options, resume_options, mirror_options])
def test_an_option_of_a_setting_has_no_text_of_its_own(
    options: Callable[[], Iterable[Flag]],
) -> None:
    """One that sets a constant says what that does; others need no second text."""
    twice = [f.opts[-1] for f in options() if f.path and not f.is_flag and f.help]
    assert twice == []


@pytest.mark.parametrize("name", ["crawl", "resume", "mirror", "recrawl"])
def test_help_is_short_and_begins_with_examples(orbweb, name: str) -> None:  # type: ignore[no-untyped-def]
    short, whole = orbweb(name, "--help").out, orbweb(name, "--help-all").out
    assert len(short.splitlines()) < 100
    if name == "recrawl":  # it has few options
        return
    head = short.partition("Input and output:")[0].partition("Scope:")[0]
    assert f"orbweb {name} " in head.partition("\n")[2]
    assert f"orbweb {name} --help-all" in " ".join(short.split())
    hidden = {o for f in crawl_options() if not f.is_common for o in f.opts}
    shown = set(re.findall(r"^  (?:-\w+, )?(--?[\w-]+)", short, re.MULTILINE))
    assert shown & hidden == set()
    every = {f.opts[-1] for f in crawl_options() if not f.hidden}
    left_out = every - set(re.findall(r"--?[\w-]+", whole))
    assert left_out <= {
        "--newer", "--fresh", "--strict-input", "--mirror", "--dir", "--input-file",
        "--plugin", "--schema-line", "--processes", "--exchange", "--shards", "--pause",
    }  # fmt: skip


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_fits_into_80_columns(orbweb, topic: str) -> None:  # type: ignore[no-untyped-def]
    assert max(map(len, orbweb("help", topic).out.splitlines())) < 80


def test_each_common_option_exists() -> None:
    assert {flag.opts[0] for flag in crawl_options()} >= COMMON


def test_the_help_of_an_option_is_that_of_its_setting(orbweb) -> None:  # type: ignore[no-untyped-def]
    out = " ".join(orbweb("crawl", "--help-all").out.split())
    assert "--timeout TIME Total timeout for one request [default: 60s]" in out
    assert "-U, --user-agent TEXT User-Agent header to send" in out


@pytest.mark.parametrize(
    "flag",
    [
        flag
        for flag in crawl_options()
        if flag.path and not flag.is_flag and flag.metavar != "LIST"
    ],
    ids=lambda flag: flag.opts[-1],
)
def test_the_help_of_an_option_names_its_choices(flag: Flag) -> None:
    flag.describe()
    shown = f"{flag.metavar} {flag.help}"
    assert [word for word in choices(keys()[flag.path].type) if word not in shown] == []


def test_the_help_shows_the_defaults_of_the_command(orbweb) -> None:  # type: ignore[no-untyped-def]
    text = {
        name: " ".join(orbweb(name, "--help").out.split())
        for name in ("crawl", "mirror", "resume", "extract")
    }
    scope = "How far from the seeds to crawl"
    assert f"{scope} [default: host]" in text["crawl"]
    assert f"{scope} [default: prefix]" in text["mirror"]
    assert scope in text["resume"]
    for name in ("resume", "extract"):  # it is what the crawl has
        assert "[default: " not in text[name]


@pytest.mark.parametrize("name", ["crawl", "mirror", "resume", "fetch", "extract"])
def test_the_help_of_a_command_with_many_options_begins_with_examples(orbweb, name):  # type: ignore[no-untyped-def]
    above = orbweb(name, "--help").out.partition("\n\nInput and output:")[0]
    assert f"\n  orbweb {name} " in above.partition("\n\nOutput:")[0]


def test_options_that_are_more_than_a_value(orbweb) -> None:  # type: ignore[no-untyped-def]
    Path("seeds.txt").write_text("# mine\na.test\n\nhttps://b.test/x\n")
    found = values(
        orbweb, "c.test", "-i", "seeds.txt", "-H", "X-A: 1", "-H", "Cookie: a=b",
        "--min-image", "200x100",
        "--exclude", "x", "--include=glob:*.html", "--exclude", "y",
        "-s", "http.max_header=1M", "-w", "0.5-2m", "--referer", "https://d.test/",
    )  # fmt: skip
    assert json.loads(found["seeds"]) == [
        "https://a.test/",
        "https://b.test/x",
        "https://c.test/",
    ]
    assert found["rules"] == '["-x", "+glob:*.html", "-y"]'
    assert (
        found["headers"]
        == '{ "X-A" = "1", "Cookie" = "•••", "Referer" = "https://d.test/" }'
    )
    assert (found["min_width"], found["min_height"]) == ("200", "100")
    assert (found["wait"], found["max_wait"]) == ("0.5", '"2m"')
    assert found["max_header"] == '"1M"'


def test_limits_of_images_are_told_apart_by_their_units(orbweb) -> None:  # type: ignore[no-untyped-def]
    found = values(
        orbweb, "c.test", "--min-image", "200,0.5MP,20K",
        "--max-image", "8000x6000 9MB",
        "--image-ratio", "3", "--image-formats", "jpeg,webp", "--no-icons",
    )  # fmt: skip
    minimum = ("200", "200", "500000", '"20K"')
    keys = ("width", "height", "pixels", "file_size")
    assert tuple(found[f"min_{key}"] for key in keys) == minimum
    assert (found["max_width"], found["max_height"]) == ("8000", "6000")
    assert (found["max_file_size"], found["max_ratio"]) == ('"9M"', "3.0")
    assert (found["formats"], found["icons"]) == ('["jpeg", "webp"]', "false")


@pytest.mark.parametrize(
    ("arguments", "prefix", "seed"),
    [
        (["--warc", "b.test"], "", "https://b.test/"),
        (["--warc", "https://b.test/x"], "", "https://b.test/x"),
        (["b.test", "--warc"], "", "https://b.test/"),
        (["--warc", "news", "b.test"], "news", "https://b.test/"),
        (["--warc=2026.11", "b.test"], "2026.11", "https://b.test/"),
        (["--warc", "--", "b.test"], "", "https://b.test/"),
    ],
)
def test_warc_takes_a_name_and_no_seed(
    orbweb,  # type: ignore[no-untyped-def]
    arguments: list[str],
    prefix: str,
    seed: str,
) -> None:
    found = values(orbweb, *arguments)
    assert (found["write"], found["prefix"]) == ("true", f'"{prefix}"')
    assert json.loads(found["seeds"])[-1] == seed


def test_a_name_of_warc_files_is_no_path(orbweb) -> None:  # type: ignore[no-untyped-def]
    done = orbweb("crawl", "b.test", "--warc=../news")
    assert done.code == 2
    assert "'../news' is no name for WARC files" in done.err


@pytest.mark.parametrize(
    ("rate", "wait"), [("4/s", "0.25"), ("2", "0.5"), ("30/m", "2"), ("90/h", "40")]
)
def test_a_rate_is_a_wait(orbweb, rate: str, wait: str) -> None:  # type: ignore[no-untyped-def]
    assert values(orbweb, "--rate", rate)["wait"] == wait


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--timeout", "soon"], "--timeout: 'soon' is not a valid duration"),
        (["-w", "1-soon"], "--wait: 'soon' is not a valid duration"),
        *[
            (["--rate", text], "write requests per unit of time")
            for text in ("0/s", "-1/s", "5/x", "x", "inf/s", "5/")
        ],
        (["-l", "-1"], "--depth: expected a whole number >= 0"),
        (["--scope", "hots"], "did you mean 'host'?"),
        (["-H", "nonsense"], "write 'Name: value'"),
        (["--min-image", "big"], "write WIDTHxHEIGHT"),
        (["--max-image", "9.5"], "--max-image 9.5: write WIDTHxHEIGHT"),
        (["--image-formats", "jpg"], "jpeg"),
        (["--exclude", "("], "--exclude '(': missing )"),
        (["-i", "missing.txt"], "missing.txt: No such file"),
        (["-i", "empty.txt"], "no URL in it"),
        (["--config", "latin.toml"], "latin.toml: not UTF-8 text"),
        (["-s", "http.timout=1"], "did you mean 'http.timeout'?"),
        (["-s", "warc.wrte=true"], "did you mean 'warc.write'?"),
        (["-s", "http.max_pages=1"], "did you mean 'limits.max_pages'?"),
        (["ftp://a.test"], "not supported"),
        (["--config", "jobs.toml", "a.test"], "list their URLs in the file"),
    ],
)
def test_errors_are_reported(orbweb, arguments: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    Path("empty.txt").write_text("\n# nothing\n")
    Path("latin.toml").write_bytes(b'name = "\xe4"')
    Path("jobs.toml").write_text('[[job]]\nname = "a"\n[[job]]\nname = "b"\n')
    result = orbweb("config", "show", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.out == ""


# ------------------------------------------------------------------ config and schema


def test_config_init_check_show(orbweb, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = orbweb("config", "init", "crawl.toml")
    assert (result.code, result.out) == (0, "")
    assert (tmp_path / "crawl.toml").read_text() == example_toml()
    assert "orbweb config check crawl.toml" in result.err
    result = orbweb("config", "init", "crawl.toml")
    assert result.code == 2
    assert "exists" in result.err
    assert orbweb("config", "init", "no/such/folder.toml").code == 3
    assert (
        orbweb("config", "init").out
        == orbweb("config", "init", "-").out
        == example_toml()
    )
    result = orbweb("config", "check", "crawl.toml")
    assert result.code == 0
    assert "1 job(s)" in result.err
    assert result.err.endswith("Next: orbweb crawl --config crawl.toml URL\n")
    shown = orbweb("config", "--help").out
    assert "with all defaults\n" in shown
    assert "with its origin\n" in shown
    (tmp_path / "crawl.toml").write_text("[http]\ntimout = 1")
    result = orbweb("config", "check", "crawl.toml")
    assert result.code == 2
    assert (
        "crawl.toml:2: there is no [http] timout; did you mean 'timeout'?" in result.err
    )


def test_config_show_names_origins(orbweb, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ORBWEB_RETRY_TRIES", "5")
    Path("c.toml").write_text(
        "concurrency = 3\n[[job]]\nname = 'a'\n[[job]]\nname = 'b'\n"
    )
    out = orbweb("config", "show", "--config", "c.toml", "-T", "9").out
    assert out.count("# [[job]]") == 2
    ends = ["# c.toml", "# c.toml [[job]] 2", "# ORBWEB_RETRY_TRIES", "# --timeout"]
    for end in ends:
        assert end in out


def test_config_schema_is_json(orbweb) -> None:  # type: ignore[no-untyped-def]
    assert json.loads(orbweb("config", "schema").out)["$defs"]["HttpConfig"]


def test_schema_in_every_form(orbweb) -> None:  # type: ignore[no-untyped-def]
    for name, form in FORMS.items():
        assert orbweb("schema", "-f", name).out == form()
    assert orbweb("schema", "-f", "xml").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("schema", "-f", "duckdb"),
        ("--help",),
        ("config", "init"),
        *(
            ("export", "records.jsonl", "-t", name)
            for name, form in FORMATS.items()
            if form.streams
        ),
    ],
    ids=" ".join,
)
def test_a_closed_pipe_is_not_an_error(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    row = '{"type":"page","status":200,"url":"http://a.example/"}\n'
    (tmp_path / "records.jsonl").write_text(row * 100)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [*PROGRAM, *arguments], cwd=tmp_path, stdout=closed,
            stderr=subprocess.PIPE, timeout=300,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


def test_defaults_are_those_of_the_configuration(orbweb) -> None:  # type: ignore[no-untyped-def]
    out = orbweb("config", "show", "-h").out
    assert f"[default: {Config().concurrency}]" in out
