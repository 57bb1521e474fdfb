"""What the records of the stream have in common: the fields of several types.

The types themselves are in `records.py`.
"""

# Annotations are values here: `output/schema_export.py` reads them at each start.

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from crawler.model.documents import CharsetSource, ImageLink, LeftOut, Link
from crawler.model.reasons import Tolerated

SCHEMA_VERSION = 1

OptionalField = Literal["links", "images", "headers", "jsonld", "text", "markdown"]
"""A field of records that is filled on request; the last two need the extra `text`."""


Damage = Literal["truncated", "corrupt"]
"""What is wrong with a picture."""


class RedirectHop(Struct, frozen=True):
    url: str
    status: int


class HeaderRow(Struct, frozen=True):
    name: str
    value: str


class Record(Struct, kw_only=True):
    """What all records have in common.

    Example:
        >>> from crawler import Record, crawl
        >>> for record in crawl("https://example.com/about", dir="out", scope="page"):
        ...     assert isinstance(record, Record)
        ...     print(record.seq, record.type)
        1 run
        2 page
        3 image
        4 run
    """

    type: str
    """What the record is about; decides which other fields it has."""
    v: int = SCHEMA_VERSION
    """Version of this schema."""
    run_id: str = ""
    """ULID of the crawl, kept by a resume."""
    seq: int = 0
    """Strictly increasing in a run."""
    ts: str = ""
    """When the record was written: RFC 3339, UTC, milliseconds, `Z`."""


class AddressRecord(Record, kw_only=True):
    """A record that names a URL."""

    url: str
    """WHATWG serialisation, no fragment."""
    url_id: str
    """16 hexadecimal digits: 64-bit hash, the key to join by.

    URLs that RFC 3986, section 6.2.2, calls equivalent (`%7Ex`, `~x`) share it.
    """
    host: str
    """Host, with its port where that is unusual."""
    domain: str | None = None
    """Registrable domain by the public suffix list; null for an address."""


class UrlRecord(AddressRecord, kw_only=True):
    """A record about a URL that the crawl has found."""

    parent_url: str | None = None
    """The page where the URL was found first."""
    link_kind: str | None = None
    """How it was found: seed, a, img, srcset, redirect, ..."""
    depth: int | None = 0
    """Links from a seed; null where a WARC file does not tell."""
    seed_url: str | None = None
    """The seed that it goes back to."""


class FetchRecord(UrlRecord, kw_only=True):
    """A record about one URL that answered."""

    status: int
    """HTTP status of the answer."""
    redirects: tuple[RedirectHop, ...] = ()
    """The chain of redirects that led here.

    From a seed, pages that went on by a refresh are in it, with their own status.
    """
    http_version: str = "1.1"
    """`1.0` or `1.1`."""
    remote_ip: str | None = None
    """Address that answered."""
    tolerated: tuple[Tolerated, ...] = ()
    """Violations of HTTP that were read over, as curl and Chromium do."""
    weak_cipher: str | None = None
    """TLS cipher suite, if it lacks forward secrecy or authenticated encryption."""
    content_type: str | None = None
    """Media type without parameters, as decided from header and bytes."""
    sha256: str | None = None
    """Digest of the decoded body, hexadecimal; null if `truncated` is unread."""
    etag: str | None = None
    """As the server sent it."""
    last_modified: str | None = None
    """As the server sent it."""
    attempts: int = 1
    """Requests made for this URL, this one included."""
    fetched_at: str | None = None
    """When the body was received, if that was not in this run: see `orbweb extract`.

    `ts` of the crawl's record, or WARC-Date.
    """
    fetch_ms: int | None = 0
    """The whole exchange; null where a WARC file does not tell."""
    queue_ms: int | None = None
    """From being due to being requested."""
    dns_ms: int | None = None
    """Looking up the name; null if it was known or the connection reused."""
    connect_ms: int | None = None
    """TCP connect."""
    tls_ms: int | None = None
    """TLS handshake."""
    ttfb_ms: int | None = None
    """From the request sent to the first byte of the answer."""
    download_ms: int | None = None
    """From the first byte to the last."""
    reused_connection: bool = False
    """A kept-alive connection served it."""
    from_cache: Literal["miss", "not_modified"] = "miss"
    """not_modified: the server confirmed the stored version (304)."""
    changed: Literal["new", "changed", "unchanged"] | None = None
    """How the content stands against the previous crawl; null in a first crawl.

    The hash of the body decides; for a redirect, its target; for a body that was not
    downloaded, its validators and its size. It is null, too, where nothing tells.
    """
    truncated: Literal["length", "disconnect", "unread"] | None = None
    """length: cut at `http.max_body`; disconnect: the server broke off.

    unread: nothing reads or saves the type, so only the beginning was downloaded.
    """
    wire_bytes: int = 0
    """Body bytes as they came."""
    body_bytes: int = 0
    """Body bytes after decoding."""
    content_encoding: str | None = None
    """As the server sent it: gzip, br, ..."""


