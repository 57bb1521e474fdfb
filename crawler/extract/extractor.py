"""Extraction behind one call, and the implementation that runs in the calling process.

The other implementation sends the response to a child process with limits on memory and
CPU time (`crawler/engine/sandbox/`). Links are extracted inline: the
readers of this room are linear in time and memory, and a thread or a process would
cost more than they do. The child process is for trees and for image decoders.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from crawler.extract.body import Body, Reader, read_other
from crawler.extract.registry import PAGE_READERS, READERS
from crawler.extract.sniff import (
    MediaType,
    extract_media_type,
    looks_like_svg,
    sniff,
)
from crawler.extract.xml.reader import read_sitemap
from crawler.model.crawl import Destination
from crawler.model.documents import Document, Image
from crawler.model.errors import (
    BodyFailure,
    ExtractFailure,
    ImageDecodeFailure,
    TooLarge,
)
from crawler.model.http import Response
from crawler.model.policy_config import LimitsConfig

_STYLES = frozenset({"text/css", "text/plain", "application/octet-stream"})
"""Media types under which servers send style sheets."""

_SUBRESOURCES = frozenset({"application/xhtml+xml", "text/css", "text/html"})
"""Media types of subresources, beside images, that refer to further ones."""


class Extractor(Protocol):
    """Makes a Document of a response."""

    def extract(
        self,
        response: Response,
        destination: Destination,
        limits: LimitsConfig,
        *,
        with_text: bool = False,
        named_sitemap: bool = False,
    ) -> Document:
        """The Document in the body of `response`; an Image if `destination` is "image".

        `with_text` requests the texts of a page's links. `named_sitemap`: robots.txt, a
        sitemap index or the user named it, so it is read as a sitemap if it can be one,
        whatever its Content-Type. Raises ImageDecodeFailure
        where an image is wanted and the body is none, or is damaged; TooLarge for an
        image that was cut at the size limit; ExtractFailure where the reader failed.
        No other exception is raised for a body, whatever it contains; a MemoryError
        says something of this process and its limits.
        """
        ...

    def is_page(self, response: Response, *, named_sitemap: bool = False) -> bool:
        """Whether `extract` makes a Page of it as `read_html` in `registry.py` does.

        Such a response may be read by another process, with the same result. Without
        effect on the extractor. `response` was requested as a page.
        """
        ...


class InlineExtractor:
    """An Extractor that calls the reader in the calling process.

    `readers` is the table by media type. Other than the default it is for tests, and
    for programs that add a reader of their own.
    """

    def __init__(self, readers: Mapping[str, Reader] = READERS) -> None:
        self._readers = readers

    def extract(
        self,
        response: Response,
        destination: Destination,
        limits: LimitsConfig,
        *,
        with_text: bool = False,
        named_sitemap: bool = False,
    ) -> Document:
        """As `Extractor.extract`."""
        declared = extract_media_type(response.values("content-type"))
        media_type = self._media_type(response, destination, declared)
        self._check_image(response, destination, media_type)
        body = _body(response, media_type, declared, limits.max_links, with_text)
        try:
            if response.truncated == "unread":
                return read_other(body)
            sitemap = read_sitemap(body) if named_sitemap else None
            reader = self._reader(destination, media_type)
            if response.streamed is not None and not self._is_image(media_type):
                reader = read_other  # only the beginning is in memory
            document = sitemap or reader(body)
            if response.header("link") or response.header("refresh"):
                # Imported late: most responses have neither.
                from crawler.extract.header_links import with_header_links

                document = with_header_links(document, response, limits.max_links)
            return document
        except ImageDecodeFailure:
            if response.truncated != "disconnect":
                raise
            return _incomplete_image(media_type)
        except (BodyFailure, MemoryError):
            raise
        except Exception as error:  # this URL fails, and the crawl goes on
            raise ExtractFailure(
                f"{media_type}: {type(error).__name__}: {error}"
            ) from error

    def is_page(self, response: Response, *, named_sitemap: bool = False) -> bool:
        """As `Extractor.is_page`."""
        if response.truncated is not None or response.streamed is not None:
            return False
        declared = extract_media_type(response.values("content-type"))
        media_type = sniff(declared.essence if declared else None, response.body)
        if self._readers.get(media_type) not in PAGE_READERS:
            return False
        return not named_sitemap or (
            read_sitemap(_body(response, media_type, declared, 1, False)) is None
        )

    def _media_type(
        self, response: Response, destination: Destination, declared: MediaType | None
    ) -> str:
        media_type = sniff(declared.essence if declared else None, response.body)
        if (
            destination == "image"
            and not self._is_image(media_type)
            and looks_like_svg(response.body)
        ):
            return "image/svg+xml"
        return media_type

    def _reader(self, destination: Destination, media_type: str) -> Reader:
        """What reads the body. HTML in place of a style sheet is no page.

        Among other subresources, frames are pages, and lists of links are none.
        """
        if destination == "subresource" and not self._is_image(media_type):
            return self._readers.get(
                media_type if media_type in _SUBRESOURCES else "", read_other
            )
        if destination == "style" and not self._is_image(media_type):
            kind = "text/css" if media_type in _STYLES else ""
            return self._readers.get(kind, read_other)
        return self._readers.get(media_type, read_other)

    def _is_image(self, media_type: str) -> bool:
        return media_type.startswith("image/") and media_type in self._readers

    def _check_image(
        self, response: Response, destination: Destination, media_type: str
    ) -> None:
        is_image = self._is_image(media_type)
        if destination == "image" and not is_image:
            raise ImageDecodeFailure(
                f"{media_type}: the bytes are no image of a known kind"
            )
        if response.truncated == "length" and is_image:
            raise TooLarge(
                f"{media_type}: longer than the {len(response.body)} bytes allowed"
            )


def _body(
    response: Response,
    media_type: str,
    declared: MediaType | None,
    max_links: int,
    with_text: bool,
) -> Body:
    charset = declared.parameters.get("charset") if declared else None
    return Body(response.url, response.body, media_type, charset, max_links, with_text)


def _incomplete_image(media_type: str) -> Image:
    """An image that broke off before its size could be read."""
    subtype = media_type.removeprefix("image/")
    name = {"x-icon": "ico", "svg+xml": "svg"}.get(subtype, subtype)
    return Image(media_type, name, None, None)


extract = InlineExtractor().extract
"""Extraction with all readers of the registry, in the calling process."""
