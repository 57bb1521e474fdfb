"""The vocabulary of the program: the frozen values that pass between the stages.

    Found -> (frontier) -> Lease -> Request -> Response -> Page | Image | File -> Outcome

Each stage takes one of these and gives back another; none holds a reference to a service. What is
written for users (the JSON Lines) is in `schema.py`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from crawler.codes import SkipReason
from crawler.schema import TerminalRecord

Want = Literal["page", "image"]
"""On whose behalf a URL is fetched: as a page of the site, or as a picture of a page. What it
turns out to *be* is decided by its bytes."""

LinkKind = Literal[
    "seed", "a", "img", "srcset", "source", "css", "iframe", "meta_refresh", "link_canonical",
    "link_next", "link_alternate", "icon", "json_ld", "og", "sitemap", "sitemap_index", "feed",
    "robots_sitemap",
    "redirect", "api",
]  # fmt: skip


class Hop(Struct, frozen=True):
    """One redirect on the way to a URL: the URL that answered, and its status."""

    url: str
    status: int


class Skip(Struct, frozen=True):
    """A decision not to fetch: `reason` of the closed list, and the exact rule that decided."""

    reason: SkipReason
    rule: str


class Found(Struct, frozen=True):
    """A URL on its way into the frontier: canonical, judged, not yet known to be new."""

    url: str
    kind: LinkKind
    want: Want
    depth: int
    parent_url: str | None = None
    seed_url: str | None = None
    alt: str | None = None
    redirects: tuple[Hop, ...] = ()
    skip: Skip | None = None
    """Set when the scope refused it: it enters the frontier as a decision, to be explained later,
    and a later find by a better road (nearer, or as an image) may overturn it."""


class Validators(Struct, frozen=True):
    """What a response says of the version that it is (RFC 9110 section 8.8), as the server sent it;
    what is malformed counts as not sent."""

    etag: str | None = None
    last_modified: str | None = None
    date: str | None = None
    """When the response was made; tells whether `last_modified` is old enough to be strong."""


class Kept(Struct, frozen=True):
    """What the state holds of the last good answer of a URL, for the next crawl of it."""

    digest: bytes
    """SHA-256 of the decoded body; of a redirect, of the address where it leads."""
    answer: bytes | None = None
    """What makes a record out of "304 Not Modified" (`revisit.Answer`); None if the server gave
    nothing to ask with."""


class Lease(Struct, frozen=True):
    """A URL handed out to exactly one worker, who owes an Outcome or gives it back."""

    url: str
    url_id: int
    """Signed 64-bit hash of the canonical URL; the key in the store (`url.url_id`)."""
    host: str
    """The politeness key (`url.host_key`)."""
    kind: LinkKind
    want: Want
    depth: int
    attempts: int
    """Attempts made before this one."""
    queued_ms: int
    """Wall-clock time since it was due, milliseconds."""
    parent_url: str | None = None
    seed_url: str | None = None
    alt: str | None = None
    redirects: tuple[Hop, ...] = ()
    kept: Kept | None = None
    """Of an earlier crawl into the same state."""


class Request(Struct, frozen=True):
    """What the client is asked to send. Headers are added to the client's own, names as given."""

    url: str
    method: Literal["GET", "HEAD"] = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    accept: str = "*/*"
    referer: str | None = None
    """The page that led here."""
    subresource: bool = False
    """A picture in that page, not a page of its own."""
    chain: tuple[str, ...] = ()
    """The URLs that redirected here, the first one first."""
    max_body: int | None = None
    """Bytes of the body that are wanted, if that is another number than the client's own."""


class Timings(Struct, frozen=True):
    """Milliseconds of the phases of one exchange; None where the phase did not take place."""

    fetch_ms: int
    dns_ms: int | None = None
    connect_ms: int | None = None
    tls_ms: int | None = None
    ttfb_ms: int | None = None
    download_ms: int | None = None


class Response(Struct, frozen=True, dict=True):
    """One final (non-1xx) response, its content codings undone."""

    url: str
    status: int
    reason: str
    http_version: str
    """"1.0" or "1.1"."""
    headers: tuple[tuple[str, str], ...]
    """In order of arrival, names lower-cased, values decoded as latin-1 (RFC 9110 section 5.5)."""
    body: bytes
    wire_bytes: int
    """Body bytes received, before decoding."""
    timings: Timings
    remote_ip: str | None
    reused_connection: bool
    content_encoding: str | None = None
    truncated: Literal["length"] | None = None
    """"length": the body went on beyond the size limit, and was cut there."""
    resumed: bool = False
    """The connection broke, and the rest was asked for on another."""
    redirects: tuple[Hop, ...] = ()
    """Followed by the client itself: back to a URL of its own chain, after a cookie was set. Then
    `url` is where they led."""

    def header(self, name: str) -> str | None:
        """The first value of the header `name` (lower case), or None."""
        first: str | None = self.__dict__["first"].get(name)
        return first

    def values(self, name: str) -> list[str]:
        """All values of the header `name`, in order."""
        return [v for n, v in self.headers if n == name] if name in self.__dict__["first"] else []

    def __post_init__(self) -> None:
        # Each response is asked for a dozen headers, most of which it does not have.
        self.__dict__["first"] = dict(reversed(self.headers))


class Link(Struct, frozen=True):
    """A hyperlink of a page, absolute and canonical."""

    url: str
    kind: LinkKind
    text: str | None = None
    rel: str | None = None
    nofollow: bool = False


class ImageLink(Struct, frozen=True):
    """A picture that a page shows or names, absolute and canonical."""

    url: str
    kind: LinkKind
    alt: str | None = None
    width: int | None = None
    height: int | None = None


class Page(Struct, frozen=True):
    """What an HTML document says."""

    content_type: str
    charset: str
    links: tuple[Link, ...] = ()
    images: tuple[ImageLink, ...] = ()
    title: str | None = None
    description: str | None = None
    canonical_url: str | None = None
    lang: str | None = None
    robots_meta: str | None = None
    """Directives of `<meta name=robots>`, as written, several joined by ", "."""


class Image(Struct, frozen=True):
    """What the bytes of a picture say. `frames` is 1 for a still image."""

    content_type: str
    format: str
    width: int | None
    height: int | None
    frames: int | None = None


class File(Struct, frozen=True):
    """A body that is neither HTML nor an image; sitemaps and feeds name pages and images."""

    content_type: str
    charset: str | None = None
    links: tuple[Link, ...] = ()
    images: tuple[ImageLink, ...] = ()


class Outcome(Struct, frozen=True):
    """How a lease ended: its terminal record, and what was found on the way."""

    lease: Lease
    record: TerminalRecord
    found: tuple[Found, ...] = ()
    picture: bytes | None = None
    """The bytes of an image, to be kept on disk before the record is written."""
    validators: Validators | None = None
    """What the next crawl can ask with, of an answer that it may ask about."""
