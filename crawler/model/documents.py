"""What extraction makes of a response: a Document, which is a Page, an Image or a File.

    Response -> (crawler.extract) -> Document -> record, discovered URLs

A Link, an ImageLink and an Alternate are the items of lists of the record stream as
well: one type, made once by extraction and written as it is. So their fields
are columns, and a change of them is a change of the schema.
"""

# Annotations are values here: `schema_export` reads those of the items.

from collections.abc import Callable, Collection, Iterable
from itertools import chain
from typing import Any, Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

LinkKind = Literal[
    "seed", "a", "img", "srcset", "source", "css", "iframe", "meta_refresh",
    "link_canonical", "link_next", "link_alternate", "icon", "lazy", "json", "json_ld",
    "og", "stylesheet", "css_import", "script", "font", "media", "object", "preload",
    "manifest",
    "sitemap", "sitemap_index", "feed", "robots_sitemap", "redirect", "plugin", "api",
    "form",
]  # fmt: skip
"""How a URL was found.

The header fields `Link` and `Refresh` have the kinds of `<link>` and of meta refresh.
The six from `script` on occur in a mirror only (`bodies.mirror`), and in the link graph
where an https page has them over http. So does `form`, which is nowhere else.
"""

CharsetSource = Literal["bom", "http", "meta", "detected", "default"]
"""What told the character encoding of a document.

bom: its byte order mark. http: the Content-Type. meta: the document, by a `<meta>` or
an XML declaration. detected: its bytes; valid UTF-8 counts as that. default: nothing.
"""

TitleSource = Literal["title", "og", "twitter"]
"""What told the title of a page: `<title>`, og:title or twitter:title."""
DescriptionSource = Literal["meta", "og", "twitter"]
"""What told the description: `<meta name=description>` or that of a social network."""
CanonicalSource = Literal["link", "http", "og"]
"""What told the canonical URL: `<link>`, the header field Link, or og:url."""


LeftOut = Literal["links", "markup", "items", "values", "urls"]
"""What a limit has left out of a document (`BodyRecord.left_out` says which limits)."""
LeaveOut = Callable[[LeftOut], object]
"""Is told what a limit leaves out, where there was more than it allows."""


def say_nothing(_kind: LeftOut) -> None:
    """The `LeaveOut` of a reader that finds no part of a record."""


