"""Which reader reads which media type: the one table.

A new reader is one file and one line here. A media type without a line is a File
without links. A type `image/...` in the table is accepted where an image is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping

from crawler.extract.body import Reader
from crawler.extract.html.reader import read_css, read_html, read_xhtml
from crawler.extract.images.formats import FORMATS
from crawler.extract.images.reader import read_image, read_svg
from crawler.extract.xml.reader import (
    read_gzip,
    read_json,
    read_octets,
    read_text,
    read_xml,
)

JSON_TYPES = (
    "ld", "hal", "vnd.api", "activity", "geo", "manifest", "problem", "vnd.oai.openapi",
)  # fmt: skip
"""JSON of APIs that has a media type of its own."""

PAGE_READERS = (read_html, read_xhtml)
"""What makes a Page."""

READERS: Mapping[str, Reader] = {
    "text/html": read_html,
    "application/xhtml+xml": read_xhtml,
    **dict.fromkeys(FORMATS, read_image),
    "image/svg+xml": read_svg,
    **dict.fromkeys(("text/xml", "application/xml"), read_xml),
    "application/rss+xml": read_xml,
    "application/atom+xml": read_xml,
    "application/rdf+xml": read_xml,
    **dict.fromkeys(("application/gzip", "application/x-gzip"), read_gzip),
    **dict.fromkeys(
        ("application/octet-stream", "binary/octet-stream"),
        read_octets,
    ),
    "application/feed+json": read_json,
    **dict.fromkeys(("application/json", "text/json"), read_json),
    **{f"application/{name}+json": read_json for name in JSON_TYPES},
    "text/css": read_css,
    "text/plain": read_text,
}
