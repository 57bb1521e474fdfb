"""What a report is made of, and what a section of it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from crawler.inspect.audit.findings import Audit
from crawler.inspect.report.gather import Gathered
from crawler.inspect.report.markup import Html
from crawler.inspect.report.pictures import Picture


class Thumbnail(Struct, frozen=True):
    """A small picture that is part of the page."""

    media_type: str
    body: bytes


class State(Struct, frozen=True):
    """What the state of the crawl says beside its records."""

    name: Literal["running", "stopped", "finished"]
    queued: int
    """URLs that wait."""
    urls: int
    """URLs that have ended, skipped ones left out."""
    skips: Mapping[str, int]
    """How many URLs were skipped, by reason."""
    received: int
    """Bytes of bodies in all runs, as `HostUsage.wire_bytes` has it."""
    continues: str
    """The command that continues the crawl."""
    extract_of: str = ""
    """What `orbweb extract` has read, if that made the records."""
    audit: Audit | None = None
    """None where the state has no links, as that of an extraction."""


class Report(Struct, frozen=True):
    """All that the page shows."""

    folder: str
    """The folder of the crawl as it was named."""
    base: str
    """The way from the page to the pictures: a relative URL; empty or with `/`."""
    seeds: tuple[str, ...]
    state: State
    found: Gathered
    pictures: list[Picture]
    thumbnails: Mapping[str, Thumbnail]
    """By the path of the picture's file."""
    can_embed: bool
    """Whether thumbnails could be made."""
    made_at: float
    """Seconds since the epoch."""


class Section(Struct, frozen=True):
    """A part of the page."""

    name: str
    """Its name in the page: `#pictures`."""
    title: str
    body: Html
    count: int | None = None
    """What the navigation shows beside the title."""


MakeSection = Callable[[Report], Section | None]
"""Makes a section; None if there is nothing to say."""