def left_out_of(*found: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """What was left out in any of these, each once and in one order."""
    return tuple(sorted(set(chain(*found))))


class Link(Struct, frozen=True, gc=False):
    """A hyperlink of a document.

    Example:
        >>> from crawler import fetch
        >>> for link in fetch("https://example.com/").document.links:
        ...     print(link.url, link.kind, link.text)
        https://example.com/about a About us
        https://example.com/data.csv a Prices
    """

    url: str
    """Absolute and canonical, without a fragment."""
    kind: LinkKind
    text: str | None = None
    """Text of the first link to the URL that has one, white space collapsed.

    None unless it was requested.
    """
    rel: str | None = None
    """Attribute `rel`, as written."""
    nofollow: bool = False
    """Whether `rel` contains `nofollow`."""
    hreflang: str | None = None
    """Language of the linked document, as the link declares it."""


class ImageLink(Struct, frozen=True, gc=False):
    """An image that a document shows or names.

    Example:
        >>> from crawler import fetch
        >>> for image in fetch("https://example.com/").document.images:
        ...     print(image.url, image.kind, image.alt)
        https://example.com/logo.png img Logo
    """

    url: str
    """Absolute and canonical, without a fragment."""
    kind: LinkKind
    alt: str | None = None
    """Alternative text, white space collapsed."""
    width: int | None = None
    """Pixels, as declared by the document."""
    height: int | None = None
    """Pixels, as declared by the document."""
    group: int | None = None
    """Number of the picture of which it is a version, from 0; None: it has no other."""
    title: str | None = None
    """Its attribute `title`, white space collapsed."""
    caption: str | None = None
    """The text of the `<figcaption>` of its figure, white space collapsed."""
    link_text: str | None = None
    """The text of the link to a larger picture in which it stands."""


class Picture(Struct, frozen=True, array_like=True):
    """A picture that a document offers in several versions."""

    versions: tuple[str, ...]
    """URLs, absolute and canonical, the best first."""
    shown: int = 0
    """Index of the version that a browser window of 1280 CSS pixels shows."""
    formats: tuple[str, ...] = ()
    """Media types that `<source>` declares for the versions, or ""; empty: for none."""


class FoundImage(Struct, frozen=True):
    """An image that an API, or a plug-in, names."""

    url: str
    """As written: absolute, or relative to the document."""
    alt: str | None = None
    """Alternative text."""
    data: dict[str, Any] = {}
    """What is known of it, for its record."""


class Listing(Struct, frozen=True, array_like=True):
    """What the answer of an `[[api]]` lists."""

    items: tuple[dict[str, Any], ...] = ()
    """The fields of its items, which become records."""
    images: tuple[FoundImage, ...] = ()
    links: tuple[Link, ...] = ()
    """The pages of its items, and the next answer, whose kind is `api`."""
    max_requests: int = 0
    """Answers of this API that are requested at most."""
    failure: str = ""
    """What the first of the items lacks that are left out; empty: none is."""


class Alternate(Struct, frozen=True):
    """The page in another language, as `<link rel=alternate hreflang>` names it.

    Example:
        >>> from crawler import Page, fetch
        >>> document = fetch("https://example.com/").document
        >>> if isinstance(document, Page):
        ...     print([one.hreflang for one in document.declared.alternates])
        []
    """

    hreflang: str
    """Language tag, as written, or `x-default`."""
    url: str
    """Absolute and canonical, without a fragment."""


class Declared(Struct, frozen=True):
    """The facts that a page declares; None or empty where it does not.

    Example:
        >>> from crawler import Page, fetch
        >>> document = fetch("https://example.com/").document
        >>> if isinstance(document, Page):
        ...     print(document.declared.author)
        None
    """

    og_type: str | None = None
    """og:type."""
    og_site_name: str | None = None
    """og:site_name."""
    author: str | None = None
    """Names, several joined by "; "."""
    published: str | None = None
    """ISO 8601, as precise as declared: `2026-11-30T08:15:00+01:00`, `2026-11-30`."""
    modified: str | None = None
    """As `published`."""
    jsonld_types: tuple[str, ...] = ()
    """The types of the JSON-LD objects, without that of the vocabulary."""
    feeds: tuple[str, ...] = ()
    """URLs of its feeds."""
    breadcrumbs: tuple[str, ...] = ()
    """The names of the pages above it, the topmost first."""
    amp_url: str | None = None
    """URL of its AMP version."""
    alternates: tuple[Alternate, ...] = ()
    """The page in other languages."""
    jsonld: tuple[dict[str, Any], ...] = ()
    """The objects of its JSON-LD, as written."""


NOTHING = Declared()
"""What a page declares that declares none of it."""


class Page(Struct, frozen=True, tag="page", omit_defaults=True):
    """The content of an HTML document.

    Example:
        >>> from crawler import Page, fetch
        >>> document = fetch("https://example.com/").document
        >>> if isinstance(document, Page):
        ...     print(document.title, document.lang, len(document.links))
        Home en 2
    """

    content_type: str
    """Media type without parameters."""
    charset: str
    """Name of the encoding in the WHATWG Encoding Standard."""
    links: tuple[Link, ...] = ()
    """In document order, those of the header first, each URL once.

    A URL may be in `images` as well.
    """
    images: tuple[ImageLink, ...] = ()
    """In document order, each URL once."""
    styles: tuple[Link, ...] = ()
    """The style sheets that are linked or imported, each once."""
    pictures: tuple[Picture, ...] = ()
    """Which of `images` are versions of one picture."""
    title: str | None = None
    title_source: TitleSource | None = None
    """What told it."""
    description: str | None = None
    description_source: DescriptionSource | None = None
    """What told it."""
    canonical_url: str | None = None
    canonical_source: CanonicalSource | None = None
    """What told it."""
    lang: str | None = None
    robots_meta: str | None = None
    """Directives of `<meta name=robots>`, as written, several joined by ", "."""
    charset_source: CharsetSource = "default"
    """What told the character encoding."""
    declared: Declared = NOTHING
    """What it declares for search engines and social networks."""
    needs_javascript: bool = False
    """It is empty until a script in it has run (`extract/html/shells.py`)."""
    left_out: tuple[LeftOut, ...] = ()
    """What is not here, because a limit has left it out."""


class PageText(Struct, frozen=True):
    """The text of a page, as the extraction process finds it."""

    text: str | None = None
    """Plain text; None unless it was requested."""
    markdown: str | None = None
    """The same as Markdown; None unless it was requested."""
    words: int = 0


class Enriched(Struct, frozen=True):
    """A page, with what plug-ins and fields have taken from it."""

    page: Page | None
    """None: it is still to be read, for the process that should has failed."""
    data: dict[str, Any] | None = None
    items: tuple[dict[str, Any], ...] = ()
    text: PageText | None = None
    listing: Listing | None = None

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What a limit has left out of the page, or of what was taken from it."""
        return () if self.page is None else self.page.left_out


def is_json(content_type: str) -> bool:
    """Whether a media type is JSON (WHATWG MIME Sniffing: a JSON MIME type)."""
    return content_type in ("application/json", "text/json") or content_type.endswith(
        "+json"
    )


class Photo(Struct, frozen=True):
    """What the Exif data of a picture say."""

    taken_at: str | None = None
    """ISO 8601, by the camera's clock; with the offset from UTC if that is told."""
    camera_make: str | None = None
    camera_model: str | None = None
    latitude: float | None = None
    """Where it was taken: degrees, north is positive."""
    longitude: float | None = None
    """Degrees, east is positive."""


class Image(Struct, frozen=True, tag="image"):
    """The properties of an image, read from its bytes; None: the file does not say.

    Example:
        >>> from crawler import Image, fetch
        >>> document = fetch("https://example.com/logo.png").document
        >>> if isinstance(document, Image):
        ...     print(document.format, document.width, document.height)
        png 3 2
    """

    content_type: str
    """Media type by the bytes."""
    format: str
    width: int | None
    """Pixels."""
    height: int | None
    """Pixels."""
    frames: int | None = None
    """1 for a still image."""
    photo: Photo | None = None
    """None: there are no Exif data, or they say nothing of this."""


class File(Struct, frozen=True, tag="file"):
    """A body that is neither HTML nor an image; sitemaps and feeds contain links.

    Example:
        >>> from crawler import File, fetch
        >>> document = fetch("https://example.com/data.csv").document
        >>> if isinstance(document, File):
        ...     print(document.content_type)
        text/csv
    """

    content_type: str
    """Media type without parameters."""
    charset: str | None = None
    """As declared by the Content-Type."""
    links: tuple[Link, ...] = ()
    """In document order, those of the header first, each URL once.

    A URL may be in `images` as well.
    """
    images: tuple[ImageLink, ...] = ()
    """In document order, each URL once."""
    styles: tuple[Link, ...] = ()
    """The style sheets that are linked or imported, each once."""
    alternates: tuple[Alternate, ...] = ()
    """The pages of a sitemap in other languages.

    One with an empty `hreflang` is a page, and those behind it are its translations.
    """
    left_out: tuple[LeftOut, ...] = ()
    """What is not here, because a limit has left it out."""


D = TypeVar("D", Page, File)


def lacking(document: D, kinds: Collection[LeftOut]) -> D:
    """The document, which says that these were left out of it as well."""
    if not kinds:
        return document
    return replace(document, left_out=left_out_of(document.left_out, kinds))


Document = Page | Image | File
"""What a body is.

The `tag` of each type distinguishes them in messages between processes
(`crawler/extract/tasks.py`).
"""


def refresh_target(url: str, links: Iterable[Link]) -> str | None:
    """Where the page at `url` goes on by itself; None if it does not.

    The first refresh counts (HTML Standard, "shared declarative refresh steps").
    """
    for link in links:
        if link.kind == "meta_refresh":
            return None if link.url == url else link.url
    return None
