"""What is answered to a path."""

from __future__ import annotations

from urllib.parse import unquote

from crawler.cli.serving import metrics
from crawler.cli.serving.crawls import Crawls
from crawler.cli.serving.html import content_security_policy
from crawler.cli.serving.http import Request, Response, text_response
from crawler.cli.serving.page import crawl_page, list_page

_CRAWL = "/crawl/"


class Site:
    """The pages and the metrics of `crawls`.

    `max_hosts`: how many hosts of a crawl get a series of their own in the metrics.
    """

    def __init__(self, crawls: Crawls, max_hosts: int) -> None:
        self._crawls = crawls
        self._max_hosts = max_hosts

    def respond(self, request: Request) -> Response:
        """The response to a GET or HEAD."""
        path = request.path
        if path == "/healthz":
            return text_response(200)
        if path == "/metrics":
            accept = request.headers.get("accept", "")
            crawls = self._crawls.all()
            body, media_type = metrics.render(crawls, accept, self._max_hosts)
            return Response(200, media_type, body, {"Vary": "Accept"})
        if path == "/":
            return _page(list_page(self._crawls.all()))
        if path.startswith(_CRAWL):
            name = unquote(path.removeprefix(_CRAWL), errors="surrogateescape")
            if (found := self._crawls.get(name)) is not None:
                return _page(crawl_page(found))
        return text_response(404)


def _page(body: bytes) -> Response:
    headers = {
        "Content-Security-Policy": content_security_policy(),
        "Referrer-Policy": "no-referrer",
    }
    return Response(200, "text/html; charset=utf-8", body, headers)
