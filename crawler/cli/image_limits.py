"""Limits of images as `--min-image` and `--max-image` take them."""

from __future__ import annotations

import re

from crawler.model.errors import UsageError

_SIDES = re.compile(r"(\d+)(?:x(\d+))?", re.IGNORECASE).fullmatch
_MEGAPIXELS = re.compile(r"(\d+(?:\.\d+)?)MP", re.IGNORECASE).fullmatch
_SIZE = re.compile(r"\d+(?:\.\d+)?(?:[kmg]i?b?|b)", re.IGNORECASE).fullmatch


def image_limits(flag: str, text: str) -> dict[str, str]:
    """Keys of `[images]` with their values, of a list as 200x200,1.5MP,20K.

    The units tell them apart: sides in pixels, megapixels, bytes. Raises UsageError.
    """
    bound = flag[2:5]
    limits: dict[str, str] = {}
    for part in text.replace(",", " ").split():
        if sides := _SIDES(part):
            limits[f"{bound}_width"] = sides[1]
            limits[f"{bound}_height"] = sides[2] or sides[1]
        elif pixels := _MEGAPIXELS(part):
            limits[f"{bound}_pixels"] = str(round(float(pixels[1]) * 10**6))
        elif _SIZE(part):
            limits[f"{bound}_file_size"] = part
        else:
            limits = {}
            break
    if not limits:
        raise UsageError(
            f"{flag} {text}: write WIDTHxHEIGHT in pixels, megapixels or bytes, as in "
            "200x200, 1.5MP or 20K"
        )
    return limits
