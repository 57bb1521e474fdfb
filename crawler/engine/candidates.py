"""From what a page links to and shows, to what enters the frontier: scope and depth. No
I/O.

Most links were seen a moment ago; those cost one look into the frontier's cache and
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crawler.model.config import Config
from crawler.model.crawl import Discovered, Lease, Skip
from crawler.model.documents import File, ImageLink, Link, LinkKind, Page
from crawler.model.errors import ProtocolFailure, RedirectLoop, TooManyRedirects
from crawler.model.http import Hop, Response
from crawler.model.url import join_header, origin
from crawler.policy.robots_meta import RobotsMeta
from crawler.policy.scope import Scope
from crawler.policy.strip_params import ParamStripper
from crawler.policy.traps import Traps

SITEMAPS: tuple[LinkKind, ...] = ("robots_sitemap", "sitemap_index", "sitemap")


class CandidateBuilder:
    """Judges the links of one crawl.

    `known(url, depth)` says that a find there would change nothing; `widen` takes in
    the URL that a seed redirects to, and remembers it for a resume.
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
        self._strip = ParamStripper(config.scope.strip_params).stripped
        self._obey_rel = config.robots.nofollow == "link"

    def page(
        self, lease: Lease, page: Page, said: RobotsMeta
    ) -> tuple[Discovered, ...]:
        """Everything of a page that may enter the frontier; `said`: what it says to
        crawlers."""
        images = (
            self._images(lease, page.images, said.noimageai)
            if self._fetch_images
            else []
        )
        return (*images, *self._links(lease, page.links, said.nofollow))

    def file(self, lease: Lease, file: File) -> tuple[Discovered, ...]:
        """What a sitemap or a feed names. What sitemaps name is as far away as they
        are."""
        images = self._images(lease, file.images, None) if self._fetch_images else []
        depth = lease.depth + (lease.kind not in SITEMAPS)
        links = [
            _link(
                lease,
                link.url,
                link.kind,
                depth,
                self._scope.check_found(link.url, link.kind, "page", depth),
            )
            for link in file.links
            if not self._known(link.url, depth)
        ]
        return (*images, *links)

    def sitemaps(self, lease: Lease, urls: Iterable[str]) -> list[Discovered]:
        """The sitemaps that the robots.txt of the lease's origin names: one link
        away."""
        robots = f"{origin(lease.url)}/robots.txt"
        return [
            Discovered(
                url,
                "robots_sitemap",
                "page",
                1,
                robots,
                lease.seed_url,
                skip=self._scope.judge_sitemap(url),
            )
            for url in urls
        ]

    def instead(self, lease: Lease) -> tuple[Discovered, ...]:
        """What takes the place of a lease that turned out to lead into a trap."""
        url = self._traps.instead(lease.url, lease.parent_url, lease.depth)
        if url is None or self._known(url, lease.depth):
            return ()
        skip = self._scope.check(url, "page", lease.depth)
        parent, seed = lease.parent_url, lease.seed_url
        return (
            Discovered(url, lease.kind, "page", lease.depth, parent, seed, skip=skip),
        )

    def _links(
        self, lease: Lease, links: Iterable[Link], nofollow: Skip | None
    ) -> list[Discovered]:
        depth, known, found = lease.depth + 1, self._known, []
        for link in links:
            url = self._strip(link.url) if "?" in link.url else link.url
            if known(url, depth):
                continue
            skip = nofollow or self._scope.check(url, "page", depth)
            if skip is None and link.nofollow and self._obey_rel:
                skip = Skip("nofollow", f"rel: {link.rel}")
            if (
                skip is None
                and (skip := self._traps.check(url, lease.url, depth)) is not None
            ):
                instead = self._traps.instead(url, lease.url, depth)
                if instead is not None and not known(instead, depth):
                    judged = self._scope.check(instead, "page", depth)
                    found.append(_link(lease, instead, link.kind, depth, judged))
            found.append(_link(lease, url, link.kind, depth, skip))
        return found

    def _images(
        self, lease: Lease, images: Iterable[ImageLink], noimageai: Skip | None
    ) -> list[Discovered]:
        depth = lease.depth + 1
        return [
            Discovered(
                image.url,
                image.kind,
                "image",
                depth,
                lease.url,
                lease.seed_url,
                image.alt,
                skip=noimageai or self._scope.check(image.url, "image", depth),
            )
            for image in images
            if not self._known(image.url, depth)
        ]

    def redirect(self, lease: Lease, response: Response) -> Discovered:
        """Where a response points to: a link like any other, which carries its chain.

        Robots, manners and dedupe apply to it by themselves. Raises TooManyRedirects,
        RedirectLoop or, for a Location that is no URL, ProtocolFailure.
        """
        location = response.header("location") or ""
        target = join_header(lease.url, location)
        if target is None:
            raise ProtocolFailure(
                f"the Location {location[:200]!r} is no URL to follow"
            )
        chain = (
            *lease.redirects,
            *response.redirects,
            Hop(response.url, response.status),
        )
        if any(hop.url == target for hop in chain):
            raise RedirectLoop(
                f"{target} leads back to itself over {len(chain)} redirects"
            )
        if len(chain) > self._max_redirects:
            raise TooManyRedirects(
                f"more than {self._max_redirects} redirects in one chain"
            )
        if lease.depth == 0:
            self._widen(target)
        return Discovered(
            target,
            "redirect",
            lease.destination,
            lease.depth,
            lease.parent_url or lease.url,
            lease.seed_url,
            lease.alt,
            chain,
            self._scope.check(target, lease.destination, lease.depth),
        )


def _link(
    lease: Lease, url: str, kind: LinkKind, depth: int, skip: Skip | None
) -> Discovered:
    """A page that the document of `lease` links to."""
    return Discovered(url, kind, "page", depth, lease.url, lease.seed_url, skip=skip)
