"""`--log-format json`: each line of stderr is an event, with the level it deserves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from crawler.cli.terminal.log import JsonLog
from crawler.cli.terminal.reporter import Reporter
from crawler.cli.terminal.verbosity import Verbosity
from crawler.engine.crawl import STOPPED_AT_ONCE
from crawler.engine.run_report import Summary
from crawler.model.config import Config
from crawler.model.errors import Stop, UsageError
from crawler.model.reasons import FinishReason

COUNTS = {"page": 1, "queued": 2, "leased": 3}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["crawl", "--config", "bad.toml"], "bad.toml:2: there is no [http] timout"),
        (["crawl", "--config", "none.toml"], "--config none.toml: No such file"),
        (["crawl", "https://a.test/", "--dept", "3"], "no such option"),
        (["crawl", "https://a.test/", "-n", "x"], "--max-pages: "),
        (["crawl"], "there is no URL to start from"),
        (["resume", "nowhere"], "nowhere holds no crawl"),
        (["https://a.test/", "-T", "soon"], "-T"),
    ],
)
@pytest.mark.parametrize("form", [["--log-format=json"], ["--log-format", "json"]])
def test_a_mistake_is_an_event(
    arguments: list[str],
    said: str,
    form: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("[http]\ntimout = 1\n")
    assert run([*arguments, *form]) == 2
    (event,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (event["event"], event["level"]) == ("message", "error")
    assert said.lower() in event["message"].lower()
    assert run([*arguments, "--log-format", "text"]) == 2
    assert not capsys.readouterr().err.startswith("{")


@pytest.mark.parametrize(
    ("code", "reason", "level"),
    [
        (0, "done", "info"), (0, "limit_pages", "info"), (75, "signal", "info"),
        (143, "signal", "info"), (75, "parked", "warning"), (4, "done", "error"),
        (8, "done", "error"),
    ],
)  # fmt: skip
def test_the_end_has_a_level(code: int, reason: FinishReason, level: str) -> None:
    lines: list[str] = []
    summary = Summary(code, reason, COUNTS, 1.0, "out", None)
    JsonLog(lines.extend, lambda: 0.0).finished(summary, "")
    event = json.loads(lines[0])
    assert event["level"] == level
    assert event["counts"] == {"page": 1, "queued": 5}  # no word from inside


def test_messages_have_levels(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(Verbosity(as_json=True), "out", [Config()])
    interrupted = Stop("stopped before the crawl began")
    interrupted.exit_code = STOPPED_AT_ONCE + 15
    reporter.notice("a note")
    reporter.message("a warning")
    reporter.failed("out", UsageError("wrong"))
    reporter.report_error(UsageError("wrong"))
    reporter.report_error(interrupted)
    events: list[Any] = [json.loads(x) for x in capsys.readouterr().err.splitlines()]
    assert [event["level"] for event in events] == [
        "info", "warning", "error", "error", "info"
    ]  # fmt: skip
    assert {event["job"] for event in events} == {"out"}