_LEFT_OUT = {"links": "links or images", "urls": "URLs of plug-ins"}
"""Kinds that are called otherwise in a sentence."""


def left_out_names(kinds: Iterable[str]) -> str:
    """The kinds of `left_out` in words."""
    return ", ".join(_LEFT_OUT.get(kind, kind) for kind in kinds)


def left_out_text(kinds: Iterable[str]) -> str:
    """What a limit has left out of a document, in words."""
    return f"a limit has left something out of it: {left_out_names(kinds)}"


class BodyRecord(FetchRecord, kw_only=True):
    """A page, or a file: a body that is neither HTML nor an image."""

    body_path: str | None = None
    """The file of the body, with `--save`, relative to the crawl's folder."""
    charset: str | None = None
    """Character set, as decided the way browsers do; of a file, as the server says."""
    charset_source: CharsetSource | None = None
    """What told it: byte order mark, Content-Type, `<meta>`, the bytes, or nothing."""
    links_count: int = 0
    """Links in the document."""
    images_count: int = 0
    """Images in the document."""
    new_links_count: int = 0
    """Links and images that the crawl had not found before."""
    left_out: tuple[LeftOut, ...] = ()
    """What a limit has left out of the document, and so of its record and its items.

    links: links or images beyond `limits.max_links` (in a mirror: what a page needs,
    too), candidates of a `srcset` and words of another list of images beyond 1,000,
    versions of a picture beyond the 20 that may take its place, style sheets beyond 50,
    and URLs longer than 8,192 characters, or than 8 MiB together. markup: what stands
    behind the first 16 MiB of a document, behind 4 MiB of a style sheet, 1 MiB of a
    script, 2 MiB of a page's scripts and styles or 256 KiB of a tag, in a `srcdoc`
    inside of another one, behind 400,000 elements of a sitemap or a feed, 256 of them
    inside of one another or 64 KiB of the text of one, behind 50 MiB or 1,000 members
    of a packed one, and behind 100,000 values, or 400,000 commas, of JSON. items: more
    than 10,000. values: more than 10,000 of a field; and of what a page declares feeds,
    alternates, authors, types and breadcrumbs beyond 100 (50 in one object of JSON-LD),
    URLs of one of these beyond 8 KiB, names of authors beyond 1,000 characters, objects
    of JSON-LD beyond 200, 256 KiB or 64 levels, and `<meta name=robots>` beyond 10.
    urls: those of a plug-in beyond `limits.max_links`.
    """
    links: tuple[Link, ...] | None = None
    """The links, with `--with links`."""
    images: tuple[ImageLink, ...] | None = None
    """The images, with `--with images`."""
    headers: tuple[HeaderRow, ...] | None = None
    """The response headers, with `--with headers`; values of cookies are redacted."""


class PictureRecord(FetchRecord, kw_only=True):
    """What the bytes of a picture say."""

    format: str
    """By the bytes, not by the name: jpeg, png, gif, webp, avif, svg, ..."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    frames: int | None = None
    """1 for a still image."""
    animated: bool | None = None
    """More than one frame."""
    verified: bool | None = None
    """Whether all of it was decoded, with `images.verify`; null: without.

    False: it is damaged, too large, or of a format that is not decoded.
    """
    damage: Damage | None = None
    """What is wrong with it, with `images.keep_damaged`.

    truncated: bytes are missing at the end; corrupt: bytes are wrong.
    """
    thumbnail_path: str | None = None
    """The file of its thumbnail, with `images.thumbnails`, if it could be decoded."""
    taken_at: str | None = None
    """When it was taken, by its Exif data: ISO 8601, by the clock of the camera.

    With the offset from UTC if that is told.
    """
    camera_make: str | None = None
    """The maker of the camera, by its Exif data."""
    camera_model: str | None = None
    """The model of the camera, by its Exif data."""
    has_gps: bool = False
    """Its Exif data say where it was taken."""
    latitude: float | None = None
    """Where it was taken, with `images.gps`: degrees, north is positive."""
    longitude: float | None = None
    """Where it was taken, with `images.gps`: degrees, east is positive."""
