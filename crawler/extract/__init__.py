"""From a response to its Document: a Page, an Image or a File.

The room is pure: bytes and headers in, values out; no I/O, no clock, no switch to
another greenlet. README.md has the drawing and the decisions.
"""

from __future__ import annotations

from crawler.extract.extractor import Extractor, InlineExtractor

__all__ = ["Extractor", "InlineExtractor", "extract"]

extract = InlineExtractor().extract
"""Extraction with all readers of the registry, in the calling process."""
