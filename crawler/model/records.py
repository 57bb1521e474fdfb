"""The record stream (JSON Lines), version 1: one struct for each record type.

A record carries every key of its type (null where the value is unknown). Values are
flat scalars with units in their names; only lists of fixed structs nest. The committer
fills `run_id`, `seq` and `ts`, since it alone knows the order. `orbweb schema`
prints the fields.
"""

# Annotations are values here: `output/schema_export.py` reads them at each start.

from typing import Any, Literal

from msgspec import Struct

from crawler.model.documents import (
    Alternate,
    CanonicalSource,
    DescriptionSource,
    TitleSource,
)
from crawler.model.reasons import ErrorCode, FinishReason, SkipReason
from crawler.model.record_base import (
    AddressRecord,
    BodyRecord,
    FetchRecord,
    PictureRecord,
    Record,
    UrlRecord,
)


class PageRecord(BodyRecord, kw_only=True):
    """The record of an HTML page.

    Example:
        >>> from crawler import PageRecord, fetch
        >>> record = fetch("https://example.com/").record
        >>> if isinstance(record, PageRecord):
        ...     print(record.status, record.title, record.links_count)
        200 Home 2
    """

    type: Literal["page"] = "page"
    lang: str | None = None
    """Language that the document claims."""
    robots_meta: str | None = None
    """Directives of `<meta name=robots>`."""
    title: str | None = None
    """Text of `<title>`; without one, og:title or twitter:title."""
    title_source: TitleSource | None = None
    """Which of these the title is from."""
    description: str | None = None
    """`<meta name=description>`; without one, og:description or twitter:description."""
    description_source: DescriptionSource | None = None
    """Which of these the description is from."""
    canonical_url: str | None = None
    """Link `rel=canonical` of the page, or of its header; without one, og:url."""
    canonical_source: CanonicalSource | None = None
    """Which of these the canonical URL is from."""
    og_type: str | None = None
    """og:type: article, website, product, ..."""
    og_site_name: str | None = None
    """og:site_name."""
    author: str | None = None
    """Names by JSON-LD, `<meta>`, microdata or a link, joined by "; "."""
    published: str | None = None
    """ISO 8601, as precise as declared.

    By article:published_time, JSON-LD, Dublin Core and other `<meta>`, microdata or
    `<time>`, in this order.
    """
    modified: str | None = None
    """Likewise, by article:modified_time and so on."""
    jsonld_types: tuple[str, ...] = ()
    """Types of the objects of its JSON-LD: Article, BreadcrumbList, ..."""
    feeds: tuple[str, ...] = ()
    """URLs of its RSS, Atom and JSON feeds."""
    breadcrumbs: tuple[str, ...] = ()
    """Names of the pages above it, the topmost first, of JSON-LD or in the text."""
    amp_url: str | None = None
    """Link `rel=amphtml`."""
    alternates: tuple[Alternate, ...] = ()
    """The page in other languages: links `rel=alternate` with a `hreflang`."""
    needs_javascript: bool = False
    """Without its scripts the page is an empty shell, so its content is not here."""
    jsonld: tuple[dict[str, Any], ...] | None = None
    """The objects of its JSON-LD, with `--with jsonld`."""
    text: str | None = None
    """With `--with text`: the main content as plain text; empty if none was found."""
    markdown: str | None = None
    """With `--with markdown`: the main content as Markdown."""
    words_count: int | None = None
    """Words of the text, with either of the two."""
    data: dict[str, Any] | None = None
    """The fields of `[fields]` and `[[site]]`, and those that plug-ins extracted."""


class FileRecord(BodyRecord, kw_only=True):
    """The record of a body that is neither HTML nor an image.

    Example:
        >>> from crawler import FileRecord, fetch
        >>> record = fetch("https://example.com/data.csv").record
        >>> if isinstance(record, FileRecord):
        ...     print(record.content_type, record.body_bytes)
        text/csv 8
    """

    type: Literal["file"] = "file"
    external: bool = False
    """It is out of scope, and was only requested (`scope.check_external`)."""
    declared_bytes: int | None = None
    """Content-Length of a body that was not downloaded (`truncated` is unread)."""
    data: dict[str, Any] | None = None
    """The fields of `[fields]` and `[[site]]` of a JSON body."""


