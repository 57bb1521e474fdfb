"""What a server has sent cannot control a terminal, and JSON keeps its value."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crawler.model.controls import escape_controls
from tests.helpers.paths import PROGRAM
from tests.site.page import raw, reply
from tests.site.server import Site

HOSTILE = "\x9b31m\x1b]0;x\x07\u202egnp.exe\u2066\u2028\u0085\ufeff\U000e0041"
TITLE = f"<title>a{HOSTILE}b</title>"


@pytest.fixture
def site(serve: Any) -> Site:
    answer = "HTTP/1.1 404 \x9b31mGone\r\nContent-Length: 0\r\n\r\n"
    site: Site = serve(
        index=reply(f'{TITLE}<a href="/gone">x</a>'),
        gone=raw(answer.encode("latin-1")),
    )
    return site


def shown(folder: Path, *words: str) -> str:
    """What the program writes to a terminal, on stdout and on stderr."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "dumb"},
    ) as process:
        os.close(theirs)
        data = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            data += part
        process.wait()
    os.close(ours)
    return data.decode()


def unsafe(text: str) -> set[str]:
    return {char for char in text if not char.isprintable()} - {"\r", "\n"}


def test_no_command_writes_a_control_to_a_terminal(site: Site, tmp_path: Path) -> None:
    url = site.url("/")
    calls = [
        ["crawl", url, "-d", "out", "-w", "0", "-t", "1", "-v", "-o", "-"],
        ["crawl", url, "-d", "o2", "-w", "0", "-v", "--log-format", "json"],
        ["urls", "out", "--json"],
        ["urls", "out"],
        ["hosts", "out", "--json"],
        ["status", "out", "--json", "--why"],
        ["explain", site.url("/gone"), "out", "--json"],
        ["fetch", url],
        ["fetch", url, "--json"],
        ["fetch", site.url("/gone"), "-v"],
        ["robots", url, "--json"],
        ["crawl", "http://\x9b31m\u202e/", "-d", "o3"],
        ["crawl", "--\x9b31m\u202e"],
        ["crawl", "-i", "list", "-d", "o4"],
    ]
    (tmp_path / "list").write_text("http://\x9b31m\u202e/\n")
    found = {" ".join(call): unsafe(shown(tmp_path, *call)) for call in calls}
    assert {call: chars for call, chars in found.items() if chars} == {}


def test_records_on_a_terminal_keep_their_values(site: Site, tmp_path: Path) -> None:
    call = ["crawl", site.url("/"), "-d", "o", "-q", "-w", "0", "-o", "-"]
    text = shown(tmp_path, *call)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    (title,) = [one["title"] for one in lines if one["type"] == "page"]
    fetched = subprocess.run(
        [*PROGRAM, "fetch", site.url("/"), "--json"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    records = map(json.loads, fetched.stdout.splitlines())
    assert title in [one.get("title") for one in records]
    assert "\u202e" in title


def test_astral_controls_are_surrogate_pairs() -> None:
    assert json.loads(f'"{escape_controls(HOSTILE)}"') == HOSTILE
