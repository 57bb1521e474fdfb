"""What `orbweb audit` finds, as a part of the page."""

from __future__ import annotations

import shlex

from crawler.inspect.audit.findings import Finding, Level
from crawler.inspect.audit.findings import Section as Findings
from crawler.inspect.report.markup import Child, Html, el, number, url_link, web_text
from crawler.inspect.report.report import Report, Section
from crawler.inspect.report.sections.parts import command, empty, table
from crawler.model.units import counted

OPEN_FINDINGS = 5
"""A list of so few findings is open at first."""
LEVELS: dict[Level, str] = {
    "error": "Visitors meet it.",
    "warning": "Search engines meet it.",
}
"""The levels of faults. The slowest and largest pages stand with sizes and times."""


def audited(report: Report) -> Section | None:
    """The sections of the audit that have faults, what visitors meet first."""
    audit = report.state.audit
    if audit is None or not audit.pages:
        return None
    order = tuple(LEVELS)
    found = sorted(
        (one for one in audit.sections if one.count and one.level in LEVELS),
        key=lambda one: order.index(one.level),
    )
    folder = shlex.quote(report.folder)
    body = el(
        "div",
        None if found else empty("No faults were found in the links and the pages."),
        el("p", "In a terminal: ", command(f"orbweb audit {folder}")),
        *map(_findings, found),
    )
    return Section("audit", "Audit", body, sum(one.count for one in found))


def _findings(section: Findings) -> Html:
    heads = [("URL", "grow"), ("Found", "grow"), ("Pages", "grow")]
    rows = [
        (url_link(one.url), web_text(one.detail, 160), _related(one))
        for one in section.findings
    ]
    count = len(section.findings)
    listed = "The URL" if section.count == 1 else counted(count, "URL")
    return el(
        "section",
        el("h3", el("span", number(section.count), class_="num"), section.title),
        el("p", LEVELS[section.level], class_="hosts"),
        el(
            "details",
            el("summary", listed),
            table(heads, rows, section.title),
            open=count <= OPEN_FINDINGS,
        ),
        class_="card group" if section.level == "error" else "card group calm",
    )


def _related(finding: Finding) -> Html:
    parts: list[Child] = []
    for one in finding.related:
        text = [" ", web_text(f'"{one.text}"', 80)] if one.text else []
        parts.append(el("div", url_link(one.url), *text))
    if (more := finding.count - len(finding.related)) > 0:
        parts.append(el("div", f"and {number(more)} more"))
    return el("div", *parts)
