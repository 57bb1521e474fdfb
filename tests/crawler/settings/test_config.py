"""Configuration: the sources of values, their precedence, and error messages."""

from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.model.config import Config, CrawlFile, from_json, to_json
from crawler.model.errors import StateError, UsageError
from crawler.settings.fields import keys, read, read_text
from crawler.settings.help_texts import example_toml, json_schema, show, toml_value
from crawler.settings.load import (
    Plan,
    Setting,
    find_line,
    from_assignment,
    from_environ,
    from_flag,
    load,
)
from crawler.settings.resumed import load_resumed
from crawler.settings.secrets import revealed
from crawler.settings.seed_input import default_name, read_seeds
from tests.helpers.paths import ROOT


def plan(text: str, environ: dict[str, str] | None = None, *assignments: str) -> Plan:
    return load(
        ("crawl.toml", text), environ or {}, [from_assignment(a) for a in assignments]
    )


def only(text: str, environ: dict[str, str] | None = None, *assignments: str) -> Config:
    (job,) = plan(text, environ, *assignments).jobs
    return job.config


def error_of(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        plan(text)
    return str(caught.value)


# ------------------------------------------------------------------ the example


def test_the_example_file_is_the_printed_one() -> None:
    assert (ROOT / "config.example.toml").read_text(encoding="utf-8") == example_toml()


def test_the_example_equals_the_defaults_and_holds_every_key() -> None:
    assert only(example_toml()) == Config()
    named = set(keys(CrawlFile)) - {("job",)}
    tree = tomllib.loads(example_toml())
    found = {
        (name, *rest)
        for name, value in tree.items()
        for rest in (
            [(key,) for key in value] if isinstance(value, dict) and value else [()]
        )
    }
    assert found == named


def test_the_jobs_of_the_example_run_when_uncommented() -> None:
    head, _, jobs = example_toml().partition("# [[job]]")
    live = "\n".join(
        line.removeprefix("# ") for line in f"# [[job]]{jobs}".splitlines()
    )
    names = [job.config.dir for job in plan(head + live.replace("\n#\n", "\n")).jobs]
    assert names == ["docs", "blog"]


def test_every_key_is_explained() -> None:
    for section in json_schema()["$defs"].values():
        for name, shape in section["properties"].items():
            assert shape.get("description") or "$ref" in shape, name


def test_the_json_schema_accepts_the_example_and_refuses_mistakes() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.check_schema(json_schema())
    assert not list(validator.iter_errors(tomllib.loads(example_toml())))
    for wrong in (
        {"concurency": 1},
        {"http": {"timeout": "soon"}},
        {"concurrency": "32"},
    ):
        assert list(validator.iter_errors(wrong))


# ------------------------------------------------------------------ precedence


def test_order_of_values() -> None:
    text = (
        "concurrency = 1\n[retry]\ntries = 1\n[http]\ntimeout = 1\nread_timeout = 1\n"
    )
    environ = {"ORBWEB_RETRY_TRIES": "2", "ORBWEB_HTTP_TIMEOUT": "2m"}
    config = only(text, environ, "http.timeout=3s")
    assert config.concurrency == 1
    assert config.retry.tries == 2
    assert config.http.timeout == 3
    assert config.http.read_timeout == 1
    assert config.http.connect_timeout == Config().http.connect_timeout


def test_show_names_the_origin_and_is_itself_a_configuration() -> None:
    (job,) = plan(
        "concurrency = 1", {"ORBWEB_RETRY_TRIES": "2"}, "http.timeout=90m"
    ).jobs
    text = show(job)
    rows = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    assert rows["concurrency"].split() == ["1", "#", "crawl.toml"]
    assert rows["tries"].split() == ["2", "#", "ORBWEB_RETRY_TRIES"]
    assert rows["timeout"].split() == ['"90m"', "#", "-s", "http.timeout"]
    assert rows["backoff"].split() == ["1", "#", "default"]
    assert only(text) == job.config


def test_headers_merge_and_added_rules_come_last() -> None:
    text = 'http.headers = { A = "1", B = "1" }\nscope.rules = ["-/a"]'
    flags = [
        from_flag(("http", "headers"), {"B": "2"}, "-H"),
        from_flag(("scope", "rules"), ["+/b"], "--include", adds=True),
    ]
    (job,) = load(("f", text), {}, flags).jobs
    assert job.config.http.headers == {"A": "1", "B": "2"}
    assert job.config.scope.rules == ("-/a", "+/b")


def test_jobs_share_the_top_and_override_it() -> None:
    made = plan(
        'jobs = "side_by_side"\nconcurrency = 4\nscope.depth = 3\n'
        '[[job]]\nname = "a"\nseeds = ["https://a.test/"]\nscope.depth = "none"\n'
        '[[job]]\nseeds = ["https://b.test:8000/x"]\nlimits.max_bytes = "1M"\n'
    )
    first, second = (job.config for job in made.jobs)
    assert made.side_by_side
    assert (first.dir, first.scope.depth, first.concurrency) == ("a", None, 4)
    assert (second.dir, second.scope.depth) == ("b.test_8000", 3)
    assert second.limits.max_bytes == 2**20


def test_two_jobs_may_not_share_a_folder() -> None:
    with pytest.raises(UsageError, match=r"1 and 2 both write to 'x'"):
        plan('[[job]]\ndir = "x"\n[[job]]\ndir = "x"\n')


def test_nothing_given_is_the_default() -> None:
    assert load(None, {}, []) == load(("f", ""), {"PATH": "/bin"}, [])
    assert load(None, {}, []).jobs[0].config == Config()


# ------------------------------------------------------------------ errors

ERRORS = [
    (
        "concurency = 3",
        "crawl.toml:1: there is no concurency; did you mean 'concurrency'?",
    ),
    ("\n\n[htp]\ntimeout = 3", "crawl.toml:3: there is no htp; did you mean 'http'?"),
    ("timeout = 3", "crawl.toml:1: there is no timeout; did you mean [http] timeout?"),
    (
        "max_pages = 3",
        "crawl.toml:1: there is no max_pages; did you mean [limits] max_pages?",
    ),
    (
        "[http]\n# x\ntimout = 3",
        "crawl.toml:3: there is no [http] timout; did you mean 'timeout'?",
    ),
    (
        "concurrency = '9'",
        "crawl.toml:1: concurrency: expected a whole number, got a string ('9')",
    ),
    ("concurrency = 0", "crawl.toml:1: concurrency: expected a whole number >= 1 (0)"),
    ("seeds = 'x'", "crawl.toml:1: seeds: expected a list, got a string ('x')"),
    ("http = 3", "crawl.toml:1: http is a section: write [http]"),
    ("job = 3", "crawl.toml:1: a job is a table: write [[job]]"),
    (
        "http.timeout = 'soon'",
        "crawl.toml:1: [http] timeout: 'soon' is not a valid duration; write seconds",
    ),
    (
        "robots.max_age = '25h'",
        "[robots] max_age: expected a number <= 86400.0 (90000.0)",
    ),
    (
        "http.read_timeout = inf",  # more than a socket's time-out can be
        "[http] read_timeout: expected a number <= 1000000000.0 (inf)",
    ),
    (
        "http.max_body = '1X'",
        "crawl.toml:1: [http] max_body: '1X' is not a valid size; write bytes",
    ),
    (
        "scope.within = 'hots'",
        "crawl.toml:1: [scope] within: 'hots' is not one of host, domain,",
    ),
    ("extract_processes = 'x'", "'x' is neither a number from 1 on nor auto"),
    ("extract_processes = 0", "extract_processes: 0 is neither a number from 1 on nor"),
    (
        "records.record = ['robots', 'skip']",
        "'skip' is not one of skips, robots; did you mean 'skips'?",
    ),
    (
        "scope.rules = ['+a', '-(']",
        "[scope] rules: [1]: '-(' is not a valid RE2 expression: missing )",
    ),
    (
        "scope.rules = ['/x']",
        "'/x' must be + (take) or - (leave) followed by a pattern",
    ),
    ("scope.domains = ['a b']", "'a b' is not a valid domain; write it as example.com"),
    ("http.allow_net = ['10/8/8']", "'10/8/8' is not a valid network"),
    ("http.resolve = ['a:443']", "'a:443' is not HOST:PORT:ADDR"),
    ("http.resolve = ['a:443:1.2.3.4,b']", "'a:443:1.2.3.4,b' is not HOST:PORT:ADDR"),
    ("http.ca_file = '/no/such.pem'", "/no/such.pem can't be read: No such file"),
    ("http.tls_ciphers = 'NONSENSE'", "'NONSENSE' names no cipher suite of OpenSSL"),
    ("http.ca_file = '/dev/null'", "/dev/null holds no certificates in PEM form"),
    ("retry.statuses = ['6xx']", "'6xx' is not an HTTP status"),
    ("images.name = '{hots}'", "[images] name: '{hots}' is no template"),
    (
        "images.name = '{hots}'",
        "there is no {hots}; write one of {ext}, {format}, {height}, {host}, ",
    ),
    ("images.name = '../{sha256}'", "must be a relative path without '.' and '..'"),
    ("fail_on = '5'", "'5' is not any, seed or a share such as 5%"),
    ('http.headers = {"a b" = "1"}', "'a b' is not a valid header name"),
    ('http.headers = {A = "1\\n2"}', "the value of A holds a line break"),
    ('http.headers = {Cookie = "a=b"}', 'write Cookie = "env:NAME"'),
    ("seeds = ['ftp://a.test']", "the scheme ftp is not supported"),
    ("a = ", "crawl.toml: not valid TOML: Invalid value (at"),
    ("[[job]]\n[[job]]\nx = 1", "crawl.toml:3: there is no x"),
    ("[[job]]\njobs = 'in_order'", "crawl.toml:2: there is no jobs"),
    ("concurrency = 2001-01-01", "expected a whole number, got a date"),
    (
        "[[site]]\nmatch = 'x'\nitem = 'css:li'\nfields.a = 'css:a'",
        "crawl.toml:1: [[site]] 1: there is no 'item'; did you mean 'items'?",
    ),
    ("[[site]]\nfields.a = 'css:a'", "[[site]] 1: 'match' is missing"),
    ("[[api]]\nurl = 3", "[[api]] 1: url: expected a string, got a whole number"),
    (
        "[[api]]\nurl = 'http://a.test/'\nstep = 'x'",
        "[[api]] 1: step: expected a whole number",
    ),
    (
        "[fields.a]\nselect = 'css:a'\ntyp = 'int'",
        "field 'a': there is no 'typ'; did you mean 'type'?",
    ),
    ("[fields.a]\ntype = 'int'", "field 'a': 'select' is missing"),
    ("[fields]\na = 3", "field 'a': write a selector, or a table with `select` (3)"),
    (
        "images.fetch = 1",
        "crawl.toml:1: [images] fetch: expected true or false, got a whole number",
    ),
]


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_an_error_names_its_place(text: str, message: str) -> None:
    assert message in error_of(text)


def test_all_errors_are_reported_at_once() -> None:
    lines = error_of(
        "x = 1\n\n[http]\ntimeout = 'x'\n[[job]]\nscope.depth = -1"
    ).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "4", "6"]


