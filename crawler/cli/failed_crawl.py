"""Whether a crawl that is over has failed, by its folder: as its last line said."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from crawler.frontier.sqlite.database import has_fleet
from crawler.inspect.status import Status
from crawler.model.config import from_json


def failure_of_crawl(folder: str, status: Status) -> str:
    """How the crawl in `folder` has failed; "" if it has not, or is not over."""
    config = replace(from_json(status.run.config.encode()), dir=folder)
    if status.state != "finished" or is_part(folder):
        return ""
    counts: dict[str, int] = dict(status.counts.items())
    if not any(counts.values()) or (counts["page"] and not config.fail_on):
        return ""
    from crawler.cli.terminal.result_line import failure_text
    from crawler.engine.run_report import exit_code_of, seed_error

    code = exit_code_of(config, "done", counts, ())
    return failure_text(code, config, seed_error(config, counts, ""))


def is_part(folder: str) -> bool:
    """Whether other machines have the rest of the crawl, and so its pages."""
    if not has_fleet(folder):
        return False
    from crawler.frontier.sqlite.fleet_file import read_fleet

    return bool(read_fleet(Path(folder)).work_command(folder))
