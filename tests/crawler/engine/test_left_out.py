"""What a limit leaves out of documents: in their records and in `orbweb status`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from crawler.cli import run
from crawler.model.policy_config import LimitsConfig
from tests.helpers.crawling import config, crawl, link, records, serve
from tests.site.server import Exchange

__all__ = ["serve"]

ETAG = (("ETag", '"1"'),)


def unchanging(body: str, content_type: str = "text/html") -> Any:
    """Answers 304 to whom has it already."""

    def answer(exchange: Exchange) -> None:
        if exchange.hit.headers.get("if-none-match"):
            exchange.reply(status=304, headers=ETAG)
        else:
            exchange.reply(body, content_type, headers=ETAG)

    return answer


def site_of(serve: Any) -> Any:
    """Two links are the limit: of the two pages one has more, and so has a sitemap."""
    sitemap = "".join(f"<url><loc>/{n}</loc></url>" for n in range(3))
    return serve(
        index=unchanging("<p>" + link("/a", "/map.xml")),
        a=unchanging("<p>" + link("/", "/map.xml", "/c")),
        **{"map.xml": unchanging(f"<urlset>{sitemap}</urlset>", "text/xml")},
    )


def left_out(folder: Path) -> dict[str, list[str]]:
    """By path; the last record of each document counts."""
    return {
        row["url"].split("/", 3)[3]: row["left_out"]
        for row in records(folder)
        if row["type"] in ("page", "file")
    }


EXPECTED = {"": [], "a": ["links"], "map.xml": ["links"]}


def test_records_and_status_say_it_also_after_a_304(
    serve: Any, tmp_path: Path, capsys: Any
) -> None:
    settings = config(site_of(serve), tmp_path, limits=LimitsConfig(max_links=2))
    crawl(settings)
    assert left_out(tmp_path) == EXPECTED
    assert run(["status", str(tmp_path)]) == 0
    cut = next(one for one in capsys.readouterr().out.splitlines() if "  cut  " in one)
    assert cut.startswith(f"  cut      links 2: orbweb export {tmp_path} ")
    assert run(shlex.split(cut)[4:]) == 0
    listed = capsys.readouterr().out.splitlines()[1:]
    expected = ['/a,"[""links""]"', '/map.xml,"[""links""]"']
    assert sorted("/" + one.split("/", 3)[3] for one in listed) == expected
    crawl(settings, "newer")
    again = [row for row in records(tmp_path) if row.get("from_cache")]
    assert [row["from_cache"] for row in again[-3:]] == ["not_modified"] * 3
    assert left_out(tmp_path) == EXPECTED
    assert run(["status", str(tmp_path)]) == 0
    assert "  cut      links 2: " in capsys.readouterr().out


def test_pages_that_the_extraction_process_reads_say_the_same(
    serve: Any, tmp_path: Path
) -> None:
    settings = config(site_of(serve), tmp_path, limits=LimitsConfig(max_links=2))
    crawl(replace(settings, extract_processes=1))
    assert left_out(tmp_path) == EXPECTED
