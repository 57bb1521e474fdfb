"""How the page came to be, and what its figures mean."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from crawler.inspect.report.markup import Html, el, number
from crawler.inspect.report.report import Report, Section
from crawler.inspect.report.sections.parts import command
from crawler.inspect.report.site_tree import MAX_FOLDERS, MAX_LEAVES
from crawler.inspect.report.times import day_and_time
from crawler.model.units import counted


def about(report: Report) -> Section:
    body = el("div", *_paragraphs(report), class_="card wide about")
    return Section("about", "About", body)


def _paragraphs(report: Report) -> Iterator[Html]:
    found = report.found
    made = command(f"orbweb report {shlex.quote(report.folder)}")
    version = next((mark.version for mark in found.runs if mark.version), "")
    orbweb = f"Orbweb {version}".strip()
    when, records = day_and_time(report.made_at), counted(found.records, "record")
    yield el("p", f"Made {when} of {records} of {orbweb}. ", made)
    ends = [mark for mark in found.runs if mark.event == "finished"]
    if ends:
        reasons = ", ".join(str(mark.finish_reason) for mark in ends[-5:])
        yield el("p", f"The last runs ended by: {reasons}.")
    if found.replaced or found.earlier:
        yield el(
            "p", f"Each URL counts once, by its last record; {number(found.replaced)} "
            f"earlier ones are left out, and {number(found.earlier)} of former crawls.",
        )  # fmt: skip
    yield el(
        "p", "Times and sizes are counted in bins, so quantiles are exact to 6 %. "
        "Lists have the first URLs of each group. The tree has at most "
        f"{number(MAX_FOLDERS)} folders and names {number(MAX_LEAVES)} pages; what has "
        "no place is counted in the folder above.",
    )  # fmt: skip
    yield el(
        "p", "This file needs no network, and may request nothing: links lead to the "
        "sites that were crawled.",
    )  # fmt: skip
