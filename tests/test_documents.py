"""The commands of docs/, each run against a site on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.documents import Shell, blocks
from tests.helpers.members import PAGES, PASSWORD, Members, members_site
from tests.site.server import Site


@contextmanager
def stopping(site: Site) -> Iterator[Site]:
    try:
        yield site
    finally:
        site.stop()


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
