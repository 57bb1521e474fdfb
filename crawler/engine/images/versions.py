"""Which version of each picture of a page is fetched, and what is left if it fails."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from typing import Literal, get_args

from msgspec.structs import replace

from crawler.engine.candidates import CandidateBuilder, ImageVersions
from crawler.model.content_config import ImageFormat, ImagesConfig
from crawler.model.crawl import Discovered, Lease
from crawler.model.documents import ImageLink, LeaveOut, Page, Picture
from crawler.policy.check import Candidate

Wanted = Literal["best", "auto", "smallest", "all"]

MAX_VERSIONS = 20
"""Other versions of one picture that are remembered."""

_FORMATS: dict[str, ImageFormat] = {
    **{f"image/{name}": name for name in get_args(ImageFormat)},
    "image/jpg": "jpeg", "image/svg+xml": "svg", "image/x-icon": "ico",
    "image/tif": "tiff", "image/apng": "png",
}  # fmt: skip
"""By media type, and by `image/` with the ending of a name."""

_SCALED = re.compile(r"-(\d{2,5})x(\d{2,5})(?=\.\w+$)")
"""WordPress calls the versions of `x.jpg` so: `x-300x200.jpg`."""


def chosen_images(
    page: Page, config: ImagesConfig, leave_out: LeaveOut
) -> tuple[list[ImageLink], ImageVersions, Mapping[str, str], Container[str]]:
    """The images of a page that are fetched, and the URLs of the others.

    In between, by the URLs of the first: their other versions, in the order in which
    they take the place of one that fails; and the thumbnails that link to them.
    """
    wanted = config.srcset
    thumbnails: dict[str, str] = {}
    others: dict[str, tuple[str, ...]] = {}
    images = {image.url: image for image in page.images}
    for picture in page.pictures:
        ordered = _ordered(picture, wanted)
        if config.prefer_formats:
            ordered = _by_format(ordered, picture, config.prefer_formats)
        if config.min_width:
            ordered = _wide_enough(ordered, images, config.min_width)
        first, *rest = ordered
        if first not in images or images[first].kind == "a":  # a linked picture
            images[first] = ImageLink(first, "a")
            thumbnail = next((images[url] for url in rest if url in images), None)
            if thumbnail is not None:
                thumbnails.setdefault(first, thumbnail.url)
                images[first] = replace(
                    thumbnail, url=first, kind="a", width=None, height=None, group=None
                )
        if first not in others:
            others[first] = _remembered(rest, leave_out)
    grouped = {url for picture in page.pictures for url in picture.versions}
    chosen = [one for url, one in images.items() if url in others or url not in grouped]
    if wanted == "best":
        chosen = _without_scaled(chosen, others, leave_out)
    return chosen, others, thumbnails, grouped.difference(image.url for image in chosen)


def _ordered(picture: Picture, wanted: Wanted) -> Sequence[str]:
    """The versions of a picture, the wanted one first, the next best behind it."""
    versions = list(picture.versions)
    if wanted == "smallest":
        return versions[::-1]
    if wanted == "auto":
        versions.insert(0, versions.pop(picture.shown))
    return versions


def _by_format(
    ordered: Sequence[str], picture: Picture, preferred: Sequence[ImageFormat]
) -> Sequence[str]:
    """Versions in a preferred format first; else the order stays."""
    ranks: dict[str | None, int] = {name: at for at, name in enumerate(preferred)}
    declared = dict(zip(picture.versions, picture.formats, strict=False))

    def rank(url: str) -> int:
        told = _FORMATS.get(declared.get(url, "")) or _format_by_name(url)
        return ranks.get(told, len(ranks))

    return sorted(ordered, key=rank)


def _format_by_name(url: str) -> ImageFormat | None:
    ending = url.partition("?")[0].rpartition(".")[2].lower()
    return _FORMATS.get(f"image/{ending}")


def _wide_enough(
    ordered: Sequence[str], images: Mapping[str, ImageLink], minimum: int
) -> Sequence[str]:
    """Without the versions that are narrower by their descriptors, if some are not."""

    def is_wide(url: str) -> bool:
        width = None if url not in images else declared_width(images[url])
        return width is None or width >= minimum

    return [url for url in ordered if is_wide(url)] or ordered


def declared_width(image: ImageLink) -> int | None:
    """The width that the descriptor in a `srcset` says (pixels)."""
    return image.width if image.kind in ("srcset", "source") else None


def _remembered(versions: Sequence[str], leave_out: LeaveOut) -> tuple[str, ...]:
    if len(versions) > MAX_VERSIONS:
        leave_out("links")
    return tuple(versions[:MAX_VERSIONS])


def _without_scaled(
    chosen: Sequence[ImageLink],
    others: dict[str, tuple[str, ...]],
    leave_out: LeaveOut,
) -> list[ImageLink]:
    """Without those of which a larger one is shown elsewhere on the page, by name."""
    largest: dict[str, tuple[int, str]] = {}
    for image in chosen:
        name, size = _name_and_size(image.url)
        largest[name] = max(largest.get(name, (0, "")), (size, image.url))
    larger = []
    for image in chosen:
        name, size = _name_and_size(image.url)
        best = largest[name][1]
        if best == image.url:
            larger.append(image)
        else:
            all_others = (*others.get(best, ()), image.url)
            others[best] = _remembered(all_others, leave_out)
    return larger


_WHOLE = 10**6


def _name_and_size(url: str) -> tuple[str, int]:
    """The URL without the size in it, and the width (pixels) that it says."""
    found = _SCALED.search(url)
    return (_SCALED.sub("", url), int(found[1])) if found else (url, _WHOLE)


def next_versions(
    candidates: CandidateBuilder, lease: Lease | Discovered
) -> list[Discovered]:
    """What takes the place of an image that could not be had: the next best version.

    Those that the checks refuse are among them.
    """
    found: list[Discovered] = []
    context = lease.context
    if context is None:
        return found
    for number, url in enumerate(context.versions, 1):
        candidate = Candidate(
            url, lease.kind, "image", lease.depth, lease.parent_url, lease.seed_url
        )
        further = replace(context, versions=context.versions[number:], thumbnail=None)
        found.append(candidates.checked(candidate, lease.alt, context=further))
        if found[-1].skip is None:
            break
    return found
