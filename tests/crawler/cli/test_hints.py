"""The commands in messages: they can be pasted, and work where the user stands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from crawler.cli.task import naming
from crawler.model.errors import OutOfMemoryError, OutputError
from crawler.model.resume_command import with_folder
from tests.helpers.crawling import link, page, picture, serve
from tests.site.page import reply

__all__ = ["serve"]


@pytest.fixture
def stopped(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """A crawl at its limit in "a b", named as from its parent folder; and its seed."""
    monkeypatch.chdir(tmp_path)
    site = serve(
        index=page(link("/a", "/gone", "/b", "/c")),
        a=page(link("/d")), b=page(), c=page(), d=page(),
        gone=reply(status=404),
    )  # fmt: skip
    options = ["-w", "0", "-q", "-n", "2", "--exclude", "/never"]
    assert run(["crawl", site.url("/"), "-d", "a b", *options]) == 0
    return "a b", site.url("/")


def ran(command: str) -> int:
    program, *words = shlex.split(command)
    assert program == "orbweb"
    return run([*words, "-q"] if words[0] == "resume" else words)


def test_those_of_why(
    stopped: tuple[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    folder, _ = stopped
    assert run(["status", folder, "--why"]) == 0
    lines = capfd.readouterr().out.splitlines()
    (way_on,) = (one for one in lines if " stopped  " in one)
    command = way_on.partition("works on it: ")[2]
    assert command == "orbweb resume 'a b' --max-pages 4"
    (limit,) = (one for one in lines if " limit_pages " in one)
    assert f"({command} raises it)" in limit
    assert ran(command) == 0
    assert run(["resume", folder, "-q", "-n", "none"]) == 0
    assert run(["status", folder, "--why"]) == 0
    lines = capfd.readouterr().out.splitlines()
    (failed,) = (one for one in lines if "error status_4xx" in one)
    listing = failed.split("  ")[-1].removesuffix(" names them")
    assert listing == "orbweb urls 'a b' --code status_4xx"
    assert ran(listing) == 0
    assert capfd.readouterr().out.endswith("/gone\n")


def test_an_excluded_seed_is_explained(
    stopped: tuple[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    _, seed = stopped
    assert run(["crawl", seed, "-d", "new one", "--exclude", "."]) == 9
    last = capfd.readouterr().err.splitlines()[-1]
    command = last.partition("Next: ")[2]
    assert command == f"orbweb explain {seed} 'new one'"
    assert ran(command) == 0
    assert "skipped: scope, by scope.rules[0]: -." in capfd.readouterr().out


def test_a_failure_that_does_not_know_the_folder() -> None:
    with pytest.raises(OutputError) as refused, naming("a b"):
        raise OutputError("no space, then `orbweb resume`")
    assert str(refused.value) == "no space, then `orbweb resume 'a b'`"
    with pytest.raises(OutOfMemoryError, match="resume out`"), naming("out"):
        raise MemoryError
    assert (
        with_folder("`orbweb explain URL` tells", "o") == "`orbweb explain URL o` tells"
    )


def test_the_end_of_time_and_what_stays_set(
    stopped: tuple[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    folder, _ = stopped
    assert run(["resume", folder, "-n", "none", "--max-time", "1ms"]) == 0
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("Stopped at the time limit")
    assert last.endswith("Next: orbweb resume 'a b' --max-time 0.002")
    assert run(["status", folder]) == 0
    assert (
        "`orbweb resume 'a b'` continues, for at most 0.0 s (--max-time none: no limit)"
        in capfd.readouterr().out
    )


def test_a_failed_crawl_names_the_error_of_its_seed(
    serve: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where the links of the seed have failed after it, pictures among them."""
    site = serve(index=page(link("/gone"), picture("/gone.png")))
    plugin = ["--plugin", "tests.helpers.plugins:Raises"]
    words = [site.url("/"), "-d", str(tmp_path / "out"), "-w", "0", *plugin]
    assert run(["crawl", *words]) == 10
    assert "/gone.png" in {hit.target for hit in site.log}
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith(
        "Failed, the seeds led to no page "
        "(plug-in tests.helpers.plugins:Raises: ZeroDivisionError: division by zero): "
    )


def test_so_does_a_resume_that_did_not_ask_for_the_seed(
    serve: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    site = serve(index=page(link("/gone", "/lost")))
    out = str(tmp_path / "out")
    plugin = ["--plugin", "tests.helpers.plugins:Raises"]
    options = ["-d", out, "-w", "0", "-Q", "1", "--no-robots", *plugin]
    run(["crawl", site.url("/"), *options])
    assert {hit.target for hit in site.log} == {"/"}
    assert run(["resume", out, "-Q", "none"]) == 10
    assert (
        "ZeroDivisionError: division by zero): "
        in capfd.readouterr().err.splitlines()[-1]
    )
