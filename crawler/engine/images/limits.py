"""Whether an image is wanted, by the first bytes of its file.

The rules are those of `policy/kept_images.py`. Where they need both sides and an
orientation has not come yet, each possibility has to be refused.
"""

from __future__ import annotations

from crawler.extract.images.formats import FORMATS, possible_sizes
from crawler.model.content_config import ImagesConfig
from crawler.model.crawl import Skip
from crawler.policy.kept_images import check_format, check_sides, check_size


class ImageLimits:
    """The limits of `[images]`, for images of which only the beginning is known."""

    def __init__(self, config: ImagesConfig) -> None:
        self._config = config

    def wants(self, media_type: str, start: bytes, size: int | None) -> bool | None:
        """Whether to download the rest; None: `start` does not tell the dimensions.

        `size`: bytes of the file, as declared.
        """
        if self.refusal(media_type, start, size) is not None:
            return False
        return True if possible_sizes(start, media_type) else None

    def refusal(self, media_type: str, start: bytes, size: int | None) -> Skip | None:
        """The first limit that the image does not keep."""
        config, name = self._config, FORMATS[media_type]
        if name == "icon":  # two formats, and never large
            return None
        skip = check_format(config, name) or check_size(config, size)
        if skip is not None:
            return skip
        sides = possible_sizes(start, media_type)
        skips = [check_sides(config, *one) for one in sides]
        return skips[0] if skips and None not in skips else None
