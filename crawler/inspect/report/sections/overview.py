"""The head of the page: which crawl this is, and its figures."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from crawler.inspect.report.axes import show_ms
from crawler.inspect.report.markup import Html, el, number, percent, url_link
from crawler.inspect.report.report import Report, Section
from crawler.inspect.report.sections.parts import command
from crawler.inspect.report.times import day_and_time, time_span
from crawler.model.units import RECEIVED, counted, show_bytes, show_seconds

MAX_SEEDS = 5
MAX_HOSTS = 100
"""Hosts that are counted in the title of an extraction."""


def title_of(report: Report) -> str:
    """The host of the first seed, and how many more there are.

    An extraction has no seeds: then it is the host with the most URLs.
    """
    hosts = list(dict.fromkeys(urlsplit(seed).netloc for seed in report.seeds))
    hosts = hosts or [row.name for row in report.found.hosts.largest(MAX_HOSTS)]
    if not hosts:
        return "A crawl"
    more = f" and {number(len(hosts) - 1)} more" if len(hosts) > 1 else ""
    return f"{hosts[0]}{more}"


def overview(report: Report) -> Section:
    few = _few_records(report)
    body = el(
        "div",
        el("p", *_sentence(report), class_="lead"),
        _continue(report),
        el("ul", *_figures(report), class_="figures"),
        _changes(report),
        el("p", few, class_="warning") if few else None,
        class_="overview",
    )
    return Section("overview", "Overview", body)


def _sentence(report: Report) -> Iterator[Html | str]:
    timeline = report.found.timeline
    word = {"running": "Running", "stopped": "Stopped", "finished": "Finished"}
    counts = report.found.counts
    is_empty = bool(counts["error"]) and counts["error"] == counts.total()
    kind = "failed" if is_empty else report.state.name
    yield el("span", word[report.state.name], class_=f"chip {kind}")
    if report.state.extract_of:
        yield "Extracted from "
        yield el("code", report.state.extract_of)
        yield f", {time_span(timeline.began, timeline.ended)}. "
    elif timeline.began:
        yield f" {time_span(timeline.began, timeline.ended)}, "
        yield el("b", show_seconds(timeline.length_s))
        yield " of crawling"
        if timeline.pauses:
            yield f" with {counted(len(timeline.pauses), 'pause')}"
        yield ". "
    if is_empty:
        yield el("b", "Nothing could be fetched. ")
    if report.seeds:
        yield "Started at "
        for at, seed in enumerate(report.seeds[:MAX_SEEDS]):
            yield ", " if at else ""
            yield url_link(seed)
        more = len(report.seeds) - MAX_SEEDS
        yield f" and {counted(more, 'more seed')}." if more > 0 else "."
    if report.state.name == "running":
        yield f" This is how it stood at {day_and_time(report.made_at)}."


def _continue(report: Report) -> Html | None:
    state = report.state
    if state.name != "stopped":
        return None
    waits = f"Queued: {counted(state.queued, 'URL')}. This continues the crawl:"
    return el("p", waits, " ", command(state.continues))


def _figures(report: Report) -> Iterator[Html]:
    found, counts = report.found, report.found.counts
    yield _figure("Pages", number(counts["page"]), "page", "#tree")
    yield _figure("Pictures", number(counts["image"]), "image", "#pictures")
    if counts["file"]:
        yield _figure("Files", number(counts["file"]), "other", "")
    if counts["redirect"]:
        yield _figure("Redirects", number(counts["redirect"]), "other", "#redirects")
    ended = sum(counts.values()) - counts["skip"]
    failed = counts["error"]
    share = f"{percent(failed, ended)} of all" if failed else "none"
    yield _figure("Failed", number(failed), "error" * bool(failed), "#failed", share)
    if skipped := sum(report.state.skips.values()):
        yield _figure("Skipped", number(skipped), "", "#skipped")
    if report.state.queued:
        yield _figure("Waiting", number(report.state.queued), "", "")
    yield _figure("Hosts", number(len(found.hosts)), "", "#hosts")
    if report.state.extract_of:  # it has requested nothing; the records tell
        yield _figure("Received", show_bytes(found.received), "", "")
    else:
        yield _figure("Received", show_bytes(report.state.received), "", "", RECEIVED)
    if found.times.count:
        tail = f"95 % in {show_ms(found.times.quantile(0.95))}"
        median = show_ms(found.times.quantile(0.5))
        yield _figure("Median time", median, "", "#shape", tail)


def _figure(name: str, value: str, kind: str, target: str, note: str = "") -> Html:
    inner = (
        el("span", name, class_="label"),
        el("strong", value),
        el("small", note) if note else None,
    )
    classes = f"figure {kind}".strip()
    if target:
        return el("li", el("a", *inner, href=target), class_=classes)
    return el("li", el("span", *inner), class_=classes)


def _changes(report: Report) -> Html | None:
    changes = report.found.changes
    if not changes:
        return None
    parts = ", ".join(f"{number(changes[how])} {how}" for how in changes)
    return el("p", "Against the crawl before: ", el("b", parts), ".")


def _few_records(report: Report) -> str:
    """What to say where the records are fewer than the state has counted."""
    ended = report.found.counts.total() - report.found.counts["skip"]
    if ended >= report.state.urls or report.state.name == "running":
        return ""
    return (
        f"The crawl has {counted(report.state.urls, 'record')}, and {number(ended)} of "
        "them are in the files here: the others were moved away."
    )
