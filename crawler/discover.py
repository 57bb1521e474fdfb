"""From what a page links to and shows, to what enters the frontier: scope and depth. No I/O.

Most links were seen a moment ago; those cost one look into the frontier's cache and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crawler.config import Config
from crawler.errors import ProtocolFailure, RedirectLoop, TooManyRedirects
from crawler.records import File, Found, Hop, ImageLink, Lease, Link, Page, Response
from crawler.scope import Scope
from crawler.url import join_header


class Discovery:
    """Judges the links of one crawl.

    `known(url, depth)` says that a find there would change nothing; `widen` takes in the URL that
    a seed redirects to, and remembers it for a resume.
    """

    def __init__(
        self,
        config: Config,
        scope: Scope,
        known: Callable[[str, int], bool],
        widen: Callable[[str], None],
    ) -> None:
        self._scope = scope
        self._known = known
        self._widen = widen
        self._max_redirects = config.limits.max_redirects
        self._fetch_images = config.images.fetch
        self._obey_nofollow = config.robots.nofollow

    def page(self, lease: Lease, page: Page) -> tuple[Found, ...]:
        """Everything of a page that may enter the frontier."""
        images = self._images(lease, page.images) if self._fetch_images else []
        if self._obey_nofollow and "nofollow" in (page.robots_meta or "").lower():
            return tuple(images)
        return (*images, *self._links(lease, page.links))

    def file(self, lease: Lease, file: File) -> tuple[Found, ...]:
        """What a sitemap or a feed names."""
        images = self._images(lease, file.images) if self._fetch_images else []
        return (*images, *self._links(lease, file.links))

    def _links(self, lease: Lease, links: Iterable[Link]) -> tuple[Found, ...]:
        depth = lease.depth + 1
        return tuple(
            Found(
                link.url,
                link.kind,
                "page",
                depth,
                lease.url,
                lease.seed_url,
                skip=self._scope.judge(link.url, "page", depth),
            )
            for link in links
            if not self._known(link.url, depth) and not (self._obey_nofollow and link.nofollow)
        )

    def _images(self, lease: Lease, images: Iterable[ImageLink]) -> list[Found]:
        depth = lease.depth + 1
        return [
            Found(
                image.url,
                image.kind,
                "image",
                depth,
                lease.url,
                lease.seed_url,
                image.alt,
                skip=self._scope.judge(image.url, "image", depth),
            )
            for image in images
            if not self._known(image.url, depth)
        ]

    def redirect(self, lease: Lease, response: Response) -> Found:
        """Where a response points to: a link like any other, which carries its chain.

        Robots, manners and dedupe apply to it by themselves. Raises TooManyRedirects, RedirectLoop
        or, for a Location that is no URL, ProtocolFailure.
        """
        location = response.header("location") or ""
        target = join_header(lease.url, location)
        if target is None:
            raise ProtocolFailure(f"the Location {location[:200]!r} is no URL to follow")
        chain = (*lease.redirects, *response.redirects, Hop(response.url, response.status))
        if any(hop.url == target for hop in chain):
            raise RedirectLoop(f"{target} leads back to itself over {len(chain)} redirects")
        if len(chain) > self._max_redirects:
            raise TooManyRedirects(f"more than {self._max_redirects} redirects in one chain")
        if lease.depth == 0:
            self._widen(target)
        return Found(
            target,
            "redirect",
            lease.want,
            lease.depth,
            lease.parent_url or lease.url,
            lease.seed_url,
            lease.alt,
            chain,
            self._scope.judge(target, lease.want, lease.depth),
        )
