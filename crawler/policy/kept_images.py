"""Which images are kept, by their dimensions, size and format; and which are icons.

The options `images.min_...` and `images.max_...`, `images.formats` and `images.icons`
decide. What is not known of an image refuses nothing: an SVG without dimensions is
kept whatever its minimum.

Icons are refused where they are found, by how the page names them. The others are
refused by their bytes: by the first of them where those tell
(`engine/images/limits.py`), so that the rest is not downloaded.
"""

from __future__ import annotations

from typing import Protocol

from crawler.model.content_config import ImagesConfig
from crawler.model.crawl import Skip
from crawler.model.units import exact_bytes
from crawler.policy.check import FOUND_AND_DUE, Candidate


class Sized(Protocol):
    """An image as it was read, or its record. Pixels."""

    @property
    def format(self) -> str: ...
    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...


class IconCheck:
    """Refuses the icons of pages (`images.icons`)."""

    name = "icons"
    moments = FOUND_AND_DUE  # a recrawl queues what was refused

    def check(self, candidate: Candidate) -> Skip | None:
        if candidate.kind == "icon" and candidate.destination == "image":
            return Skip("filter_icon", "images.icons: false")
        return None


def check_image(config: ImagesConfig, image: Sized, size: int | None) -> Skip | None:
    """Whether the image is refused. `size`: bytes of its file, if that is known."""
    return (
        check_format(config, image.format)
        or check_size(config, size)
        or check_sides(config, image.width, image.height)
    )


def check_format(config: ImagesConfig, name: str) -> Skip | None:
    """Whether images of the format `name` are kept."""
    if config.formats and name not in config.formats:
        return Skip(
            "filter_format", f"images.formats: {', '.join(config.formats)}; not {name}"
        )
    return None


def check_size(config: ImagesConfig, size: int | None) -> Skip | None:
    """The limits of the file (bytes)."""
    if size is not None and size < config.min_file_size:
        rule = f"images.min_file_size: {exact_bytes(config.min_file_size)} > {size}"
        return Skip("filter_bytes", rule)
    if (
        size is not None
        and config.max_file_size is not None
        and size > config.max_file_size
    ):
        rule = f"images.max_file_size: {exact_bytes(config.max_file_size)} < {size}"
        return Skip("filter_bytes", rule)
    return None


def check_sides(
    config: ImagesConfig, width: int | None, height: int | None
) -> Skip | None:
    """The limits of sides, in pixels; those of both need both."""
    pixels = None if width is None or height is None else width * height
    for what, value, least, most in (
        ("width", width, config.min_width, config.max_width),
        ("height", height, config.min_height, config.max_height),
        ("pixels", pixels, config.min_pixels, config.max_pixels),
    ):
        if value is not None and value < least:
            return Skip("filter_dimensions", f"images.min_{what}: {least} > {value}")
        if value is not None and most is not None and value > most:
            return Skip("filter_dimensions", f"images.max_{what}: {most} < {value}")
    if width is None or height is None or config.max_ratio is None:
        return None
    shorter, longer = sorted((width, height))
    if longer <= config.max_ratio * shorter:
        return None
    rule = f"images.max_ratio: {config.max_ratio:g} < {width}:{height}"
    return Skip("filter_dimensions", rule)


def is_too_small(rule: str) -> bool:
    """Whether a smaller version of an image refused so would be refused as well."""
    return rule.startswith("images.min_")
