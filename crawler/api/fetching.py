"""`fetch()`: one URL through the pipeline of a crawl, without a crawl."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, Unpack

from crawler.api.options import CrawlOptions, configure
from crawler.api.stream import Handover, HubThread, warn
from crawler.engine.fetch_url import FetchedUrl, fetch_url
from crawler.model.config import Config
from crawler.plugins.main_file import refuse_in_child
from crawler.plugins.protocols import Plugin
from hub import get_hub

T = TypeVar("T")


def fetch(
    url: str,
    *,
    config: Config | None = None,
    plugins: Sequence[Plugin] = (),
    **options: Unpack[CrawlOptions],
) -> FetchedUrl:
    """Fetch one URL, and follow its redirects; nothing is written.

    The result tells what a crawl would make of the URL: its `record`, the `document`
    (links, images, title), the `exchange` with the server, and the
    robots.txt. A URL that a crawl would skip is fetched all the same, and `skip` says
    why. A URL that fails has an `ErrorRecord`; nothing is retried.

    `options`, `config` and `plugins` are those of `crawl`, as far as they make sense
    for one URL. Raises TypeError for an unknown option, UsageError for a wrong value.

    Example:
        >>> from crawler import fetch
        >>> page = fetch("https://example.com/", timeout=10)
        >>> page.record.type, page.record.status, page.document.title
        ('page', 200, 'Home')
        >>> [link.text for link in page.document.links]
        ['About us', 'Prices']
        >>> page.skip is None
        True
    """
    refuse_in_child()
    chosen = configure("fetch", config, [url], options)
    last = chosen.seeds[-1]
    return in_hub_thread(
        lambda: fetch_url(chosen, last, plugins=plugins, on_warning=warn),
        f"fetch {url}",
    )


def in_hub_thread(function: Callable[[], T], name: str) -> T:
    """The result of `function` in a thread with a hub of its own.

    The calling thread waits; its hub, if it has one, goes on.
    """
    handover = Handover()
    results: list[T] = []

    def run() -> None:
        error: BaseException | None = None
        try:
            results.append(function())
        except BaseException as raised:
            error = raised
        finally:
            handover.end(error)
            get_hub().destroy()

    HubThread(run, name).start()
    handover.wait_until(lambda: handover.has_ended)
    if handover.error is not None:
        raise handover.error
    return results[0]
