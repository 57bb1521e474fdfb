"""The configuration: one frozen struct per stage, each value with default and unit.

The sections stand beside it: what is fetched, and when, in `policy_config.py`, the
client in `http_config.py`, what is kept in `content_config.py`. A stage is built from
its own struct and sees no other.

The docstring below a field is what the user reads: its first sentence, with the unit in
brackets at its end, is the help of the option, and all of it stands in
`config.example.toml` and the JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from crawler.model.content_config import (
    ApiConfig,
    BodiesConfig,
    FieldConfig,
    ImagesConfig,
    OutputConfig,
    SiteConfig,
    WarcConfig,
)
from crawler.model.errors import StateError
from crawler.model.http_config import HttpConfig, LoginConfig
from crawler.model.policy_config import (
    LimitsConfig,
    PolitenessConfig,
    RetryConfig,
    RobotsConfig,
    ScopeConfig,
)
from crawler.model.units import Count, Seconds


class PluginConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[[plugin]]`: a plug-in and its options.

    In the file the options stand beside `use`.

    Example:
        >>> from crawler import PluginConfig
        >>> PluginConfig("shop:Prices", {"currency": "EUR"}).use
        'shop:Prices'
    """

    use: str
    """`module:object`, or the name under which an installed package offers it."""
    options: dict[str, Any] = {}
    """Keyword arguments for the class."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """One crawl, whole.

    Example:
        >>> from crawler import Config, LimitsConfig, crawl
        >>> config = Config(
        ...     seeds=("https://example.com/",),
        ...     dir="out",
        ...     limits=LimitsConfig(max_pages=1),
        ... )
        >>> len([record for record in crawl(config=config) if record.type == "page"])
        1
    """

    seeds: tuple[str, ...] = ()
    """URLs to start from. Without a scheme, https is assumed."""
    name: str = ""
    """Name of the crawl. It is the folder of a job without `dir`."""
    dir: str = ""
    """Folder of the crawl: records.jsonl, images/, bodies/, warc/, state/.

    Empty: named after the host of the first seed.
    """
    output: tuple[str, ...] = ()
    """File for the records; - is stdout.

    There may be several, and each gets all records. The format is JSON Lines, which a
    name that ends in `.gz` or `.zst` compresses. `s3://`, `gs://` and `az://` with a
    bucket and a name are object storage, which gets finished parts (`records.rotate`,
    100M without it) and a manifest. Empty: `records.jsonl` in the folder.
    """
    concurrency: Count = 32
    """Maximum concurrent requests over all hosts."""
    slow_concurrency: Annotated[int, Meta(ge=0)] = 64
    """Further concurrent requests to slow hosts, one to each.

    A host is slow if it takes more than a second to respond. Slow hosts thus do not
    starve fast ones.
    """
    extract_processes: Count | Literal["auto"] = "auto"
    """Processes for what needs a tree of a page: text, fields, plug-ins.

    They are started as they are needed, each with limits on memory and CPU time. auto:
    as many as there are cores, at most 8. They read the links of these pages as well;
    with a number they do so in any crawl, which one of a large, fast site gains by.
    """
    grace: Seconds = 10.0
    """Time that a stop waits for the requests under way [s]."""
    fail_on: str = ""
    """Exit with code 8 if URLs failed: any, seed (one of the seeds), or a share (5%).

    The share is of all fetches. Empty: never.
    """
    plugin: tuple[PluginConfig, ...] = ()
    """Plug-in to use, as module:object or the name that a package gives it.

    Plug-ins are Python classes of the user's own, called in this order. Options stand
    beside `use`, as in `{ use = "shop:Prices", currency = "EUR" }`. They can also be
    written as `[[plugin]]` tables at the end of the file, instead of this line.
    """
    fields: dict[str, FieldConfig] = {}
    """Field to take from each page, by name, as in `title=css:h1::text`.

    It is a selector, or a table with its type. A selector is `SOURCE:EXPRESSION |
    pipe`, as in `css:h1::text | strip`. The sources
    are css, xpath, json, jsonld, meta, re, url. The values are `data` of the record.
    """
    site: tuple[SiteConfig, ...] = ()
    """Fields for pages whose URL matches: `match`, `fields`, and `items`.

    With `items`, a selector of repeated elements, the fields are those of each element,
    and each becomes a record of type `item`. Written as `[[site]]` and `[site.fields]`
    at the end of the file, instead of this line.
    """
    api: tuple[ApiConfig, ...] = ()
    """JSON APIs that list pictures or pages: `url`, `items`, `image`, `fields`, ....

    The first answer of each is a seed. Written as `[[api]]` and `[api.fields]` at the
    end of the file, instead of this line.
    """
    http: HttpConfig = HttpConfig()
    login: LoginConfig = LoginConfig()
    robots: RobotsConfig = RobotsConfig()
    politeness: PolitenessConfig = PolitenessConfig()
    retry: RetryConfig = RetryConfig()
    scope: ScopeConfig = ScopeConfig()
    limits: LimitsConfig = LimitsConfig()
    images: ImagesConfig = ImagesConfig()
    bodies: BodiesConfig = BodiesConfig()
    records: OutputConfig = OutputConfig()
    warc: WarcConfig = WarcConfig()


class CrawlFile(Config, frozen=True, forbid_unknown_fields=True):
    """A configuration file: one crawl, or several that share the top of the file."""

    jobs: Literal["in_order", "side_by_side"] = "in_order"
    """How the `[[job]]` tables are run."""
    job: tuple[Config, ...] = ()
    """Each `[[job]]` is a crawl of its own. Its settings override those at the top."""


def to_json(config: Config) -> bytes:
    """The form kept in a crawl's state. Secrets stay as they are named (`env:NAME`)."""
    return msgspec.json.encode(config)


def from_json(data: bytes) -> Config:
    """Read `to_json`'s form. Raises StateError if another version wrote it."""
    try:
        return msgspec.json.decode(data, type=Config)
    except msgspec.DecodeError as error:
        raise StateError(
            f"the configuration in the state can't be read ({error}); it was written "
            "by another version: resume with that one, or start again with --fresh"
        ) from error
