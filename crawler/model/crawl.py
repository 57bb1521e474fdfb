"""The vocabulary of the program: the frozen values that pass between the stages.

    Found -> (frontier) -> Lease -> Request -> Response -> Page | Image | File ->
    Outcome

Each stage takes one of these and returns another; none holds a reference to a
service. What is written for users (the JSON Lines) is in `schema.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from crawler.model.documents import ImageLink, LinkKind
from crawler.model.http import BodySink, Hop, Validators
from crawler.model.link_graph import FoundLinks
from crawler.model.reasons import SkipReason
from crawler.model.records import ItemRecord, TerminalRecord

Destination = Literal["page", "image", "style", "subresource", "external"]
"""The purpose of a request: a page of the site, or what a page needs to be shown.

The bytes of the body decide what it actually is. `style` is the Fetch Standard's word.
`subresource` stands for its others: script, font, audio, video, track, object, ...
They are fetched for a mirror only (`bodies.mirror`). `external` is a URL out of scope
that is requested, and not followed (`scope.check_external`).
"""

Queue = Literal["page", "image"]
"""The two queues of a host: pages, and what belongs to pages (images, styles, ...)."""


def queue_of(destination: Destination) -> Queue:
    """The queue in which URLs of this destination wait."""
    return "page" if destination == "page" else "image"


class Skip(Struct, frozen=True):
    """A decision not to fetch: a `reason` of the closed list and the exact rule.

    Example:
        >>> from crawler import Skip
        >>> class NoPdf:
        ...     def check(self, candidate):
        ...         if candidate.url.endswith(".pdf"):
        ...             return Skip("plugin", "no-pdf: the name ends in .pdf")
    """

    reason: SkipReason
    rule: str


class Decision(Struct, frozen=True):
    """What one check says of a URL, and the rule that says so."""

    allowed: bool | None
    """None where the check can't tell."""
    rule: str


class ImageContext(Struct, frozen=True, omit_defaults=True):
    """What is known of an image beside its alternative text, for its record."""

    data: dict[str, Any] = {}
    """The fields of the item of an API that names it."""
    versions: tuple[str, ...] = ()
    """Other versions of the picture; each is fetched if those before can't be had."""
    title: str | None = None
    caption: str | None = None
    link_text: str | None = None
    thumbnail: str | None = None
    """URL of the image on the page that is a link to it."""
    page_title: str | None = None
    """Title of the page, if images are named by it."""
    index: int = 0
    """Its place among the images of the page, from 1, if they are named by it."""


def image_context(
    image: ImageLink,
    data: Mapping[str, dict[str, Any]],
    versions: Mapping[str, tuple[str, ...]],
    thumbnails: Mapping[str, str],
) -> ImageContext | None:
    """What an image's document says of it; None if that is nothing.

    By URL of an image: the fields of its item, its other versions, its thumbnail.
    """
    url, title, caption, text = image.url, image.title, image.caption, image.link_text
    more, others = data.get(url), versions.get(url)
    if not (more or others or title or caption or text):
        return None
    thumbnail = thumbnails.get(url)
    return ImageContext(more or {}, others or (), title, caption, text, thumbnail)


class Discovered(Struct, frozen=True, array_like=True, gc=False):
    """A URL found: canonical and checked, and not yet known to be new.

    It is encoded as an array, for the mail between shards (`frontier/mail.py`).
    """

    url: str
    kind: LinkKind
    destination: Destination
    depth: int
    parent_url: str | None = None
    seed_url: str | None = None
    alt: str | None = None
    redirects: tuple[Hop, ...] = ()
    skip: Skip | None = None
    """Set when the scope refused the URL.

    The URL enters the frontier with this decision, to be explained later. A better find
    (nearer, or as an image) may overturn it.
    """
    context: ImageContext | None = None


class StoredResponse(Struct, frozen=True):
    """What the state stores of a URL's last good response, for the next crawl."""

    digest: bytes
    """SHA-256 of the decoded body; for a redirect, of the URL where it leads."""
    cached_fields: bytes | None = None
    """The fields for a record of "304 Not Modified" (`revalidation.CachedFields`).

    None if the server gave no validator.
    """


class Lease(Struct, frozen=True):
    """A URL handed out to exactly one worker, who owes an Outcome or gives it back."""

    url: str
    url_id: int
    """Signed 64-bit hash of the canonical URL; the key in the store (`url.url_id`)."""
    host: str
    """The politeness key (`url.host_key`)."""
    kind: LinkKind
    destination: Destination
    depth: int
    attempts: int
    """Attempts made before this one."""
    queued_ms: int
    """Wall-clock time since it was due, milliseconds."""
    parent_url: str | None = None
    seed_url: str | None = None
    alt: str | None = None
    redirects: tuple[Hop, ...] = ()
    stored: StoredResponse | None = None
    """The response of an earlier crawl into the same state."""
    context: ImageContext | None = None


class Outcome(Struct, frozen=True):
    """How a lease ended: its terminal record, and what was found."""

    lease: Lease
    record: TerminalRecord
    found: tuple[Discovered, ...] = ()
    picture: bytes | BodySink | None = None
    """The bytes of an image, to be kept on disk before the record is written.

    A large one is in a file already.
    """
    items: tuple[ItemRecord, ...] = ()
    """The items of a page; their records follow its own."""
    validators: Validators | None = None
    """The validators with which the next crawl can revalidate the response."""
    body: bytes | BodySink | None = None
    """The body of a page or a file that is saved, to be kept as a picture is."""
    look: bytes | None = None
    """What a picture looks like (`extract/looks/look.py`), if that is wanted."""
    thumbnail: tuple[str, bytes] | None = None
    """The ending and the bytes of a picture's thumbnail, if that is wanted."""
    links: FoundLinks | None = None
    """What a document refers to, for the link graph."""
    is_recorded: bool = True
    """False: the state has how it ended, and no record is written of it."""
