"""The configuration: one frozen struct per stage, each value with default and unit.

A stage is built from its own struct and sees no other. The docstring below a field is
what the user reads: its first sentence, with the unit in brackets at its end, is the
help of the option, and all of it stands in `config.example.toml` and the JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from crawler.model.content_config import (
    BodiesConfig,
    FieldConfig,
    ImagesConfig,
    SiteConfig,
)
from crawler.model.errors import StateError
from crawler.model.http_config import Bytes, Count, HttpConfig, Seconds, WarcConfig
from crawler.model.record_base import OptionalField


class RobotsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[robots]`: the Robots Exclusion Protocol, RFC 9309.

    Example:
        >>> from crawler import RobotsConfig
        >>> RobotsConfig(agent="my-crawler").obey
        True
    """

    obey: bool = True
    """Obey robots.txt. Every run record says whether it was obeyed."""
    agent: str = "orbweb"
    """Product token to look for in robots.txt."""
    max_age: Annotated[float, Meta(ge=0, le=86400, extra={"unit": "seconds"})] = 86400.0
    """Time for which a robots.txt is cached [s]. RFC 9309 allows a day at most."""
    nofollow: Literal["ignore", "page", "link"] = "page"
    """Which nofollow to obey: page (meta robots), link (rel=nofollow too), ignore.

    `page` includes the header `X-Robots-Tag`.
    """
    noai: bool = False
    """Skip pages and images that are marked as not for machine learning.

    The marks are `noai` and `noimageai` in `meta robots` or `X-Robots-Tag`.
    """


class PolitenessConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[politeness]`: limits on the load on one host.

    Example:
        >>> from crawler import PolitenessConfig
        >>> PolitenessConfig(wait=2.0).per_host
        2
    """

    per_host: Count = 2
    """Maximum concurrent requests to one host."""
    wait: Seconds = 0.5
    """Delay between the starts of two requests to one host [s]."""
    max_wait: Seconds = 0.0
    """Upper end of the range from which each delay is drawn at random [s].

    It has no effect unless it is more than `wait`.
    """
    max_retry_after: Seconds = 3600.0
    """Maximum Retry-After to wait for [s]. A longer one is cut to this."""
    adaptive: bool = True
    """Increase the delay where a host responds slowly, or with 429 or 503."""
    max_adaptive_wait: Seconds = 60.0
    """Maximum delay that `adaptive` leads to [s]."""
    host_backoff: Seconds = 1.0
    """Pause after a host could not be reached [s].

    It doubles with each further failure in a row.
    """
    park_after: Count = 3
    """Failures in a row after which a host is parked.

    The URLs of a parked host stay queued, and a crawl that has nothing else to do ends
    without them. A host that keeps answering 429 or 503 is parked too, once `adaptive`
    has led to `max_adaptive_wait`.
    """
    park_time: Seconds = 5.0
    """Time for which a host is parked first [s]. It doubles each time, up to a day.

    A resume tries all parked hosts at once.
    """
    max_park_wait: Seconds = 20.0
    """Time for which a crawl waits for parked hosts [s].

    It counts from the last answer of any host in this run. A crawl that has nothing
    else to do ends then with exit code 75, and its URLs wait for a resume.
    """
    max_parkings: Count = 12
    """Maximum number of times that a host is parked.

    After that its URLs end with the error `host_parked`. The default is some six hours.
    """


class RetryConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[retry]`: which failures get another attempt.

    Example:
        >>> from crawler import RetryConfig
        >>> RetryConfig(tries=1).statuses
        ('408', '425', '429', '5xx')
    """

    tries: Count = 3
    """Maximum attempts per URL, the first included."""
    statuses: tuple[str, ...] = ("408", "425", "429", "5xx")
    """HTTP statuses to retry. `5xx` stands for the whole class."""
    backoff: Seconds = 1.0
    """Delay before the second attempt [s]. It doubles with each one, with jitter."""
    max_backoff: Seconds = 60.0
    """Maximum delay between two attempts [s]."""


class ScopeConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[scope]`: which links are followed.

    Example:
        >>> from crawler import ScopeConfig
        >>> ScopeConfig(within="domain", rules=("-/private/",)).depth is None
        True
    """

    within: Literal["host", "domain", "prefix", "page", "any"] = "host"
    """How far from the seeds to crawl.

    `host`: their hosts; `domain`: their registrable domains; `prefix`: below their
    paths; `page`: the seeds alone; `any`: the whole web.
    """
    domains: tuple[str, ...] = ()
    """Further domains to crawl."""
    rules: tuple[str, ...] = ()
    """Rules over the whole URL, `+PATTERN` to include and `-PATTERN` to exclude.

    A pattern is a regular expression, or a glob with the prefix `glob:`; the last match
    wins.
    """
    strip_params: tuple[str, ...] = (
        "utm_*", "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "yclid",
        "mc_eid",
    )  # fmt: skip
    """Query parameters to remove from links; `utm_*` is a prefix.

    The defaults are tracking parameters, which change no page. Add a site's session
    ids. Seeds and redirects keep their parameters.
    """
    dedupe_content: bool = False
    """Record identical content only once.

    A page or file with the same bytes as an earlier one ends as a skip; its links are
    followed, because relative links depend on the URL.
    """
    sitemaps: bool = False
    """Also start from the sitemaps named in robots.txt.

    Robots.txt must be obeyed (`robots.obey`); the pages of a sitemap have depth 1.
    """
    depth: Annotated[int, Meta(ge=0)] | None = None
    """Maximum number of links from a seed. none: no limit."""
    follow_redirect: Literal["any", "same-domain", "never"] = "same-domain"
    """Where a redirected seed widens the scope: same-domain, any, never.

    The page where the redirects of a seed end is fetched in any case. `same-domain`:
    links are followed there, too, if it has the seed's registrable domain, or differs
    by `www.`. Hosts that the redirects only pass through are never in scope.
    """
    images_within: Literal["host", "domain", "any"] = "any"
    """Hosts from which the images of a page are fetched.

    `host` and `domain` are measured from the seeds. The default is `any`, as many sites
    keep their images on another host.
    """


class LimitsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`: when to stop. none: no limit.

    Example:
        >>> from crawler import LimitsConfig
        >>> LimitsConfig(max_pages=100).max_redirects
        10
    """

    max_pages: Count | None = None
    """Maximum pages in total."""
    max_pages_per_host: Count | None = None
    """Maximum pages per host. Further URLs of that host end as skips."""
    max_bytes_per_host: Bytes | None = None
    """Maximum download per host [bytes].

    Response bodies count. Further URLs of that host end as skips.
    """
    max_time_per_host: Seconds | None = None
    """Maximum crawl time per host [s].

    The host's requests and the delays after them count, over all runs; time in which it
    is parked, or only other hosts are fetched from, does not. Further URLs of that host
    end as skips.
    """
    max_styles_per_host: Count | None = 500
    """Maximum style sheets per host. Further ones of that host end as skips."""
    max_pages_per_template: Count | None = None
    """Maximum pages per URL template of a host.

    URLs share a template if they differ only in numbers in the path, and in the values
    of the query. Further ones end as skips.
    """
    max_sitemaps_per_host: Count | None = 10_000
    """Maximum named sitemaps per host. The hosts of a domain count together."""
    traps: bool = True
    """Detect crawler traps.

    Calendars, session ids and sort orders are skipped once they bring nothing new.
    """
    max_bytes: Bytes | None = None
    """Maximum download in total [bytes].

    The response bodies of all runs count. Requests under way then are completed.
    """
    max_time: Seconds | None = None
    """Maximum duration of the crawl [s]. Each resume starts from zero."""
    max_redirects: Annotated[int, Meta(ge=0)] = 10
    """Maximum redirects in a chain."""
    max_links: Count = 50_000
    """Maximum links of one page. Further links are ignored."""


class OutputConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[records]`: what is written to the record stream.

    Example:
        >>> from crawler import OutputConfig
        >>> OutputConfig(include=("links",)).record
        ()
    """

    record: tuple[Literal["skips", "robots"], ...] = ()
    """Further record types to write: skips, robots."""
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
    name that ends in `.gz` or `.zst` compresses. Empty: `records.jsonl` in the folder.
    """
    concurrency: Count = 32
    """Maximum concurrent requests over all hosts."""
    slow_concurrency: Annotated[int, Meta(ge=0)] = 64
    """Further concurrent requests to slow hosts, one to each.

    A host is slow if it takes more than a second to respond. Slow hosts thus do not
    starve fast ones.
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
    """Fields to take from each page, by name: a selector, or a table with its type.

    A selector is `SOURCE:EXPRESSION | pipe`, as in `css:h1::text | strip`. The sources
    are css, xpath, json, jsonld, meta, re, url. The values are `data` of the record.
    """
    site: tuple[SiteConfig, ...] = ()
    """Fields for pages whose URL matches: `match`, `fields`, and `items`.

    With `items`, a selector of repeated elements, the fields are those of each element,
    and each becomes a record of type `item`. Written as `[[site]]` and `[site.fields]`
    at the end of the file, instead of this line.
    """
    http: HttpConfig = HttpConfig()
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
