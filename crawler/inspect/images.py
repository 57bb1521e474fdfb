"""The images of a crawl by their records: which are meant, and a line for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from crawler.inspect.typed_url import typed_forms
from crawler.inspect.urls import host_keys
from crawler.model.content_config import ImagesConfig
from crawler.model.units import show_bytes
from crawler.policy.kept_images import check_image


class _Image(Struct):
    """What is read of an image's record."""

    url: str
    host: str
    path: str | None
    format: str
    width: int | None = None
    height: int | None = None
    body_bytes: int = 0
    page_url: str | None = None


_decode = msgspec.json.Decoder(_Image).decode


def image_filter(
    limits: ImagesConfig, hosts: Sequence[str], pages: Sequence[str]
) -> Callable[[bytes], bool]:
    """Whether the record of an image is meant.

    `hosts` are names as a user writes them (`host_keys`). `pages`: URLs of pages that
    show it, as they are typed, in which `*` stands for anything; empty: any. Raises
    UsageError.
    """
    shown_by = _patterns(pages)
    hosts = host_keys(tuple(hosts))

    def is_meant(line: bytes) -> bool:
        image = _decode(line)
        if hosts and image.host not in hosts:
            return False
        if shown_by is not None and not shown_by.fullmatch(image.page_url or ""):
            return False
        return check_image(limits, image, image.body_bytes) is None

    return is_meant


def _patterns(pages: Sequence[str]) -> re.Pattern[str] | None:
    if not pages:
        return None
    return re.compile("|".join(map(_pattern, pages)), re.DOTALL)


def _pattern(page: str) -> str:
    if "*" not in page:
        return "|".join(map(re.escape, typed_forms(page, "--page")))
    start = "" if page.startswith("*") or "://" in page else "https?://"
    return start + ".*".join(map(re.escape, page.split("*")))


def image_line(line: bytes) -> str:
    """Format, dimensions, size, file and URL of an image, from its record."""
    image = _decode(line)
    sides = f"{image.width or '?'}x{image.height or '?'}"
    size = show_bytes(image.body_bytes)
    return f"{image.format:<5} {sides:>11} {size:>8}  {image.path}  {image.url}"
