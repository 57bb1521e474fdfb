"""A first run without a contact advises one."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.cli.running import NO_CONTACT, run_tasks
from crawler.cli.task import Task
from crawler.cli.terminal.verbosity import Verbosity
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.model.http_config import HttpConfig
from crawler.settings.load import from_flag

FOREIGN = "https://news.example.com/"


def shown(
    capsys: pytest.CaptureFixture[str], mode: Any = "new", quiet: bool = False,
    seed: str = FOREIGN, **http: str,
) -> bool:  # fmt: skip
    def open_nothing(config: Config, *, mode: Any) -> Any:
        raise UsageError("not opened")

    config = Config(seeds=(seed,), dir="x", http=HttpConfig(**http))
    with pytest.raises(UsageError, match="not opened"):
        run_tasks([Task(config, mode, open_nothing)], Verbosity(quiet=quiet))
    return NO_CONTACT in capsys.readouterr().err


def test_when_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys)
    assert not shown(capsys, "resume")
    assert not shown(capsys, quiet=True)
    assert not shown(capsys, contact="me@example.org")
    assert not shown(capsys, user_agent="mine/1")
    for own in ("localhost:8000", "127.0.0.1", "[::1]:81", "box.local", "a.test"):
        assert not shown(capsys, seed=f"http://{own}/")


@pytest.mark.parametrize(
    "text", ["me and you", "https://a.example/)", "caf\xe9", "a\nb"]
)
def test_a_contact_that_fits_into_no_header(text: str) -> None:
    with pytest.raises(UsageError, match="--contact: "):
        from_flag(("http", "contact"), text, "--contact")
