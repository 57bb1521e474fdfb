"""What failed, what was skipped, and where redirects lead."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from http import HTTPStatus

from crawler.inspect.report.failures import (
    EXPLAINED,
    MAX_EXAMPLES,
    Cause,
    Group,
)
from crawler.inspect.report.markup import Child, Html, el, number, url_link, web_text
from crawler.inspect.report.report import Report, Section
from crawler.inspect.report.sections.parts import (
    BarRow,
    bar_list,
    card,
    command,
    empty,
    table,
)
from crawler.model.units import counted, is_or_are

SHOWN_HOSTS = 4
OPEN_EXAMPLES = 5
"""A list of so few URLs is open at first."""
PERMANENT = frozenset(
    {"blocked_address", "too_large", "image_decode", "redirect_loop", "parse"}
)
"""Causes that stay as long as neither the site nor the settings change."""

SKIPPED = {
    "scheme": "Neither http nor https",
    "scope": "Outside the scope of the crawl",
    "depth": "Deeper than the limit",
    "nofollow": "The page asks not to follow its links",
    "noai": "Not to be used for machine learning",
    "robots": "Disallowed by robots.txt",
    "robots_unavailable": "robots.txt could not be fetched",
    "limit_host": "The limit of pages of one host",
    "limit_template": "The limit of pages of one kind",
    "limit_api": "The limit of an API",
    "trap": "A crawler trap",
    "filter_dimensions": "Pictures of other dimensions than wanted",
    "filter_bytes": "Pictures of another size than wanted",
    "filter_format": "Pictures of other formats than wanted",
    "filter_icon": "Icons",
    "duplicate_content": "The same content as another URL",
    "plugin": "Refused by a plug-in",
    "logout": "Would end the session",
    "not_kept": "Followed, and not recorded (--only-keep)",
}
"""Every reason of a skip in words."""


def failed(report: Report) -> Section:
    failures = report.found.failures
    folder = shlex.quote(report.folder)
    if not failures.count:
        return Section("failed", "Failed", empty("Nothing failed."), 0)
    groups = sorted(failures.groups.items(), key=lambda item: -item[1].count)
    codes = {code for (code, _), _ in groups}
    every = el("p", "All of them again: ", command(f"orbweb retry {folder}"))
    can_retry = not report.state.extract_of
    body = el(
        "div",
        every if can_retry and len(codes) > 1 else None,
        *(
            _group(cause, group, folder if can_retry else None, failures.groups)
            for cause, group in groups
        ),
    )
    return Section("failed", "Failed", body, failures.count)


def _group(
    cause: Cause, group: Group, folder: str | None, groups: dict[Cause, Group]
) -> Html:
    """One cause; `folder` is None where nothing can be tried again."""
    code, status = cause
    heads = [("URL", "grow"), ("Found on", "grow"), ("Message", "grow")]
    rows = [
        (url_link(one.url), url_link(one.other) if one.other else "a seed",
         web_text(one.note, 160))
        for one in group.examples
    ]  # fmt: skip
    return el(
        "section",
        el("h3", el("span", number(group.count), class_="num"), *_name(code, status)),
        el("p", advice) if (advice := _advice(code, status)) else None,
        el("p", _hosts(group), class_="hosts")
        if _number_of_hosts(groups) > 1
        else None,
        _retry(code, group, folder, groups) if folder is not None else None,
        _examples(group, table(heads, rows, "URLs")),
        _more(group, folder, f"--state error --code {shlex.quote(code)}"),
        class_="card group",
    )


def _retry(code: str, group: Group, folder: str, groups: dict[Cause, Group]) -> Html:
    """The command that tries the URLs again, and those with the same code."""
    retry = f"orbweb retry {folder} --code {shlex.quote(code)}"
    count = sum(other.count for (name, _), other in groups.items() if name == code)
    what = (
        "Tries them again:"
        if count == group.count
        else f"Tries all {number(count)} of this code again:"
    )
    return el("p", what, " ", command(retry))


def _number_of_hosts(groups: dict[Cause, Group]) -> int:
    return len({host for group in groups.values() for host in group.hosts})


def _examples(group: Group, listed: Html) -> Html:
    number_of = len(group.examples)
    named = "The URL" if group.count == 1 else counted(number_of, "URL")
    return el("details", el("summary", named), listed, open=number_of <= OPEN_EXAMPLES)


def _name(code: str, status: int | None) -> Iterator[Child]:
    if status is None:
        yield EXPLAINED.get(code, "").rstrip(".")
    else:
        try:
            yield f"{status} {HTTPStatus(status).phrase}"
        except ValueError:
            yield str(status)
    yield el("code", code)


def _advice(code: str, status: int | None) -> str:
    """What the name does not say."""
    text = "" if status is None else EXPLAINED.get(code, "")
    if status in (404, 410):
        text = "There is nothing at this URL: the link to it is wrong or old."
    if status in (401, 403):
        text = "The server wants a login, or refuses the crawler."
    if code in PERMANENT or status in (404, 410):
        text += " To try again helps only if the site or the settings have changed."
    return text.strip()


def _hosts(group: Group) -> Html:
    named = group.hosts.most_common(SHOWN_HOSTS)
    parts: list[Child] = []
    for at, (host, count) in enumerate(named):
        parts += [", " if at else None, web_text(host, 60)]
        parts.append(f" ({number(count)})" if len(group.hosts) > 1 else None)
    if more := len(group.hosts) - len(named):
        parts.append(f" and {counted(more, 'more host')}")
    return el("span", *parts)


def _more(group: Group, folder: str | None, options: str) -> Html | None:
    if group.count <= len(group.examples):
        return None
    if folder is None:
        return el("p", f"The first {MAX_EXAMPLES} are shown.")
    return el(
        "p", f"The first {MAX_EXAMPLES} are shown. All of this code: ",
        command(f"orbweb urls {folder} {options}"),
    )  # fmt: skip


def redirects(report: Report) -> Section | None:
    found = report.found.redirects
    if not found.count:
        return None
    statuses = ", ".join(
        f"{number(count)} with {status}"
        for status, count in found.statuses.most_common(6)
    )
    groups = sorted(found.groups.items(), key=lambda item: -item[1].count)
    body = el(
        "div",
        el("p", f"{statuses}.", class_="note"),
        *(_redirect_group(name, group) for name, group in groups),
    )
    return Section("redirects", "Redirects", body, found.count)


def _redirect_group(name: str, group: Group) -> Html:
    heads = [("From", "grow"), ("Status", "num"), ("To", "grow")]
    rows = [
        (url_link(one.url), one.note, url_link(one.other)) for one in group.examples
    ]
    more = group.count - len(group.examples)
    rest = f"{number(more)} more {is_or_are(more)} in the records."
    return el(
        "section",
        el("h3", el("span", number(group.count), class_="num"), name),
        el("p", _hosts(group), class_="hosts") if len(group.hosts) > 1 else None,
        _examples(group, table(heads, rows, name)),
        el("p", rest) if more else None,
        class_="card group calm",
    )


def skipped(report: Report) -> Section | None:
    skips = dict(report.state.skips) or dict(report.found.skips)
    if not skips:
        return None
    rows = [
        BarRow(el("span", SKIPPED.get(reason, reason), " ", el("code", reason)), count,
               [(count, "muted")])
        for reason, count in sorted(skips.items(), key=lambda item: -item[1])
    ]  # fmt: skip
    folder = shlex.quote(report.folder)
    listing = el("p", "Lists them: ", command(f"orbweb urls {folder} --state skip"))
    boxes = card("By reason", bar_list(rows), listing, wide=True)
    return Section("skipped", "Skipped", boxes, sum(skips.values()))
