"""The commands of docs/, each run against a site on loopback."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.documents import Shell, blocks, files
from tests.helpers.members import PAGES, PASSWORD, Members, members_site
from tests.helpers.shop_and_news import shop_and_news
from tests.site.server import Site


@contextmanager
def stopping(site: Site) -> Iterator[Site]:
    try:
        yield site
    finally:
        site.stop()


DOCUMENTS = (
    "getting-started.md", "many-sites.md", "scheduled.md", "security.md",
    "upgrading.md",
)  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_commands_of(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop_and_news() as web:
        shell = Shell(tmp_path, web.site.url("/"), monkeypatch)
        folder = shell.enter("work")
        for file, content in files(name):
            text = content.replace("https://example.com/", web.site.url("/"))
            (folder / file).write_text(text)
        lines = [line for block in blocks(name) for line in block]
        assert lines
        assert {line: shell.run(line) for line in lines} == dict.fromkeys(lines, 0)


def test_the_table_of_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/many-sites.md promises comes out of its commands."""
    with shop_and_news() as web:
        shell = Shell(tmp_path, web.site.url("/"), monkeypatch)
        folder = shell.enter("work")
        ((name, content),) = files("many-sites.md")
        sites = content.replace("https://example.com/", web.site.url("/"))
        (folder / name).write_text(sites + web.site.url("/gone") + "\n")
        for block in blocks("many-sites.md"):
            for line in block:
                assert shell.run(line) == 0
        with (folder / "pages.csv").open(newline="") as file:
            titles = {row["title"] for row in csv.DictReader(file)}
        assert titles >= {"Lamp", "The harbour freezes over"}
        with (folder / "errors.csv").open(newline="") as file:
            assert [row["error_code"] for row in csv.DictReader(file)] == ["status_4xx"]


def test_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = Members()
    members.sessions |= {"0123456789abcdef", "browser"}
    with stopping(members_site(members)) as site:
        shell = Shell(tmp_path, site.url("/"), monkeypatch)
        monkeypatch.setenv("SITE_PASSWORD", PASSWORD)
        by_form, by_file, by_value = blocks("login.md")
        for number, lines in enumerate((by_form[1:], by_file, by_value)):
            folder = shell.enter(str(number))
            cookie = {"name": "sid", "value": "browser", "domain": site.address}
            (folder / "cookies.json").write_text(json.dumps([cookie]))
            assert [shell.run(line) for line in lines] == [0] * len(lines)
            (records,) = folder.glob("*/records.jsonl")
            rows = [json.loads(line) for line in records.read_text().splitlines()]
            pages = [row for row in rows if row["type"] == "page"]
            assert len(pages) == len(PAGES)
        assert by_form[0].startswith("read -rs SITE_PASSWORD")
        assert len(members.sent) == 1
        assert site.hits("/users") == []
