"""Whether a crawl that is over has failed, by its folder: as its last line said."""

from __future__ import annotations

from msgspec.structs import replace

from crawler.inspect.next_command import part_of
from crawler.inspect.status import Status
from crawler.model.config import from_json


def failure_of_crawl(folder: str, status: Status) -> str:
    """How the crawl in `folder` has failed; "" if it has not, or is not over."""
    config = replace(from_json(status.run.config.encode()), dir=folder)
    if status.state != "finished" or part_of(folder):
        return ""
    counts: dict[str, int] = dict(status.counts.items())
    if not any(counts.values()) or (counts["page"] and not config.fail_on):
        return ""
    from crawler.cli.terminal.result_line import failure_text
    from crawler.engine.run_report import exit_code_of, seed_error

    code = exit_code_of(config, "done", counts, ())
    return failure_text(code, config, seed_error(config, counts, ""))
