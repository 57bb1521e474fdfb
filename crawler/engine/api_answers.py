"""The answer of an `[[api]]`, as a file with links, and what is known of its images.

What the items name is all that is taken from it: other URLs of the answer are mostly
smaller versions of the same pictures, and links of the API to itself.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from crawler.model.documents import File, ImageLink, Link, Listing
from crawler.model.url import join

ImageData = dict[str, dict[str, Any]]
"""By URL of an image: the fields of its item."""


def with_listing(
    file: File, url: str, listing: Listing, max_links: int
) -> tuple[File, ImageData]:
    """`file` with what it lists; `url`: its own."""
    images: dict[str, ImageLink] = {}
    data: ImageData = {}
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
    listed = replace(
        file, links=tuple(links.values()), images=tuple(images.values()), styles=()
    )
    return listed, data
