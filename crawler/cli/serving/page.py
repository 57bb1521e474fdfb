"""The pages: a crawl as the live view shows it, and the list of several."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from crawler.cli.commands.status import (
    NAMES,
    SILENT_AFTER_S,
    ended_text,
    headline,
    parked_texts,
    speed_text,
)
from crawler.cli.serving.crawls import CrawlView, NoCrawl, Served
from crawler.cli.serving.html import Column, Html, document, join, table, tag
from crawler.cli.terminal.formatting import time_bound, waiting_text
from crawler.inspect.recent import Recent
from crawler.inspect.status import Status, began_at
from crawler.model.host import Waiting
from crawler.model.units import counted, show_bytes, show_seconds

_URLS = Column("URLs", "number")
_SHOWN_HOSTS = 20


def crawl_path(name: str) -> str:
    """The path of the page of a crawl."""
    return f"/crawl/{quote(name, safe='', errors='surrogateescape')}"


def list_page(crawls: Sequence[Served]) -> bytes:
    """All crawls, each with a line; or the only one."""
    if len(crawls) == 1:
        return crawl_page(crawls[0], alone=True)
    running = sum(
        isinstance(one, CrawlView) and one.status.pid is not None for one in crawls
    )
    title = tag("div", tag("h1", counted(len(crawls), "crawl")), cls="title")
    summary = tag("p", f"orbweb: {running} running, {len(crawls) - running} not")
    columns = [Column("crawl", "text name"), Column("pages", "number")]
    columns += [Column("errors", "number"), Column("queued", "number")]
    columns += [Column("pages/s", "number")]
    rows = table(columns, map(_list_row, crawls))
    main = join([tag("header", title, summary), tag("section", rows, id="crawls")])
    return document("orbweb", main)


def _list_row(one: Served) -> Sequence[object]:
    link = tag("a", one.name, href=crawl_path(one.name))
    if isinstance(one, NoCrawl):
        return _list_name(link, one.state, one.message), "", "", "", ""
    counts, speed, state = one.status.counts, _current_speed(one), _state(one)
    waits = waiting_text(one.waits, one.at) if state == "running" else ""
    note = f"waiting: {waits}" if waits else one.failure
    return (
        _list_name(link, state, note),
        f"{counts['page']:,}",
        f"{counts['error']:,}",
        f"{counts['queued']:,}",
        "" if speed is None else f"{speed:.1f}",
    )


def _list_name(link: Html, state: str, note: str) -> Html:
    return join([link, " ", _badge(state), tag("div", note, cls="soft")])


def crawl_page(one: Served, *, alone: bool = False) -> bytes:
    """One crawl; `alone`: there is no list to go back to."""
    back = [] if alone else [tag("p", tag("a", "all crawls", href="/"))]
    if isinstance(one, NoCrawl):
        title = tag("div", tag("h1", one.name), _badge(one.state), cls="title")
        header = tag("header", *back, title, id="head")
        main = [header, tag("section", tag("p", one.message), id="why")]
        return document(f"{one.name}: orbweb", join(main))
    return document(
        f"{one.name}: {_state(one)}, orbweb",
        join([_header(one, back), *_sections(one)]),
    )


def _state(view: CrawlView) -> str:
    failed = view.failure.startswith("Failed")
    return "failed" if failed else view.status.state


def _badge(state: str) -> Html:
    return tag("span", state, cls=f"state {state.replace(' ', '-')}")


def _header(view: CrawlView, back: Sequence[Html]) -> Html:
    status = view.status
    title = tag("div", tag("h1", view.name), _badge(_state(view)), cls="title")
    lines = [_since(view)]
    if status.state == "stopped":
        lines.insert(0, headline(view.name, status))
    if view.failure:
        lines.insert(0, view.failure)
    lines += (f"parked: {text}" for text in parked_texts(status, time.time()))
    if status.pid is not None and view.recent and view.recent.speed:
        lines.append(speed_text(status, view.recent.speed, time.time()))
    if bound := time_bound(status.waits):
        lines.append(bound)
    return tag("header", *back, title, *(tag("p", line) for line in lines), id="head")


def _since(view: CrawlView) -> str:
    started = began_at(view.status.run.run_id)
    now = time.time()
    text = f"started {_moment(started)}, {show_seconds(max(0, now - started))} ago"
    if ended := ended_text(view.status, now):
        text += f"; ended {ended}"
    return f"process {view.status.pid}, {text}" if view.status.pid else text


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(at))


def _current_speed(view: CrawlView) -> float | None:
    """Pages per second, of a crawl that runs and is not silent."""
    speed = view.recent and view.recent.speed
    if view.status.pid is None or not speed:
        return None
    return speed.pages_per_s if time.time() - speed.last_at < SILENT_AFTER_S else 0.0


def _sections(view: CrawlView) -> Iterator[Html]:
    yield _progress(view)
    if view.waits.groups and view.status.counts["queued"]:
        yield _waiting(view)
    if view.status.hosts_waiting:
        yield _hosts(view)
    if view.recent is not None:
        yield tag("div", *_recent(view.recent), cls="columns", id="recent")
    yield tag("div", *_endings(view.status), cls="columns", id="endings")


def _progress(view: CrawlView) -> Html:
    status = view.status
    counts = status.counts
    done = sum(counts[state] for state, _ in NAMES if state != "queued")
    known = done + counts["queued"]
    bar = tag("progress", value=done, max=max(known, 1))
    share = tag("p", f"{done:,} of {counted(known, 'known URL')}", cls="soft")
    tiles = [
        _tile(name, f"{counts[state]:,}", bad=state == "error" and counts[state] > 0)
        for state, name in NAMES
        if counts[state] or state not in ("file", "redirect")
    ]
    tiles.append(_tile("received", show_bytes(status.received_bytes)))
    tiles.append(_tile("hosts", f"{status.hosts:,}"))
    if (speed := _current_speed(view)) is not None:
        assert view.recent is not None
        assert view.recent.speed is not None
        tiles.append(_tile("pages/s", f"{speed:.1f}"))
        rate = view.recent.speed.bytes_per_s if speed else 0.0
        tiles.append(_tile("bytes/s", show_bytes(rate)))
    if status.items:
        tiles.append(_tile("items", f"{status.items:,}"))
    if status.needs_javascript:
        tiles.append(_tile("need JavaScript", f"{status.needs_javascript:,}"))
    return tag("section", bar, share, tag("dl", *tiles, cls="tiles"), id="progress")


def _tile(name: str, value: str, *, bad: bool = False) -> Html:
    return tag("div", tag("dt", name), tag("dd", value), cls="bad" if bad else "")


def _waiting(view: CrawlView) -> Html:
    columns = [Column("what"), Column("cause", "text"), Column("hosts", "number")]
    columns += [_URLS, Column("next", "number")]
    rows = map(_waiting_row, view.waits.groups)
    return tag("section", tag("h2", "Waiting"), table(columns, rows), id="waiting")


def _waiting_row(group: Waiting) -> Sequence[object]:
    retry = group.state == "retry"
    return (
        "URLs to try again" if retry else _WAITS.get(group.state, group.state),
        group.cause or ("" if retry else "wait"),
        "" if retry else f"{group.hosts:,}",
        f"{group.urls:,}",
        f"in {show_seconds(group.due_s)}",
    )


_WAITS = {"delay": "between two requests"}


def _hosts(view: CrawlView) -> Html:
    hosts = view.status.hosts_waiting[:_SHOWN_HOSTS]
    columns = [Column("host", "text"), Column("pages", "number")]
    columns += [Column("queued", "number"), Column("next", "number")]
    rows = (
        (
            host.name,
            f"{host.pages_done:,}",
            f"{host.pages + host.images:,}",
            "now" if host.ready_at - view.at <= 1 else _due(host.ready_at - view.at),
        )
        for host in hosts
    )
    more = tag("small", f"the longest queues, of {view.status.hosts:,}")
    title = tag("h2", "Hosts with work ", more)
    return tag("section", title, table(columns, rows), id="hosts")


def _due(seconds: float) -> str:
    return f"in {show_seconds(seconds)}"


def _recent(recent: Recent) -> Iterator[Html]:
    """The newest URLs and errors, the newest first."""
    if recent.urls:
        columns = [Column("type"), Column("URL", "text")]
        rows = table(columns, recent.urls[::-1])
        yield tag("section", tag("h2", "Last URLs"), rows)
    if recent.errors:
        columns = [Column("error", "word bad"), Column("URL", "text")]
        errors = [
            (code, join([url, Html("<br>"), tag("span", message, cls="soft")]))
            for url, code, message in reversed(recent.errors)
        ]
        yield tag("section", tag("h2", "Last errors"), table(columns, errors))


def _endings(status: Status) -> Iterator[Html]:
    for title, name in (("Errors", "error"), ("Skipped", "skip")):
        if reasons := status.reasons[name]:
            columns = [Column("reason", "text"), _URLS]
            rows = [(code, f"{number:,}") for code, number in reasons.items()]
            yield tag("section", tag("h2", title), table(columns, rows))