class ImageRecord(PictureRecord, kw_only=True):
    """The record of an image.

    Example:
        >>> from crawler import ImageRecord, fetch
        >>> record = fetch("https://example.com/logo.png").record
        >>> if isinstance(record, ImageRecord):
        ...     print(record.format, record.width, record.height)
        png 3 2
    """

    type: Literal["image"] = "image"
    path: str | None
    """The file, relative to the crawl's folder.

    Null: it was not kept, since another looks the same (`images.dedupe`).
    """
    alt: str | None = None
    """Alternative text where it was found first."""
    title: str | None = None
    """Its attribute `title` there."""
    caption: str | None = None
    """The text of the `<figcaption>` there."""
    link_text: str | None = None
    """The text of the link there that leads to it, beside a thumbnail."""
    thumbnail: str | None = None
    """URL of the image there that is a link to it."""
    page_url: str | None = None
    """The page that shows it."""
    dup_of: str | None = None
    """URL of the image that is the same, if one was found before."""
    replaces: str | None = None
    """URL of the image whose file was removed, since this one is a better version.

    With `images.dedupe: near`. The record of that one was written before, and stays.
    """
    dup_kind: Literal["exact", "near"] | None = None
    """exact: it has the same bytes. near: it looks the same (`images.phash`)."""
    phash: str | None = None
    """Perceptual hash, 16 hexadecimal digits (`images.phash`).

    None: the picture cannot be decoded, is too large, or has one colour.
    """
    source: Literal["new", "existing", "resumed"] = "new"
    """Where the file on disk comes from."""
    data: dict[str, Any] | None = None
    """The fields of the item of an `[[api]]` that names it."""
    versions: tuple[str, ...] = ()
    """URLs of the picture's other versions on its page, the best first."""


class RedirectRecord(FetchRecord, kw_only=True):
    """The record of a URL that redirects.

    Example:
        >>> from crawler import RedirectRecord, crawl
        >>> for record in crawl("https://example.com/old", dir="out", max_pages=1):
        ...     if isinstance(record, RedirectRecord):
        ...         print(record.status, record.location)
        301 https://example.com/about
    """

    type: Literal["redirect"] = "redirect"
    location: str
    """Where it points to, absolute."""


class ItemRecord(AddressRecord, kw_only=True):
    """The record of one item of a page, as `items` of a `[[site]]` finds it.

    It follows the record of its page, whose `url` and `url_id` it has.

    Example:
        >>> from crawler import FieldConfig, ItemRecord, SiteConfig, crawl
        >>> site = SiteConfig("/$", {"text": FieldConfig("xpath:.")}, items="css:a")
        >>> stream = crawl("https://example.com/", dir="out", max_pages=1, site=[site])
        >>> for record in stream:
        ...     if isinstance(record, ItemRecord):
        ...         print(record.index, record.data)
        0 {'text': 'About us'}
        1 {'text': 'Prices'}
    """

    type: Literal["item"] = "item"
    index: int
    """Its place among the items of the page, from 0."""
    data: dict[str, Any]
    """Its fields."""


class ErrorRecord(UrlRecord, kw_only=True):
    """The record of a URL that failed, after the last attempt.

    Example:
        >>> from crawler import ErrorRecord, fetch
        >>> record = fetch("https://example.com/missing").record
        >>> if isinstance(record, ErrorRecord):
        ...     print(record.error_code, record.status)
        status_4xx 404
    """

    type: Literal["error"] = "error"
    error_code: ErrorCode
    """What went wrong."""
    error_stage: str
    """How far it got: dns, connect, tls, request, headers, body, decode, parse, ..."""
    error_message: str
    """In words."""
    status: int | None = None
    """HTTP status, if there was an answer."""
    attempts: int = 1
    """Requests made for this URL."""
    retry_after_s: float | None = None
    """What the server requested."""
    elapsed_ms: int = 0
    """The last attempt."""
    for_type: Literal["page", "image", "style", "subresource", "external"] = "page"
    """What it was fetched for."""
    body_path: str | None = None
    """With `--save`: the file of a body that could not be extracted (`extract`)."""
    body_bytes: int | None = None
    """Its size."""
    sha256: str | None = None
    """Its digest, hexadecimal."""
    content_type: str | None = None
    """Its media type."""
    charset: str | None = None
    """Its character set, if the server said it."""


