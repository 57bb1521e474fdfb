"""Plug-ins that work on documents, in child processes; `[fields]` is one of them.

They see untrusted HTML and may build a tree of it, so they run under the limits of the
extraction processes (`sandbox/`): a plug-in that hangs or takes too much memory is one
`extract` error, and the next page finds a new process. A crawl without such plug-ins
has no process and pays nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crawler.engine.backlog import Backlog
from crawler.engine.page_task import (
    TASK,
    PageOrder,
    PageSettings,
    decode_answer,
    encode,
    order_parts,
)
from crawler.engine.pending import Finish, PendingOutcome
from crawler.engine.plugin_adapters import OUR_OWN
from crawler.engine.sandbox.messages import Answer
from crawler.engine.sandbox.pool import ExtractionPool, result_of
from crawler.engine.sandbox.process import PendingOrder, WorkerLimits
from crawler.model.documents import (
    Enriched,
    LeftOut,
    Link,
    Listing,
    Page,
    left_out_of,
)
from crawler.model.errors import BodyFailure, ExtractFailure, failure_text
from crawler.model.http import Response
from crawler.model.policy_config import RobotsConfig
from crawler.model.url import join
from crawler.plugins.child import Findings, Passed, PluginSet
from crawler.plugins.loading import PluginError, name_of
from crawler.plugins.main_file import find_main

if TYPE_CHECKING:
    from crawler.plugins.loading import LoadedPlugin

NAME = "plugins"
"""The name of the task in the process."""


class DocumentPlugins:
    """The plug-ins of one crawl that work on documents, and their processes.

    Without plug-ins the processes read pages, and a page that they fail to read is none
    that has failed.

    Starts the first process, and waits until it has loaded the plug-ins; further ones,
    at most `processes`, are started as they are needed. Raises PluginError if it cannot
    load them.
    """

    def __init__(
        self,
        plugins: Sequence[LoadedPlugin],
        max_links: int,
        limits: WorkerLimits | None = None,
        processes: int = 1,
        robots: RobotsConfig | None = None,
    ) -> None:
        """`max_links`: of one page. `robots`: which directives of pages count."""
        self._names = ", ".join(
            OUR_OWN.get(plugin.name, f"plug-in {plugin.name}") for plugin in plugins
        )
        self.only_read = not plugins
        self.reads_links = any(plugin.name not in OUR_OWN for plugin in plugins)
        """Whether they are the user's: our own parts read nothing but the body."""
        self._max_links = max_links
        chosen = _plugin_set(plugins, max_links)
        self._settings = encode(PageSettings(chosen, robots or RobotsConfig()))
        self.processes = processes
        """At most so many are started."""
        self.backlog = Backlog(processes)
        self._pool = ExtractionPool({NAME: TASK}, limits, processes)
        try:
            self._pool.run(NAME, b"".join(order_parts(PageOrder(self._settings))))
        except ExtractFailure as failure:
            self._pool.close()
            raise PluginError(self._named(failure.message)) from failure

    def submit(
        self, response: Response, page: Page | None, asked: str, finish: Finish
    ) -> PendingOutcome:
        """As `ReadByPlugins.submit`.

        A failure names the plug-in, or all of them if the process itself has failed.
        """
        pending = PendingOutcome(finish)
        size = len(response.body)
        self.backlog.add(size)
        order = self._pool.submit(
            NAME,
            order_parts(self._order(response, page, asked), response.body),
            partial(self._answered, pending, response, page),
        )
        pending.give_up = partial(self._abandon, order, size)
        return pending

    def _order(self, response: Response, page: Page | None, asked: str) -> PageOrder:
        if page is None or self.reads_links:
            headers, given = response.headers, encode(page) if page else b""
        else:
            headers, given = (), _bare_page(page.content_type, page.charset)
        return PageOrder(
            self._settings, response.url, response.status, headers, given, asked
        )

    def _answered(
        self,
        pending: PendingOutcome,
        response: Response,
        page: Page | None,
        answer: Answer,
    ) -> None:
        self.backlog.remove(len(response.body))
        try:
            answered = decode_answer(result_of(answer), page, self._max_links)
        except BodyFailure as error:
            failure = ExtractFailure(self._named(error.message))
            pending.set_findings(Enriched(page), None if self.only_read else failure)
            return
        found, page = answered.found, page or answered.page
        assert page is not None
        if answered.failure:
            failure = ExtractFailure(self._named(answered.failure))
            pending.set_findings(Enriched(page), failure)
            return
        page = self._with_links(response.url, page, found)
        enriched = Enriched(page, found.data, found.items, found.text, found.listing)
        lacking = "" if found.listing is None else self._lacking(found.listing)
        pending.set_findings(enriched, ExtractFailure(lacking) if lacking else None)

    def _lacking(self, listing: Listing) -> str:
        """What of the answer of an API is left out; empty: nothing is."""
        images, limit = len(listing.images), self._max_links
        if listing.failure or images <= limit:
            return listing.failure
        return f"items: {images:,} images; limits.max_links: {limit:,}"

    def _abandon(self, order: PendingOrder, size: int) -> None:
        self._pool.abandon(order)
        self.backlog.remove(size)

    def _named(self, text: str) -> str:
        if text.startswith(("plug-in", "field", "item", "text")):
            return text
        return f"{self._names}: {text}"

    def _with_links(self, base: str, page: Page, findings: Findings) -> Page:
        """The page with the URLs of plug-ins, and with what they have left out."""
        if not (findings.urls or findings.left_out):
            return page
        # The process is not trusted to keep the limit.
        few = findings.urls[: self._max_links]
        joined = [url for text in few if (url := join(base, text)) is not None]
        known = {link.url for link in page.links}
        further = [url for url in dict.fromkeys(joined) if url not in known]
        links = (*page.links, *[Link(url, "plugin") for url in further])
        is_cut = max(len(findings.urls), len(links)) > self._max_links
        cut: tuple[LeftOut, ...] = ("urls",) if is_cut else ()
        return replace(
            page,
            links=links[: self._max_links],
            left_out=left_out_of(page.left_out, findings.left_out, cut),
        )

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


@lru_cache(maxsize=64)
def _bare_page(content_type: str, charset: str) -> bytes:
    """What our own parts need of a page, encoded: the same for nearly all."""
    return encode(Page(content_type, charset))


def _plugin_set(plugins: Sequence[LoadedPlugin], max_links: int) -> PluginSet:
    passed = tuple(_passed(plugin) for plugin in plugins)
    in_main = [
        plugin.name
        for plugin in plugins
        if plugin.config is None and name_of(plugin.target).startswith("__main__:")
    ]
    if not in_main:
        return PluginSet(passed, max_links)
    file, module = find_main()
    if file is None:
        raise PluginError(
            f"plug-in {in_main[0]!r} is defined in an interactive session, which the "
            "child process cannot import; put it in a file"
        )
    return PluginSet(passed, max_links, file, module)


def _passed(plugin: LoadedPlugin) -> Passed:
    if plugin.config is not None:
        return Passed(plugin.name, plugin.config)
    import pickle  # nosec B403  # a plug-in that the calling program made

    try:
        return Passed(plugin.name, None, pickle.dumps(plugin.target))
    except Exception as error:
        raise PluginError(
            f"plug-in {plugin.name!r} has to be sent to a child process, and cannot be "
            f"pickled: {failure_text(error)}"
        ) from error
