"""What is kept: `[fields]`, `[[site]]`, `[[api]]`, and `[bodies]` to `[warc]`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from crawler.model.record_base import OptionalField
from crawler.model.units import Bytes, Count

FieldType = Literal[
    "str", "int", "float", "bool", "date", "url", "price", "list", "object"
]


class FieldConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One field: where its value is, and what it is.

    Example:
        >>> from crawler import FieldConfig
        >>> FieldConfig("css:.price::text", type="price", required=True).many
        False
    """

    select: str
    """`SOURCE:EXPRESSION | pipe | pipe(argument)`.

    The sources are css, xpath, json, jsonld, meta, re and url.
    """
    type: FieldType = "str"
    """Type of the value, or of each value of a list."""
    many: bool = False
    """All matches, as a list; otherwise the first one."""
    default: Any = None
    """Value where nothing matches."""
    required: bool = False
    """A page without it is an `extract` error that names the field."""


class SiteConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[[site]]`: fields for the pages whose URL matches a pattern.

    Example:
        >>> from crawler import FieldConfig, SiteConfig
        >>> fields = {"name": FieldConfig("css:h2::text")}
        >>> SiteConfig("glob:https://shop.example/*", fields, "css:.product").items
        'css:.product'
    """

    match: str
    """RE2 expression that is searched for in the URL, or `glob:` and a pattern."""
    fields: dict[str, FieldConfig] = {}
    """Fields of these pages; with `items`, of each item."""
    items: str = ""
    """Selector of repeated items; each becomes a record of type `item`."""


class ApiConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[[api]]`: an API that lists pictures or pages in JSON, one answer after another.

    Example:
        >>> from crawler import ApiConfig
        >>> api = ApiConfig(
        ...     "https://gallery.example/api/pictures",
        ...     params={"page": "{page}"},
        ...     items="json:data",
        ...     image="json:url",
        ... )
        >>> api.max_requests
        10000
    """

    url: str
    """URL of the first answer. `{page}` and `{offset}` stand for the number in it."""
    params: dict[str, str | int] = {}
    """Parameters to add to its query. Values may be `{page}`, `{offset}`, `{cursor}`.

    The parameter with `{cursor}` is left out of the first request.
    """
    start: Annotated[int, Meta(ge=0)] | None = None
    """First number. none: 1 for `{page}`, 0 for `{offset}`."""
    step: Count | None = None
    """Difference of two numbers. none: 1 for `{page}`, the items for `{offset}`.

    The next answer is requested until one has no items.
    """
    cursor: str = ""
    """Selector of the next `{cursor}`, as in `json:paging.next`. Nothing found: end."""
    next: str = ""
    """Selector of the URL of the next answer. Nothing found: the end."""
    items: str = "json:@"
    """Selector of the items in an answer, as in `json:data`."""
    image: str = ""
    """Selector of the URL of a picture in an item. Several: each is a picture."""
    alt: str = ""
    """Selector of the picture's alternative text in an item."""
    link: str = ""
    """Selector of the URL of a page in an item."""
    fields: dict[str, FieldConfig] = {}
    """Fields of each item: `data` of a record of type `item`, and of the pictures'."""
    max_requests: Count = 10_000
    """Maximum answers. Further ones end as skips."""


class BodiesConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[bodies]`: bodies of pages and files that are kept.

    Example:
        >>> from crawler import BodiesConfig
        >>> BodiesConfig(save=("html", "application/pdf")).save
        ('html', 'application/pdf')
    """

    save: tuple[str, ...] = ()
    """Bodies to save below bodies/: html, pdf, json, css, js, xml, text, all, or types.

    A type is a media type such as `application/pdf` or `text/*`, as the record's
    `content_type` says it. Each body is written once, under its hash, byte for byte as
    it was decoded; `body_path` in the record names the file. Images have a folder of
    their own in any case.
    """
    mirror: bool = False
    """Save all bodies, and make a folder mirror/ of them that a browser reads offline.

    Scripts, fonts, films and other requisites of the pages are fetched as well, from
    the hosts that `scope.images_within` names. At the end of each run the files are
    written anew where they have changed: links to what is saved become relative, the
    others absolute.
    """
    hash_files: bool = False
    """Download files that are neither read nor saved, for their hash.

    Else no more than the beginning of a large one is received, and its record has no
    `sha256`: it says `truncated: unread`, and in `declared_bytes` the size that the
    server declared. Up to 64 KiB are downloaded in any case.
    """


ImageFormat = Literal[
    "jpeg", "png", "gif", "webp", "avif", "heic", "jxl", "svg", "bmp", "tiff", "ico",
    "cur",
]  # fmt: skip


class ImagesConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[images]`: the images of the pages.

    Example:
        >>> from crawler import ImagesConfig
        >>> ImagesConfig(min_width=200, min_height=200).fetch
        True
    """

    fetch: bool = True
    """Fetch images."""
    styles: bool = True
    """Fetch style sheets and what they import, for the images that they name."""
    srcset: Literal["best", "auto", "smallest", "all"] = "best"
    """Which versions of a picture to fetch: best, auto, smallest, all.

    A picture has several versions where `srcset`, `<picture>`, attributes for scripts
    or a link around a thumbnail offer them. `best`: the largest; `auto`: what a browser
    window of 1280 pixels shows. If it can't be had, the next best is fetched.
    """
    prefer_formats: tuple[ImageFormat, ...] = ()
    """Formats to prefer among the versions of a picture, as in avif, webp, jpeg.

    The first that is offered is fetched, and of its versions the one that `srcset`
    wants. The type of a `<source>` tells the format, or the ending of the URL. Empty:
    all are equal.
    """
    min_width: Annotated[int, Meta(ge=0)] = 0
    """Minimum width of the images that are kept [px].

    An image whose `srcset` says that it is narrower is not requested.
    """
    min_height: Annotated[int, Meta(ge=0)] = 0
    """Minimum height of the images that are kept [px]."""
    max_width: Count | None = None
    """Maximum width of the images that are kept [px]; none: no maximum."""
    max_height: Count | None = None
    """Maximum height of the images that are kept [px]; none: no maximum."""
    min_pixels: Annotated[int, Meta(ge=0)] = 0
    """Minimum of width times height of the images that are kept."""
    max_pixels: Count | None = None
    """Maximum of width times height of the images that are kept; none: no maximum."""
    min_file_size: Annotated[int, Meta(ge=0, extra={"unit": "bytes"})] = 0
    """Minimum size of the files of the images that are kept [bytes]."""
    max_file_size: Bytes | None = None
    """Maximum size of the files of the images that are kept [bytes]; none: none."""
    max_ratio: Annotated[float, Meta(ge=1)] | None = None
    """Maximum ratio of the longer to the shorter side, as in 3; none: no maximum."""
    formats: tuple[ImageFormat, ...] = ()
    """Formats of the images that are kept, as in jpeg, png, webp; empty: all.

    The bytes decide about the format. Requests for images ask for these.
    """
    icons: bool = True
    """Fetch the icons of pages: `<link rel=icon>`, and those for home screens."""
    phash: bool = False
    """Hash pictures by their look, and find near-duplicates (extra `look`).

    A picture that was scaled or compressed again has `dup_of` and `dup_kind = "near"`.
    """
    dedupe: Literal["exact", "near"] = "exact"
    """Which pictures to keep only once: exact (the same bytes), near (the same look).

    `near` includes `phash`. Of pictures that look the same the best is kept: the one
    with most pixels, then with most bytes, then the first. The others have no file:
    `path` is null, and `dup_of` names the one that was kept then. A better one that
    comes later `replaces` it.
    """
    verify: bool = False
    """Decode each picture, in a process of its own, to find damage (extra `look`).

    The record says `verified`. A damaged picture ends as an error `image_decode`, and
    the next best version is fetched in its place. Pictures of more than 25 megapixels
    (JPEG: 80), SVG, HEIC, JPEG XL and icons are not decoded.
    """
    keep_damaged: bool = False
    """Keep damaged pictures below damaged/; their records say `damage`."""
    thumbnails: Annotated[int, Meta(ge=16, le=2048)] | None = None
    """Longer side of the thumbnails to make of the pictures [px] (extra `look`).

    They are below thumbnails/, JPEG, or WebP if they are transparent, and
    `thumbnail_path` in the record names the file. none: no thumbnails.
    """
    gps: bool = False
    """Write where a picture was taken, by its Exif data: `latitude`, `longitude`.

    Without it the record says only whether they tell that (`has_gps`).
    """
    name: str = "{host}/{stem}-{sha256:.8}.{ext}"
    """Path of an image below images/, made of {host} {stem} {sha256} {ext} {format}.

    Also of {width} and {height}, {path} (the folders in its URL), {page_title} and
    {index} (its place among the images of the page where it was found first, from 1),
    and {data.NAME} (a field of the item of an `[[api]]` that names it).
    """

    @property
    def are_hashed(self) -> bool:
        """Whether pictures are hashed by their look."""
        return self.phash or self.dedupe == "near"

    @property
    def are_named_by_page(self) -> bool:
        """Whether their names say something of the page."""
        return "{page_title" in self.name or "{index" in self.name

    @property
    def are_decoded(self) -> bool:
        """Whether a process decodes pictures."""
        return self.are_hashed or self.verify or self.thumbnails is not None

    @property
    def refuse_some(self) -> bool:
        """Whether an image may be refused by its bytes."""
        return any(
            (
                self.min_width, self.min_height, self.min_pixels, self.min_file_size,
                self.max_width, self.max_height, self.max_pixels, self.max_file_size,
                self.max_ratio, self.formats,
            )
        )  # fmt: skip


class OutputConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[records]`: what is written to the record stream.

    Example:
        >>> from crawler import OutputConfig
        >>> OutputConfig(include=("links",)).record
        ()
    """

    record: tuple[Literal["skips", "robots"], ...] = ()
    """Further record types to write: skips, robots."""
    only_keep: tuple[str, ...] = ()
    """Follow all pages, and record those whose URL matches.

    A pattern is a regular expression (RE2), or a glob with the prefix `glob:`. A page
    or file that matches none ends as a skip, without its pictures; a picture is kept
    with its page, or if it matches itself. Redirects and errors of other URLs are not
    recorded, either; `orbweb urls --state error` lists them. Pages that are not kept
    count for the limits of a run. Empty: all are recorded.
    """
    include: tuple[OptionalField, ...] = ()
    """Optional fields to include: links, images, headers, jsonld, text, markdown."""
    text: Literal["main", "whole"] = "main"
    """Part of the page for text and markdown: main (its content), whole."""
    keep_truncated: Literal["none", "pages", "all"] = "pages"
    """What to keep if its connection breaks in each attempt: none, pages, all.

    A record says `truncated: disconnect`. Sitemaps and feeds count as pages. The text
    and the links of half a page are right as far as they go; half a picture or half an
    archive is damaged, and looks like a whole one in its folder.
    """
    schema_line: bool | None = None
    """Begin with a schema line, also on stdout.

    This record, `{"type":"schema"}`, gives DuckDB and other readers the type of every
    column. none: in files, but not on stdout.
    """
    rotate: str = ""
    """Cut the records into numbered parts by size, as in 100M, or by time, as in 1h.

    `records.jsonl` becomes `records-00001.jsonl` and so on, each with the schema line
    first. A part is finished, and may be taken away, once the next one is there or the
    crawl has ended. `M` are MiB, `m` are minutes; times count in UTC, so that `1h`
    begins a part at each full hour. stdout and pipes are not cut. Empty: one file.
    """


class WarcConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[warc]`: the exchanges as an archive, in WARC 1.1 (ISO 28500).

    Example:
        >>> from crawler import WarcConfig
        >>> WarcConfig(write=True, prefix="news").max_size
        1000000000
    """

    write: bool = False
    """Write each request and response to WARC files, with a CDXJ index."""
    prefix: str = ""
    """Prefix of the names of the WARC files in `warc/`, as in PREFIX-00000.warc.gz.

    Empty: the name of the crawl's folder.
    """
    max_size: Bytes = 10**9
    """Size at which the next WARC file is begun [bytes].

    A file becomes larger by at most one exchange.
    """
    wacz: bool = False
    """Pack the WARC files, their index and the pages into one file, PREFIX.wacz.

    It is made anew at the end of each run that no signal has ended. Includes `write`.
    """
    secrets: bool = False
    """Write Cookie, Authorization and other secret request headers as they were sent.

    Without it their values are replaced by "redacted". Responses are always exact, so
    they hold the cookies that servers set.
    """
