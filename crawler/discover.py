"""From what a page links to and shows, to what enters the frontier: scope and depth. No I/O.

Most links were seen a moment ago; those cost one look into the frontier's cache and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crawler.config import Config
from crawler.errors import ProtocolFailure, RedirectLoop, TooManyRedirects
from crawler.records import (
    File,
    Found,
    Hop,
    ImageLink,
    Lease,
    Link,
    LinkKind,
    Page,
    Response,
    Skip,
)
from crawler.scope import Scope
from crawler.traps import Traps
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
        traps: Traps,
        known: Callable[[str, int], bool],
        widen: Callable[[str], None],
    ) -> None:
        self._scope = scope
        self._traps = traps
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

    def instead(self, lease: Lease) -> tuple[Found, ...]:
        """What takes the place of a lease that turned out to lead into a trap."""
        url = self._traps.instead(lease.url, lease.parent_url, lease.depth)
        if url is None or self._known(url, lease.depth):
            return ()
        skip = self._scope.judge(url, "page", lease.depth)
        parent, seed = lease.parent_url, lease.seed_url
        return (Found(url, lease.kind, "page", lease.depth, parent, seed, skip=skip),)

    def _links(self, lease: Lease, links: Iterable[Link]) -> list[Found]:
        depth, known, found = lease.depth + 1, self._known, []
        for link in links:
            url = link.url
            if known(url, depth) or (self._obey_nofollow and link.nofollow):
                continue
            skip = self._scope.judge(url, "page", depth)
            if skip is None and (skip := self._traps.judge(url, lease.url, depth)) is not None:
                instead = self._traps.instead(url, lease.url, depth)
                if instead is not None and not known(instead, depth):
                    judged = self._scope.judge(instead, "page", depth)
                    found.append(_link(lease, instead, link.kind, judged))
            found.append(_link(lease, url, link.kind, skip))
        return found

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


def _link(lease: Lease, url: str, kind: LinkKind, skip: Skip | None) -> Found:
    """A page that the page of `lease` links to."""
    return Found(url, kind, "page", lease.depth + 1, lease.url, lease.seed_url, skip=skip)
