"""From the links and images of a document to what enters the frontier. No I/O.

Each new URL becomes a Candidate and runs through the chain of checks. Most links were
seen a moment ago: those cost one look into the frontier's cache and nothing else, not
even an object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from crawler.model.config import Config
from crawler.model.crawl import (
    Destination,
    Discovered,
    ImageContext,
    Lease,
    Skip,
    image_context,
)
from crawler.model.documents import (
    File,
    ImageLink,
    LeaveOut,
    Link,
    LinkKind,
    Page,
    refresh_target,
    say_nothing,
)
from crawler.model.errors import ProtocolFailure, RedirectLoop, TooManyRedirects
from crawler.model.http import Hop, Response
from crawler.model.metadata import KeyValue
from crawler.model.units import counted
from crawler.model.url import host_key, join_header, origin
from crawler.policy.check import Candidate, Chain
from crawler.policy.quotas import Quotas
from crawler.policy.robots_meta import RobotsMeta
from crawler.policy.scope import NAMED_SITEMAPS, SITEMAPS
from crawler.policy.strip_params import ParamStripper
from crawler.policy.traps import Traps

if TYPE_CHECKING:
    from crawler.engine.images.wanted import ImagePlaces
    from crawler.extract.references.requisites import Requisite

Refused = Callable[[Candidate, Skip], tuple[Skip | None, Destination]]
"""What becomes of a refused candidate: it may be requested, and not followed."""
ImageData = Mapping[str, dict[str, Any]]
"""By URL of an image: what its API or plug-in says of it."""
NO_DATA: ImageData = {}
ImageVersions = Mapping[str, tuple[str, ...]]
"""By URL of an image: the other versions of the picture."""
NO_VERSIONS: ImageVersions = {}
NO_THUMBNAILS: Mapping[str, str] = {}

_SCALED = re.compile(r"-\d{2,5}x\d{2,5}\.\w+$").search


class CandidateBuilder:
    """Checks the URLs that one crawl finds.

    `known(url, depth)` says that a find there would change nothing. `metadata`
    keeps how deep style sheets import each other.
    """

    def __init__(
        self,
        config: Config,
        checks: Chain,
        traps: Traps,
        quotas: Quotas,
        known: Callable[[str, int], bool],
        metadata: KeyValue,
    ) -> None:
        self._check = checks.check_found
        self._refused: Refused = lambda one, skip: (skip, one.destination)
        if config.scope.check_external:
            from crawler.engine.external_links import external_links

            self._refused = external_links(self._check)
        self._traps = traps
        self._quotas = quotas
        self._known = known
        self._max_redirects = config.limits.max_redirects
        self._fetch_images = config.images.fetch
        self._images = config.images
        self._places: ImagePlaces | None = None
        if config.images.min_width or config.images.are_named_by_page:
            from crawler.engine.images.wanted import ImagePlaces

            self._places = ImagePlaces(config.images)
        self._fetch_styles = config.bodies.mirror or (
            config.images.fetch and config.images.styles
        )
        self.metadata = metadata
        self.strip = ParamStripper(config.scope.strip_params).stripped

    def page(
        self,
        lease: Lease,
        page: Page,
        robots_meta: RobotsMeta,
        status: int,
        leave_out: LeaveOut = say_nothing,
    ) -> tuple[Discovered, ...]:
        """Everything of a page that may enter the frontier. `status`: its own.

        A URL that is both a link and an image is queued as an image, which it most
        often is, and as a page where the crawl fetches no images. A page that refuses
        the use of its images refuses it for those that it links to as well.
        """
        links: Iterable[Link] = page.links
        images: Iterable[Discovered]
        noimageai = robots_meta.noimageai
        is_plain = not (page.pictures or any(_SCALED(one.url) for one in page.images))
        if is_plain or self._images.srcset == "all":
            images = self.images(lease, page.images, noimageai, title=page.title)
        else:
            images, others = self._one_of_each(lease, page, noimageai, leave_out)
            links = [link for link in links if link.url not in others]
        if noimageai is not None:
            refused = {image.url for image in page.images}
            links = [link for link in links if link.url not in refused]
        onward = self._onward(lease, page.links, robots_meta.nofollow, status)
        found = (*onward, *images, *self.links(lease, links, robots_meta.nofollow))
        if page.styles and self._fetch_styles:  # last, for a link may be a page
            return (*found, *self._styles(lease, page.styles, noimageai))
        return found

    def file(self, lease: Lease, file: File, status: int) -> tuple[Discovered, ...]:
        """The URLs that a sitemap or a feed names.

        Those of a sitemap have the depth of the sitemap.
        """
        depth = lease.depth + (lease.kind not in SITEMAPS)
        links = [
            Candidate(link.url, link.kind, "page", depth, lease.url, lease.seed_url)
            for link in file.links
            if not self._known(link.url, depth)
        ]
        if any(link.kind == "sitemap_index" for link in file.links):
            self._quotas.sitemaps.add_index(lease)
        return (
            *self._onward(lease, file.links, None, status),
            *self.images(lease, file.images, None),
            *map(self.checked, links),
            *(self._imported(lease, file.styles) if file.styles else ()),
        )

    def _onward(
        self, lease: Lease, links: Iterable[Link], nofollow: Skip | None, status: int
    ) -> tuple[Discovered, ...]:
        """Where a seed goes on by a refresh.

        That is like a redirect, and bounded like one. Where it would be a loop or too
        long, the refresh is a link like any other.
        """
        target = None if lease.depth else refresh_target(lease.url, links)
        if target is None:  # most often
            return ()
        chain = (*lease.redirects, Hop(lease.url, status))
        if len(chain) > self._max_redirects:
            return ()
        if any(hop.url == target for hop in chain):
            return ()
        candidate = Candidate(
            target, "meta_refresh", "page", 0, lease.url, lease.seed_url,
            directive=nofollow,
        )  # fmt: skip
        return (self.checked(candidate, None, chain),)

    def seed(self, url: str) -> Discovered:
        """The canonical URL of a seed."""
        return self.checked(Candidate(url, "seed", "page", 0, None, url))

    def sitemaps(self, lease: Lease, urls: Iterable[str]) -> list[Discovered]:
        """The sitemaps named by the robots.txt of the lease's origin: one link away."""
        robots, seed = f"{origin(lease.url)}/robots.txt", lease.seed_url
        return [
            self.checked(Candidate(url, "robots_sitemap", "page", 1, robots, seed))
            for url in urls
            if not self._known(url, 1)
        ]

    def may_be_page(self, lease: Lease) -> bool:
        """Whether the URL, found as an image, would be fetched as a page as well."""
        candidate = Candidate(
            lease.url, lease.kind, "page", lease.depth, lease.parent_url, lease.seed_url
        )
        return self._check(candidate) is None

    def substitute(self, lease: Lease) -> tuple[Discovered, ...]:
        """What takes the place of a lease that leads into a trap."""
        return self._substitute(Candidate.of_lease(lease))

    def _substitute(self, trapped: Candidate) -> tuple[Discovered, ...]:
        """The URL without its cut keys, if that is not known yet."""
        url = self._traps.substitute(trapped)
        if url is None or self._known(url, trapped.depth):
            return ()
        candidate = Candidate(
            url, trapped.kind, "page", trapped.depth, trapped.parent_url,
            trapped.seed_url,
        )  # fmt: skip
        return (self.checked(candidate),)

    def links(
        self, lease: Lease, links: Iterable[Link], nofollow: Skip | None
    ) -> list[Discovered]:
        parent, seed, depth = lease.url, lease.seed_url, lease.depth + 1
        known, check = self._known, self._check
        found: list[Discovered] = []
        for link in links:
            url = self.strip(link.url) if "?" in link.url else link.url
            if known(url, depth):
                continue
            kind = link.kind
            candidate = Candidate(
                url, kind, "page", depth, parent, seed, link.rel, link.nofollow,
                nofollow,
            )  # fmt: skip
            skip, to = check(candidate), candidate.destination
            if skip is not None:
                if skip.reason == "trap":
                    found += self._substitute(candidate)
                skip, to = self._refused(candidate, skip)
            found.append(Discovered(url, kind, to, depth, parent, seed, skip=skip))
        return found

    def _one_of_each(
        self, lease: Lease, page: Page, noimageai: Skip | None, leave_out: LeaveOut
    ) -> tuple[list[Discovered], Container[str]]:
        """The images of a page, of each picture one version; the URLs of the others."""
        from crawler.engine.images.versions import chosen_images, next_versions
        from crawler.policy.kept_images import is_too_small

        chosen, versions, thumbnails, others = chosen_images(
            page, self._images, leave_out if self._fetch_images else say_nothing
        )
        found = self.images(
            lease, chosen, noimageai, NO_DATA, versions, thumbnails, page.title
        )
        for one in [one for one in found if one.skip and one.context]:
            if one.skip is not None and not is_too_small(one.skip.rule):
                found += next_versions(self, one)
        return found, others

    def images(
        self,
        lease: Lease,
        images: Iterable[ImageLink],
        noimageai: Skip | None,
        data: ImageData = NO_DATA,
        versions: ImageVersions = NO_VERSIONS,
        thumbnails: Mapping[str, str] = NO_THUMBNAILS,
        title: str | None = None,
    ) -> list[Discovered]:
        if not self._fetch_images:
            return []
        parent, seed, depth = lease.url, lease.seed_url, lease.depth + 1
        found = [
            self.checked(
                Candidate(
                    image.url, image.kind, "image", depth, parent, seed,
                    directive=noimageai,
                ),
                image.alt,
                context=image_context(image, data, versions, thumbnails),
            )
            for image in images
            if not self._known(image.url, depth)
        ]  # fmt: skip
        places = self._places
        return found if places is None else places.added(found, images, title)

    def _styles(
        self, lease: Lease, styles: Iterable[Link], noimageai: Skip | None
    ) -> list[Discovered]:
        """The style sheets of a page, which may be on any host that images may be on.

        `noimageai` refuses them as well: they are fetched for their images alone.
        """
        depth = lease.depth + 1
        return [
            self.checked(
                Candidate(
                    style.url, style.kind, "style", depth, lease.url, lease.seed_url,
                    directive=noimageai,
                )
            )
            for style in styles
            if not self._known(style.url, depth)
        ]  # fmt: skip

    def _imported(self, lease: Lease, styles: Iterable[Link]) -> list[Discovered]:
        """The style sheets that a style sheet imports."""
        if not self._fetch_styles:
            return []
        # Imported late: most style sheets import none.
        from crawler.policy.url_chains import style_imports

        found = self._styles(lease, styles, None)
        return style_imports(self.metadata).limited(lease, found)

    def requisites(
        self, lease: Lease, wanted: Iterable[Requisite], noimageai: Skip | None
    ) -> list[Discovered]:
        """What a document needs to be shown, for a mirror.

        A frame that is no page of the crawl is fetched from the document's own host
        only: those of other hosts are pages of others. Images and style sheets of a
        page are found by `page` already; the same find again changes nothing.
        """
        from crawler.policy.url_chains import requisites

        depth, found = lease.depth + 1, []
        nesting = requisites(self.metadata)
        too_deep = nesting.check(lease) if lease.destination != "page" else None
        for one in wanted:
            if self._known(one.url, depth) or (
                one.kind == "iframe" and not self._is_own_frame(lease, one.url)
            ):
                continue
            if one.destination == "image" and not self._fetch_images:
                continue
            candidate = Candidate(
                one.url, one.kind, one.destination, depth, lease.url, lease.seed_url,
                directive=noimageai if one.destination == "image" else None,
            )  # fmt: skip
            new = self.checked(candidate)
            if one.kind == "font":  # it has no requisites of its own
                pass
            elif too_deep is not None:
                new = replace(new, skip=new.skip or too_deep)
            elif new.skip is None and lease.destination != "page":
                nesting.record(lease, one.url)
            found.append(new)
        return found

    def _is_own_frame(self, lease: Lease, url: str) -> bool:
        """Whether a frame belongs to the document and is no page of the crawl."""
        page = Candidate(
            url, "iframe", "page", lease.depth + 1, lease.url, lease.seed_url
        )
        return host_key(url) == lease.host and self._check(page) is not None

    def checked(
        self,
        candidate: Candidate,
        alt: str | None = None,
        redirects: tuple[Hop, ...] = (),
        context: ImageContext | None = None,
    ) -> Discovered:
        skip, to = self._check(candidate), candidate.destination
        if skip is None and candidate.kind in NAMED_SITEMAPS:
            skip = self._quotas.sitemaps.check(candidate)  # it need not wait for that
        if skip is not None:
            skip, to = self._refused(candidate, skip)
        one = candidate
        return Discovered(
            one.url, one.kind, to, one.depth, one.parent_url, one.seed_url, alt,
            redirects, skip, context,
        )  # fmt: skip

    def redirect(self, lease: Lease, response: Response) -> Discovered:
        """Where a response points to: a link like any other, which carries its chain.

        Robots, politeness and dedupe apply to it by themselves. The target of a named
        sitemap is a named sitemap, too: it may be on any host. Raises
        TooManyRedirects, RedirectLoop or, for a Location that is no URL,
        ProtocolFailure.
        """
        location = response.header("location") or ""
        target = join_header(lease.url, location)
        if target is None:
            raise ProtocolFailure(
                f"the Location {location[:200]!r} is no URL to follow"
            )
        last = Hop(response.url, response.status)
        chain = (*lease.redirects, *response.redirects, last)
        if any(hop.url == target for hop in chain):
            over = counted(len(chain), "redirect")
            raise RedirectLoop(f"{target} leads back to itself over {over}")
        if len(chain) > self._max_redirects:
            raise TooManyRedirects(
                f"more than {counted(self._max_redirects, 'redirect')} in one chain"
            )
        kind: LinkKind = lease.kind if lease.kind in NAMED_SITEMAPS else "redirect"
        candidate = Candidate(
            target, kind, lease.destination, lease.depth,
            lease.parent_url or lease.url, lease.seed_url,
        )  # fmt: skip
        return self.checked(candidate, lease.alt, chain, lease.context)
