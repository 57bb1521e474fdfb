"""All checks over all documents of a crawl."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.frontier.state_reader import StateReader
from crawler.inspect.audit.findings import Audit, Check, Section
from crawler.inspect.audit.pages import page_checks
from crawler.inspect.audit.relations import Canonicals, Sitemap, Translations
from crawler.inspect.audit.targets import broken_links, not_checked, redirects
from crawler.inspect.links import LinkGraph


def audit(state: StateReader, limit: int) -> Audit:
    """The audit of a crawl. Each section names `limit` findings, and counts all.

    The checks of pages see those that were fetched as pages; sitemaps and other files
    only count as sources of links.
    """
    graph = LinkGraph(state)
    sitemap = Sitemap(graph, limit)
    translations = Translations(state, graph, limit)
    of_pages: Sequence[Check] = (
        Canonicals(state, graph, limit),
        translations,
        *page_checks(state, limit),
    )
    pages = links = 0
    for source in state.source_links():
        kind = graph.state(source.number)
        if kind == "redirect":
            continue
        links += len(source.links)
        sitemap.take(source)
        if kind == "page":
            pages += 1
            for check in of_pages:
                check.take(source)
        else:
            translations.take_sitemap(source)
    sections: list[Section] = [broken_links(state, limit)]
    sections += redirects(state, graph, limit)
    for check in (*of_pages, sitemap):
        sections += check.sections()
    sections.append(not_checked(state, limit))
    left = state.count("queued")
    return Audit(pages, links, sitemap.was_read, tuple(sections), left)
