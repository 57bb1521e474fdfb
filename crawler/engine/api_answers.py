"""The answer of an `[[api]]`, as a file with links, and what is known of its images.

What the items name is all that is taken from it: other URLs of the answer are mostly
smaller versions of the same pictures, and links of the API to itself.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from crawler.engine.candidates import CandidateBuilder, ImageData
from crawler.model.crawl import Discovered, Lease
from crawler.model.documents import (
    File,
    ImageLink,
    LeftOut,
    Link,
    Listing,
    left_out_of,
)
from crawler.model.url import join
from crawler.policy.check import Candidate
from crawler.policy.url_chains import api_answers


def read_answer(
    candidates: CandidateBuilder,
    lease: Lease,
    file: File,
    listing: Listing,
    max_links: int,
) -> tuple[File, tuple[Discovered, ...]]:
    """`file` with what it lists, and its URLs.

    All answers but the first have the depth 1.
    """
    file, data = _with_listing(file, lease.url, listing, max_links)
    depth = max(lease.depth, 1)
    following = [
        candidates.checked(
            Candidate(link.url, "api", "page", depth, lease.url, lease.seed_url)
        )
        for link in file.links
        if link.kind == "api"
    ]
    pages = [link for link in file.links if link.kind != "api"]
    answers = api_answers(candidates.metadata, listing.max_requests)
    found = (
        *candidates.images(lease, file.images, None, data),
        *candidates.links(lease, pages, None),
        *answers.limited(lease, following),
    )
    return file, found


def _with_listing(
    file: File, url: str, listing: Listing, max_links: int
) -> tuple[File, ImageData]:
    images: dict[str, ImageLink] = {}
    data: dict[str, dict[str, Any]] = {}
    for one in listing.images[:max_links]:
        image = join(url, one.url)
        if image is not None and image not in images:
            images[image] = ImageLink(image, "api", one.alt)
            data[image] = one.data
    # The worker is not trusted to keep the limit; the next answer is its last link.
    named = [*listing.links[:max_links], *listing.links[max_links:][-1:]]
    links: dict[str, Link] = {}
    for link in named:
        page = join(url, link.url)
        if page is not None and page != url:
            links.setdefault(page, replace(link, url=page))
    is_cut = max(len(listing.images), len(listing.links)) > max_links
    cut: tuple[LeftOut, ...] = ("links",) if is_cut else ()
    listed = replace(
        file,
        links=tuple(links.values()),
        images=tuple(images.values()),
        styles=(),
        left_out=left_out_of(file.left_out, cut),
    )
    return listed, data
