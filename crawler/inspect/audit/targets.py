"""Broken links, and redirects that take more than one step or lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.frontier.state_reader import StateReader
from crawler.inspect.audit.findings import Finding, Findings, Related, Section
from crawler.inspect.links import Chosen, LinkGraph, LinkLine, group_links

LOOPS = ("redirect_loop", "too_many_redirects")
"""Codes of errors that redirects end in by themselves."""


def broken_links(state: StateReader, limit: int) -> Section:
    """URLs that end in an error, with the first pages that link to them."""
    found = Findings("broken_links", "error", "Broken links", limit)
    return _targets(state, Chosen(broken=True), found)


def not_checked(state: StateReader, limit: int) -> Section:
    """URLs that were never asked, as the crawl may not connect to their addresses."""
    found = Findings("not_checked", "info", "Links that were not checked", limit)
    return _targets(state, Chosen(not_checked=True), found)


def _targets(state: StateReader, chosen: Chosen, found: Findings) -> Section:
    for group in group_links(state, chosen).groups:
        line = group.first[0]
        pages = tuple(Related(one.source_url, one.text) for one in group.first)
        found.add(Finding(line.target_url, outcome(line), group.links, pages))
    return found.section()


def outcome(line: LinkLine) -> str:
    """What became of a target, also over redirects, in a few words."""
    own = line.detail if line.state == "error" else None
    first = own or str(line.status or line.code)
    if not line.redirects:
        return first
    last = line.final_status or line.final_code or "not fetched"
    return f"{first} -> {line.redirects[-1]} {last}"


def redirects(state: StateReader, graph: LinkGraph, limit: int) -> Iterator[Section]:
    """Loops, and chains of two redirects or more, from where they begin."""
    loops = Findings("redirect_loops", "error", "Redirect loops", limit)
    chains = Findings("redirect_chains", "warning", "Redirect chains", limit)
    for number in graph.first_redirects():
        hops = graph.hops(number)
        last = graph.target(hops[-1]) if hops else None
        looped = last is not None and (
            last.code in LOOPS or number in hops or len(set(hops)) < len(hops)
        )
        if last is None or not (looped or len(hops) > 1):
            continue
        related = tuple(Related(graph.row(hop).url) for hop in hops)
        detail = str(last.status or last.code or last.state)
        finding = Finding(graph.row(number).url, detail, 0, related)
        (loops if looped else chains).add(finding)
    for row in state.urls(("error",), (), LOOPS):
        if not row.redirects:  # it redirects to itself, and nothing leads to it
            related = (Related(row.url),)
            loops.add(Finding(row.url, row.detail or "", 0, related))
    yield loops.section()
    yield chains.section()