def test_errors_outside_the_file() -> None:
    for environ, message in (
        (
            {"ORBWEB_HTTP_TIMEOUT": "soon"},
            "ORBWEB_HTTP_TIMEOUT: 'soon' is not a valid duration",
        ),
        ({"ORBWEB_HTTP_TIMOUT": "1"}, "did you mean ORBWEB_HTTP_TIMEOUT?"),
    ):
        with pytest.raises(UsageError) as caught:
            from_environ(environ)
        assert message in str(caught.value)
    assert from_environ({"ORBWEB_HOME": "/srv"}) == []
    with pytest.raises(UsageError, match=r"\(0\); none means no limit"):
        from_assignment("limits.max_pages=0")
    with pytest.raises(UsageError, match=r"did you mean 'http\.timeout'"):
        from_assignment("http.timout=3")
    with pytest.raises(UsageError, match="KEY=VALUE"):
        from_assignment("http.timeout")


@given(
    st.lists(
        st.sampled_from(
            [
                "# a comment",
                "",
                "a{n} = 1",
                'b{n} = """\nx = 1\n[y]\n"""',
                "c{n} = [\n  1, # [\n  2,\n]",
                "d{n} = { e = 1 }",
                "'f.{n}' = 1",
                "g{n}.h = 'x'",
                "[t{n}]",
                "[[job]]",
            ]
        ),
        max_size=12,
    ),
    st.sampled_from(
        ["wanted = 1", "wanted = [\n\n1\n]", "wanted.x = 1", "[wanted]\nq=1"]
    ),
    st.lists(
        st.sampled_from(["# end", "z = '''\nwanted = 1\n'''", "y = 1"]), unique=True
    ),
)
@settings(max_examples=150, deadline=None)
def test_the_line_of_any_statement_is_found(
    before: list[str], wanted: str, after: list[str]
) -> None:
    head = "\n".join(text.replace("{n}", str(n)) for n, text in enumerate(before))
    text = "\n".join([head, wanted, *after])
    tables = [f"t{n}" for n, part in enumerate(before) if part.startswith("[t")]
    path: list[str | int] = []
    last = next((part for part in reversed(before) if part.startswith("[")), "")
    if not wanted.startswith("[") and last == "[[job]]":
        path = ["job", before.count("[[job]]") - 1]
    elif not wanted.startswith("[") and last:
        path = [tables[-1]]
    assert find_line(text, (*path, "wanted")) == head.count("\n") + 2
    assert find_line(text, ("never",)) is None


