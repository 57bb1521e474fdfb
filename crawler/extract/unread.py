"""Which large bodies some reader would take something from, by their first bytes.

The others are not downloaded. It is asked once about a large body, so what costs a
little is done here: a packed body is unpacked to see what is in it.
"""

from __future__ import annotations

from crawler.extract.body import Body
from crawler.extract.registry import READERS
from crawler.extract.sniff import extract_media_type, looks_like_svg, sniff
from crawler.extract.xml.reader import (
    is_listing,
    read_gzip,
    read_octets,
    read_text,
)
from crawler.model.crawl import Destination

_READERS_OF_LISTINGS = (read_gzip, read_octets, read_text)
_STYLES = frozenset({"text/plain", "application/octet-stream"})


def media_type_of(content_types: list[str], start: bytes) -> str:
    """The media type of a body that begins with `start`, as extraction decides it."""
    declared = extract_media_type(content_types)
    return sniff(declared.essence if declared else None, start)


def is_read(media_type: str, url: str, start: bytes, destination: Destination) -> bool:
    """Whether a reader would take links, images or properties from the body."""
    if destination == "style" and media_type in _STYLES:
        return True
    if destination == "image" and looks_like_svg(start):
        return True
    reader = READERS.get(media_type)
    if reader not in _READERS_OF_LISTINGS:
        return reader is not None
    return is_listing(Body(url, start, media_type, None, 1, False))
