"""What a crawl has received is the same number wherever it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crawler.cli import run
from tests.helpers.crawling import config, crawl, link, page, records
from tests.site.page import reply

ROBOTS = b"User-agent: *\nDisallow: /no\n" + b"#" * 4_000
MISSING = b"<p>there is no such page" + b" " * 20_000


def test_robots_txt_and_errors_count(serve: Any, tmp_path: Path, capsys: Any) -> None:
    missing = reply(MISSING, status=404)
    site = serve(
        robots=reply(ROBOTS, "text/plain"), index=page(link("/gone")), gone=missing
    )
    crawl(config(site, tmp_path / "out"))
    found = records(tmp_path / "out")
    (first,) = (one["wire_bytes"] for one in found if one["type"] == "page")
    received = len(ROBOTS) + len(MISSING) + first
    assert [one["error_code"] for one in found if one["type"] == "error"] == [
        "status_4xx"
    ]
    *_, finished = (one for one in found if one["type"] == "run")
    assert finished["bytes"] == received
    assert run(["status", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == received
    assert run(["status", str(tmp_path / "out")]) == 0
    told = "kB, with robots.txt and errors"
    shown = f"{received / 1000:.3g} {told}"
    assert f"  received {shown}\n" in capsys.readouterr().out
    assert run(["report", str(tmp_path / "out"), "-o", str(tmp_path / "r.html")]) == 0
    html = (tmp_path / "r.html").read_text()
    figure = html.partition(">Received<")[2][:200]
    assert f"{received / 1000:.3g} kB" in figure
    assert "with robots.txt and errors" in figure