class SkipRecord(UrlRecord, kw_only=True):
    """The record of a URL that was not fetched, or whose body was not kept.

    Example:
        >>> from crawler import SkipRecord, crawl
        >>> url = "https://example.com/about"
        >>> for record in crawl(url, dir="out", depth=0, record=["skips"]):
        ...     if isinstance(record, SkipRecord):
        ...         print(record.url, record.reason, record.rule)
        https://example.com/ depth scope.depth: 0
    """

    type: Literal["skip"] = "skip"
    reason: SkipReason
    """Why it was left out."""
    rule: str
    """The exact rule that decided."""


class RobotsRecord(AddressRecord, kw_only=True):
    """The record of a robots.txt.

    Example:
        >>> from crawler import fetch
        >>> robots = fetch("https://example.com/").robots
        >>> if robots is not None:
        ...     print(robots.policy, robots.status)
        allow_all 404
    """

    type: Literal["robots"] = "robots"
    status: int | None = None
    """HTTP status of robots.txt."""
    policy: Literal["parsed", "allow_all", "deferred"] = "parsed"
    """What follows from it."""
    agent_matched: str | None = None
    """The group whose rules apply."""
    crawl_delay_s: float | None = None
    """What it asks for."""
    rules_count: int = 0
    """Lines that allow or disallow."""
    sitemaps: tuple[str, ...] = ()
    """Sitemaps that it names."""
    expires_at: str = ""
    """When it is fetched again."""
    fetch_ms: int | None = 0
    """The whole exchange; null where a WARC file does not tell."""


class SettingChange(Struct, frozen=True):
    """A setting that a resume has changed. Secrets are redacted."""

    setting: str
    """Its key, as in `limits.max_pages`."""
    before: str
    """Its value before, as it is written in an option; none: no value."""
    after: str
    """Its value from this run on."""

    def __str__(self) -> str:
        return f"{self.setting} {self.before} -> {self.after}"


class RunRecord(Record, kw_only=True):
    """The record of the start or the end of a run.

    Example:
        >>> from crawler import RunRecord, crawl
        >>> *_, last = crawl("https://example.com/", dir="out", images=False)
        >>> if isinstance(last, RunRecord):
        ...     print(last.event, last.finish_reason, last.pages)
        finished done 2
    """

    type: Literal["run"] = "run"
    event: Literal["started", "finished"]
    """What happened to the run."""
    finish_reason: FinishReason | None = None
    """Why it ended."""
    exit_code: int | None = None
    """That the program ended with."""
    pages: int = 0
    """Pages fetched."""
    images_count: int = 0
    """Images fetched. Not `images`: that is a list in other records."""
    errors: int = 0
    """URLs that failed for good."""
    skipped: int = 0
    """URLs left out by a rule."""
    queued: int = 0
    """URLs waiting."""
    in_flight: int = 0
    """URLs being fetched."""
    hosts: int = 0
    """Hosts seen."""
    bytes: int = 0
    """Bytes of bodies in this run, with those of robots.txt and errors."""
    pages_per_s: float = 0.0
    """Over the whole run."""
    rss_bytes: int = 0
    """Memory of the process."""
    config_sha256: str = ""
    """Digest of the configuration as it is stored in the state."""
    version: str = ""
    """Version of the program."""
    obey_robots: bool = True
    """False: `--no-robots`."""
    verify_tls: bool = True
    """False: `--insecure`, wrong certificates were accepted."""
    changed_settings: tuple[SettingChange, ...] = ()
    """Settings that this run has changed, when it started."""
    recrawl_of: str | None = None
    """run_id of the crawl that this one compares itself with (`changed`)."""
    extract_of: str | None = None
    """What `orbweb extract` has read: a folder, or WARC files."""


TerminalRecord = (
    PageRecord | FileRecord | ImageRecord | RedirectRecord | ErrorRecord | SkipRecord
)

AnyRecord = TerminalRecord | ItemRecord | RobotsRecord | RunRecord
"""Every record of the stream; `type` tells which it is."""

RECORD_TYPES: dict[str, type[AnyRecord]] = {
    "page": PageRecord,
    "file": FileRecord,
    "image": ImageRecord,
    "redirect": RedirectRecord,
    "error": ErrorRecord,
    "skip": SkipRecord,
    "item": ItemRecord,
    "robots": RobotsRecord,
    "run": RunRecord,
}
