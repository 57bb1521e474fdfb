"""What a user wants of the contents: `[fields]`, `[[site]]`, `[bodies]`, `[images]`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

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
    hash_files: bool = False
    """Download files that are neither read nor saved, for their hash.

    Else no more than the beginning of a large one is received, and its record has no
    `sha256`: it says `truncated: unread`, and in `declared_bytes` the size that the
    server declared. Up to 64 KiB are downloaded in any case.
    """


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
    min_width: Annotated[int, Meta(ge=0)] = 0
    """Minimum width of the images that are kept [px]."""
    min_height: Annotated[int, Meta(ge=0)] = 0
    """Minimum height of the images that are kept [px]."""
    name: str = "{host}/{stem}-{sha256:.8}.{ext}"
    """Path of an image below images/, made of {host} {stem} {sha256} {ext} {format}."""
