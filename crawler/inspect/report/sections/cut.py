"""The documents of which a limit has left something out."""

from __future__ import annotations

from crawler.inspect.report.markup import el, number, url_link
from crawler.inspect.report.report import Report, Section
from crawler.inspect.report.sections.parts import card, command, table
from crawler.inspect.status import list_cut
from crawler.model.record_base import left_out_names
from crawler.model.units import counted

OPEN = 20
"""Documents that are shown at first."""


def cut(report: Report) -> Section | None:
    found = report.found
    if not found.cut_count:
        return None
    parts = ", ".join(
        f"{left_out_names([kind])} of {number(count)}"
        for kind, count in found.left_out.most_common()
    )
    documents = counted(found.cut_count, "document")
    note = f"A limit has left something out of {documents}: {parts}."
    heads = [("URL", "grow"), ("Left out", "grow")]
    rows = [(url_link(url), left_out_names(kinds)) for url, kinds in found.cut]
    first, others = rows[:OPEN], rows[OPEN:]
    summary = el("summary", f"{number(len(others))} more")
    shown = len(rows)
    more = "" if shown == found.cut_count else f"The first {shown} are shown. "
    box = card(
        "What is missing",
        table(heads, first, "Documents"),
        el("details", summary, table(heads, others, "Documents")) if others else None,
        el("p", f"{more}Lists all of them: ", command(list_cut(report.folder))),
        note=note,
        wide=True,
    )
    return Section("cut", "Cut by a limit", box, found.cut_count)
