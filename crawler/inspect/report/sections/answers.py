"""What the servers answered: status codes, media types, hosts."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from crawler.inspect.report.axes import show_ms
from crawler.inspect.report.charts import bar
from crawler.inspect.report.hosts import MAX_HOSTS, HostRow
from crawler.inspect.report.markup import Child, el, number, web_text
from crawler.inspect.report.report import Report, Section
from crawler.inspect.report.sections.parts import (
    BarRow,
    bar_list,
    card,
    cards,
    empty,
    table,
)
from crawler.model.units import counted, show_bytes

SHOWN = 12
"""Rows of a list."""
SHOWN_HOSTS = 100
OPEN_HOSTS = 20
"""Hosts that are shown at first."""

_CLASSES = {2: "ok", 3: "moved", 4: "refused", 5: "broken"}


def answers(report: Report) -> Section | None:
    found = report.found
    if not found.statuses and not found.counts["error"]:
        return None
    statuses = bar_list(list(_status_rows(report)))
    types = found.media_types.most_common()
    kinds = [
        BarRow(web_text(name, 60), n, [(n, _type_class(name))])
        for name, n in types[:SHOWN]
    ]
    if rest := sum(n for _, n in types[SHOWN:]):
        kinds.append(BarRow(f"{len(types) - SHOWN} others", rest, [(rest, "muted")]))
    return Section(
        "answers",
        "Answers",
        cards(
            card("Status codes", statuses),
            card("Media types", bar_list(kinds) if kinds else empty("No body came.")),
        ),
    )


def _status_rows(report: Report) -> Iterator[BarRow]:
    statuses = report.found.statuses
    for status, count in sorted(statuses.items())[:40]:
        kind = _CLASSES.get(status // 100, "muted")
        name = el("span", el("b", status), " ", _phrase(status))
        yield BarRow(name, count, [(count, kind)])
    silent = sum(
        group.count
        for (_, status), group in report.found.failures.groups.items()
        if status is None
    )
    if silent:
        yield BarRow("No answer", silent, [(silent, "error")])


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _type_class(name: str) -> str:
    if name in ("text/html", "application/xhtml+xml"):
        return "page"
    return "image" if name.startswith("image/") else "other"


def hosts(report: Report) -> Section | None:
    rows = report.found.hosts.largest(SHOWN_HOSTS)
    if not rows:
        return None
    longest = rows[0].urls
    numbers = ("Pages", "Pictures", "Failed", "Received", "Mean time")
    heads = [("Host", "grow"), ("URLs", "num"), ("", "barred")]
    heads += [(name, "num") for name in numbers]
    cells = [_host_cells(row, longest) for row in rows]
    first, others = cells[:OPEN_HOSTS], cells[OPEN_HOSTS:]
    listed = table(heads, first, "Hosts")
    if others:
        summary = el("summary", f"{number(len(others))} more")
        listed = el(
            "div", listed, el("details", summary, table(heads, others, "Hosts"))
        )
    more = len(report.found.hosts) - len(rows)
    note = (
        f"The {SHOWN_HOSTS} hosts with the most URLs; {counted(more, 'other')} "
        f"{'has' if more == 1 else 'have'} fewer."
        if more
        else ""
    )
    if report.found.hosts.dropped:
        note += (
            f" There were more than {number(MAX_HOSTS)} hosts: the numbers of small "
            "ones are lower bounds."
        )
    return Section(
        "hosts",
        "Hosts",
        card("By number of URLs", listed, note=note, wide=True),
        len(report.found.hosts),
    )


def _host_cells(row: HostRow, longest: int) -> list[Child]:
    parts = [
        (row.pages, "page"), (row.pictures, "image"), (row.others, "other"),
        (row.failed, "error"),
    ]  # fmt: skip
    mean = row.mean_ms
    return [
        web_text(row.name, 100), number(row.urls), bar(parts, longest),
        number(row.pages), number(row.pictures),
        el("b", number(row.failed), class_="bad") if row.failed else "0",
        show_bytes(row.received), "" if mean is None else show_ms(mean),
    ]  # fmt: skip
