"""The last line of a crawl: how it ended, where the records are, what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from crawler.cli.terminal.formatting import name_files
from crawler.engine.builder import Summary
from crawler.model.config import Config
from crawler.model.units import counted, show_seconds
from crawler.output.lines import stream_files
from crawler.workspace.outputs import Output, outputs, parts_of

_FINISH_REASONS = {
    "done": "Finished",
    "parked": "Stopped, the rest waits for hosts that do not respond",
    "limit_pages": "Stopped at the page limit",
    "limit_time": "Stopped at the time limit",
    "limit_bytes": "Stopped at the download limit",
    "signal": "Stopped, nothing is lost",
    "error": "Stopped by an error",
}
_FAILURES = {
    4: "Failed, no seed could be fetched",
    5: "Failed, no seed's certificate could be verified",
    6: "Failed, every seed URL was refused",
    8: "Finished with more failures than --fail-on allows",
    9: "Failed, every seed is excluded by robots.txt or by the scope",
    10: "Failed, the seeds led to no page",
}
"""By exit code; see `engine/exit_status.py`."""
_OF_SEEDS = (4, 5, 6, 10)
"""Those of which the message of a seed is the cause."""

_CHANGES = ("new", "changed", "unchanged")
_COUNTED = ("page", "image", "file", "redirect", "error", "skip")
_ALWAYS_SHOWN = ("page", "image", "error")


def result_line(summary: Summary, config: Config) -> str:
    """The line."""
    took = show_seconds(summary.elapsed_s)
    following = _next(summary, config)
    return (
        f"{_ending(summary, config)}: {_numbers(summary)} in {took}. "
        f"{_records(config)}{_mirror(summary)}{_retry(summary, following)}"
        f"Next: {following}"
    )


def warnings(summary: Summary, config: Config) -> Iterator[str]:
    """What has gone wrong in a crawl that has ended, and what can be done about it."""
    if summary.seeds_need_javascript:
        yield _javascript_warning(config)
    if summary.pruned:
        yield (
            f"--include let pass none of the {counted(summary.pruned, 'link')} that "
            "were found, so no page behind them was seen. Pages on the way have to "
            "match, too: add an --include for them, or follow all and record what "
            "matches with --only-keep"
        )
    only_keep, counts = config.records.only_keep, summary.counts
    kept = counts["page"] + counts["file"] + counts["image"]
    if only_keep and counts["skip"] and not kept:
        yield f"no URL has matched --only-keep {', '.join(only_keep)}"
    if summary.login_page:
        yield (
            f"the seed redirects to {summary.login_page}, which looks like a login: "
            "give --login and --form, or the cookies of a browser with -b FILE"
        )
    if summary.to_login:
        yield (
            f"{counted(summary.to_login, 'URL')} redirected to the login page: the "
            "session seems to have ended; `orbweb recrawl` logs in and fetches "
            "all again"
        )


def _javascript_warning(config: Config) -> str:
    seeds = "The seed needs" if len(config.seeds) == 1 else "All seeds need"
    return (
        f"{seeds} JavaScript, which Orbweb does not "
        "run: without it, the page is an empty shell, and has no links to follow. "
        "Look in the browser's developer tools (Network) for the API that the scripts "
        "read, and crawl that with [[api]]; or give the URL of a sitemap as a seed, if "
        "the pages in it have content; or use a crawler that runs a browser, such as "
        "browsertrix-crawler or scrapy-playwright."
    )


def failure_text(exit_code: int, config: Config, why: str) -> str:
    """The failure that an exit code stands for; "" if it stands for none.

    `why`: the message of the last seed that failed, or "".
    """
    if exit_code == 9 and config.records.only_keep:
        return "Failed, nothing was kept"
    text = _FAILURES.get(exit_code, "")
    if exit_code in _OF_SEEDS and why:
        # Robots.txt is asked for first, so an unreachable host fails there.
        text += f" ({why.removeprefix('robots.txt: ')})"
    return text


def _ending(summary: Summary, config: Config) -> str:
    why = summary.seed_error or summary.last_error
    failure = failure_text(summary.exit_code, config, why)
    return failure or _FINISH_REASONS[summary.finish_reason]


def _numbers(summary: Summary) -> str:
    counts = summary.counts
    numbers = ", ".join(
        counted(counts[state], state)
        for state in _COUNTED
        if counts[state] or state in _ALWAYS_SHOWN
    )
    if summary.items:
        numbers += f", {counted(summary.items, 'item')}"
    if summary.needs_javascript:
        numbers += (
            f", {counted(summary.needs_javascript, 'page')} in need of JavaScript"
        )
    if summary.external:
        numbers += (
            f", {counted(summary.external, 'external link')} checked "
            f"({summary.broken_external:,} broken)"
        )
    if summary.external_not_checked:
        never = counted(summary.external_not_checked, "external link")
        numbers += f", {never} not checked (address or port not allowed)"
    if left := counts["queued"] + counts["leased"]:
        numbers += f", {counted(left, 'URL')} left"
    if summary.parked:
        from crawler.frontier.waits import cause_of  # few crawls need it

        hosts = counted(sum(hosts.hosts for hosts in summary.parked), "parked host")
        causes = sorted({cause_of(hosts.failure_code) for hosts in summary.parked})
        urls = sum(hosts.urls for hosts in summary.parked)
        numbers += f", {urls:,} of them on {hosts} ({', '.join(causes)})"
    if summary.changes:
        changes = (f"{summary.changes.get(how, 0):,} {how}" for how in _CHANGES)
        numbers += f" ({', '.join(changes)})"
    return numbers


def _records(config: Config) -> str:
    of_parts = [outputs(one) for one in parts_of(config)]
    shown = ", ".join(
        _objects(one) if "://" in one[0].name else name_files(_files(one))
        for one in zip(*of_parts, strict=True)
        if one[0].path is not None
    )
    return f"Records: {shown}. " if shown else ""


def _objects(parts: Sequence[Output]) -> str:
    """An output in object storage: the first and the last of its parts."""
    last = parts[-1].name.rpartition("/")[2]
    return parts[0].name + (f" to {last}" if len(parts) > 1 else "")


def _files(parts: Sequence[Output]) -> list[Path]:
    """The files of an output, of which each shard has a part."""
    paths = [one.path for one in parts if one.path is not None]
    return [file for path in paths for file in stream_files(path)] or paths


def _mirror(summary: Summary) -> str:
    return f"Open {summary.mirror} to read it offline. " if summary.mirror else ""


def _retry(summary: Summary, following: str) -> str:
    """What tries URLs again that have failed, beside what goes on with the others."""
    if not summary.may_pass or following == summary.retry_command:
        return ""
    urls = counted(summary.may_pass, "URL")
    return f"{urls} failed for a reason that may pass: {summary.retry_command}. "


def _next(summary: Summary, config: Config) -> str:
    if summary.next_command:
        return summary.next_command
    fetched = summary.counts["page"] + summary.counts["image"]
    if summary.exit_code == 9 and config.seeds:  # the rule that excludes it
        seed, folder = shlex.quote(config.seeds[0]), shlex.quote(config.dir)
        return f"orbweb explain {seed} {folder}"
    if fetched and summary.retry_command:
        return summary.retry_command
    if not fetched and config.seeds:  # the first seed shows why
        return f"orbweb fetch {shlex.quote(config.seeds[0])}"
    return f"orbweb status {shlex.quote(config.dir)}"
