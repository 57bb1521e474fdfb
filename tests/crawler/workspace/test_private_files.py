"""The state is its owner's alone, and no planted link or FIFO leads a crawl astray."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from crawler.model.errors import OutputError, UsageError
from crawler.output.append import open_for_appending
from tests.helpers.crawling import page, picture, png
from tests.site.page import reply
from tests.site.server import Site

STATE = ["lock", "pictures", "reading", "frontier.sqlite3"]
BESIDE = [f"frontier.sqlite3-{end}" for end in ("wal", "shm", "journal")]


@pytest.fixture
def site(serve: Any) -> Site:
    site: Site = serve(
        index=page(picture("/a.png")),
        **{"a.png": reply(png(), "image/png", headers=(("Set-Cookie", "a=b"),))},
    )
    return site


def crawl(site: Site, folder: Path, *words: str) -> int:
    return run(["crawl", site.url("/"), "-d", str(folder), "-w", "0", "-q", *words])


def modes(folder: Path) -> set[int]:
    return {file.stat().st_mode & 0o777 for file in folder.iterdir()}


def test_the_state_is_private_whatever_the_umask(site: Site, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert crawl(site, tmp_path / "out") == 0
    finally:
        os.umask(before)
    assert {file.name for file in (tmp_path / "out/state").iterdir()} >= {*STATE}
    assert modes(tmp_path / "out/state") == {0o600}


@pytest.mark.parametrize("command", ["resume", "recrawl", "retry"])
def test_what_an_earlier_version_left_wider_is_tightened(
    site: Site, tmp_path: Path, command: str
) -> None:
    crawl(site, tmp_path / "out")
    state = tmp_path / "out/state"
    (state / BESIDE[0]).touch()
    for file in state.iterdir():
        file.chmod(0o644)
    state.chmod(0o755)
    run([command, str(tmp_path / "out"), "-q"])
    assert modes(state) == {0o600}
    assert state.stat().st_mode & 0o777 == 0o700


NAMES = [
    *(f"out/state/{name}" for name in (*STATE, *BESIDE)),
    "out/state",
    "out/records.jsonl",
    "out/images",
    "out/images/127.0.0.1",
    "log.txt",
    "named.jsonl",
]


@pytest.mark.parametrize("target", ["victim", "missing"])
@pytest.mark.parametrize("name", NAMES)
def test_a_planted_link_is_refused(
    site: Site,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    name: str,
    target: str,
) -> None:
    port = f"_{site.port}" if name.endswith("127.0.0.1") else ""
    link = tmp_path / f"{name}{port}"
    link.parent.mkdir(parents=True, exist_ok=True)
    victim = tmp_path / "victim"
    is_folder = name in ("out/state", "out/images", "out/images/127.0.0.1")
    victim.mkdir() if is_folder else victim.write_bytes(b"precious")
    link.symlink_to(tmp_path / target)
    words = {
        "log.txt": ["--log-file", str(link)],
        "named.jsonl": ["-o", str(link)],
    }.get(name, [])
    code = crawl(site, tmp_path / "out", *words)
    said = capfd.readouterr().err
    if name.endswith("jsonl") and target == "victim":
        assert (code, "is there already" in said) == (UsageError.exit_code, True)
    else:
        assert (code, "is a symbolic link" in said) == (OutputError.exit_code, True)
    assert said.count("\n") == 1
    assert not (tmp_path / "missing").exists()
    left = list(victim.iterdir()) if is_folder else victim.read_bytes()
    assert left in ([], b"precious")


def test_a_link_at_the_name_of_a_picture_is_refused(site: Site, tmp_path: Path) -> None:
    crawl(site, tmp_path / "out")
    (file,) = (tmp_path / "out/images").rglob("*.png")
    file.unlink()
    file.symlink_to(tmp_path / "victim")
    (tmp_path / "victim").write_bytes(png()[:9])
    assert crawl(site, tmp_path / "out", "--fresh") == OutputError.exit_code
    assert (tmp_path / "victim").read_bytes() == png()[:9]


def test_the_draft_of_a_cookie_jar_is_made_anew(site: Site, tmp_path: Path) -> None:
    (tmp_path / "jar.part").symlink_to(tmp_path / "victim")
    (tmp_path / "victim").write_bytes(b"precious")
    jar = str(tmp_path / "jar")
    assert crawl(site, tmp_path / "out", "--cookie-jar", jar) == 0
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_the_links_of_the_system_are_followed(site: Site, tmp_path: Path) -> None:
    assert crawl(site, tmp_path / "out", "-o", "/dev/stdout") == 0


def test_a_fifo_without_a_reader_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OutputError, match="no program reads"):
        open_for_appending(tmp_path / "fifo", fifo_wait_s=0.1)


def test_a_fifo_whose_reader_comes_late_is_written(site: Site, tmp_path: Path) -> None:
    fifo, read = tmp_path / "fifo", []
    os.mkfifo(fifo)
    timer = threading.Timer(0.3, lambda: read.append(fifo.read_bytes()))
    timer.start()
    assert crawl(site, tmp_path / "out", "-o", str(fifo)) == 0
    timer.join()
    assert b'"type":"page"' in read[0]


def test_no_command_waits_for_a_fifo_in_the_state(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out/state").mkdir(parents=True)
    os.mkfifo(tmp_path / "out/state/frontier.sqlite3")
    for command in (["status"], ["urls"], ["hosts"], ["explain", "http://a.test/"]):
        assert run([*command, str(tmp_path / "out")]) == 7
        assert "holds no crawl" in capfd.readouterr().err
    assert run(["resume", str(tmp_path / "out")]) == OutputError.exit_code