# ------------------------------------------------------------------ units and text


@given(
    st.recursive(
        st.text() | st.booleans() | st.integers(-(2**53), 2**53),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
        ),
        max_leaves=5,
    )
)
@settings(max_examples=80)
def test_what_we_write_is_toml(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


def test_text_from_flags_and_environment() -> None:
    at = keys()
    assert read_text(at["http", "allow_net"], "10.0.0.0/8, ::1") == (
        "10.0.0.0/8",
        "::1",
    )
    assert read_text(at["scope", "rules"], '["-a,b"]') == ("-a,b",)
    assert read_text(at["http", "headers"], '{ A = "1" }') == {"A": "1"}
    assert read_text(at["records", "schema_line"], "True") is True
    assert read_text(at["scope", "depth"], "none") is None
    assert read_text(at["name",], "7") == "7"
    assert read(at["limits", "max_time"], 90) == 90.0


# ------------------------------------------------------------------ seeds


def test_seeds() -> None:
    assert default_name("https://a.test:8080/x/y") == "a.test_8080"
    assert default_name("http://[::1]/") == "___1_"
    listed = read_seeds(b"\xef\xbb\xbfa.test\r\n\n# no\n  b.test\n", "list")
    assert listed.urls == ("https://a.test/", "https://b.test/")


def test_seeds_are_completed_once_with_a_note() -> None:
    made = plan('seeds = ["a.test", "https://b.test", "a.test"]')
    assert made.jobs[0].config.seeds == ("https://a.test/", "https://b.test/")
    assert made.jobs[0].config.dir == "a.test"
    assert made.notes == (
        "a.test: no scheme given, https assumed; write http:// for plain HTTP",
    )


# ------------------------------------------------------------------ secrets, state


def test_secrets_are_named_in_the_state_and_revealed_for_the_client(
    tmp_path: Path,
) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    config = only(
        'http.headers = { Authorization = "env:TOKEN", '
        f'X-Api-Key = "file:{tmp_path}/key" }}'
    )
    assert b"s3cret" not in to_json(config)
    assert revealed(config.http, {"TOKEN": "t0ken"}).headers == {
        "Authorization": "t0ken",
        "X-Api-Key": "s3cret",
    }
    with pytest.raises(UsageError, match="environment variable TOKEN is not set"):
        revealed(config.http, {})
    (tmp_path / "key").unlink()
    with pytest.raises(UsageError, match="can't read"):
        revealed(config.http, {"TOKEN": "x"})


def test_show_hides_literal_secrets() -> None:
    flag = from_flag(("http", "headers"), {"Authorization": "t0ken", "X-A": "1"}, "-H")
    (job,) = load(None, {}, [flag]).jobs
    assert "t0ken" not in show(job)
    assert '"X-A" = "1"' in show(job)


def test_the_state_keeps_the_whole_configuration() -> None:
    config = only(
        'seeds = ["https://a.test/"]\nscope.rules = ["-x"]\nlimits.max_time = "2h"\n'
        'http.headers = { A = "1" }'
    )
    assert from_json(to_json(config)) == config


@pytest.mark.parametrize("data", [b"", b"[]", b'{"unknown":1}', b'{"concurrency":0}'])
def test_a_state_of_another_version_is_refused(data: bytes) -> None:
    with pytest.raises(StateError, match="another version"):
        from_json(data)


def test_configurations_are_values() -> None:
    assert msgspec.structs.replace(Config(), name="x") != Config()


def test_a_variable_that_is_no_setting_is_warned_of() -> None:
    environ = {
        "ORBWEB_MAX_PAGES": "2",
        "ORBWEB_NONSENSE": "2",
        "ORBWEB_TOKEN": "x",
        "ORBWEB_EXCHANGE_PASSWORD": "x",
        "ORBWEB_RETRY_TRIES": "2",
        "HOME": "/",
    }
    auth = Setting(("http", "auth"), "env:ORBWEB_TOKEN", "-u")
    says = (
        "environment ORBWEB_MAX_PAGES: no such setting, it is ignored; "
        "did you mean ORBWEB_LIMITS_MAX_PAGES?",
        "environment ORBWEB_NONSENSE: no such setting, it is ignored",
    )
    assert load(None, environ, [auth]).warnings == says
    resumed = load_resumed(None, environ, [auth], lambda _: Config())
    assert resumed.warnings == says
