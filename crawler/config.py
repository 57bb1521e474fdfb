"""The configuration: one frozen struct per stage, each value with its default and its unit.

A stage is built from its own struct and sees no other. `config.example.toml` shows every key with
its default, and a test holds the two together.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=0)]
Bytes = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(gt=0)]


class HttpConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[http]`: the client."""

    user_agent: str = ""
    """Empty: `orbweb/VERSION (+contact)`, see `http/client.py`."""
    headers: dict[str, str] = {}
    """Sent with every request."""
    timeout: Seconds = 60.0
    """Total budget of one request, seconds."""
    dns_timeout: Seconds = 10.0
    connect_timeout: Seconds = 10.0
    """TCP and TLS together, seconds."""
    read_timeout: Seconds = 30.0
    """Longest silence of the server, seconds."""
    max_body: Bytes = 50 * 2**20
    """Of one body, on the wire and decoded alike, bytes."""
    max_header: Bytes = 64 * 2**10
    """Of a response's header section in total, 1xx responses included, bytes."""
    verify_tls: bool = True
    ca_file: str | None = None
    """PEM file of the authorities to trust instead of the system's."""
    address_family: Literal["any", "ipv4", "ipv6"] = "any"
    resolve: tuple[str, ...] = ()
    """`HOST:PORT:ADDR`, as in curl."""
    allow_net: tuple[str, ...] = ()
    """Networks that the address guard lets pass (CIDR). Hosts named by a seed always pass."""
    idle_per_host: Count = 8
    """Idle connections kept for one origin."""
    idle_total: Count = 256
    idle_timeout: Seconds = 15.0


class RobotsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[robots]`: the Robots Exclusion Protocol, RFC 9309."""

    obey: bool = True
    agent: str = "orbweb"
    """Product token looked for in the groups of robots.txt."""
    max_age: Seconds = 86400.0
    """How long a robots.txt is believed, seconds (RFC 9309: at most a day)."""
    nofollow: bool = False
    """Obey `rel=nofollow` and `meta robots nofollow`."""


class PolitenessConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[politeness]`: how hard one host may be asked."""

    per_host: Count = 2
    """Requests to one host at once."""
    wait: Seconds = 0.5
    """Between the starts of two requests to one host, seconds."""
    max_retry_after: Seconds = 3600.0
    """The longest Retry-After that is waited for, seconds; a longer one counts as this."""


class RetryConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[retry]`: which failures get another attempt."""

    tries: Count = 3
    """Attempts at one URL, the first included."""
    statuses: tuple[str, ...] = ("408", "425", "429", "5xx")
    backoff: Seconds = 1.0
    """Before the second attempt, seconds; doubled for each further one, with jitter."""
    max_backoff: Seconds = 60.0


class ScopeConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[scope]`: which links are followed."""

    within: Literal["host", "domain", "prefix", "page", "any"] = "host"
    domains: tuple[str, ...] = ()
    """Further domains whose pages belong to the crawl."""
    rules: tuple[str, ...] = ()
    """`+PATTERN` or `-PATTERN`, regular expressions over the whole URL (`glob:` prefix for globs);
    the last match wins."""
    depth: Annotated[int, Meta(ge=0)] | None = None
    """Links from a seed; None: no limit."""
    images_within: Literal["host", "domain", "any"] = "any"
    """Whose images are fetched for a page in scope: many sites keep theirs on another host."""


class LimitsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`: when to stop. None: no limit."""

    max_pages: Count | None = None
    max_pages_per_host: Count | None = None
    max_bytes: Bytes | None = None
    max_time: Seconds | None = None
    max_redirects: Annotated[int, Meta(ge=0)] = 10
    max_links: Count = 50_000
    """Of one page; the rest is not looked at."""


class ImagesConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[images]`."""

    fetch: bool = True
    min_width: Annotated[int, Meta(ge=0)] = 0
    min_height: Annotated[int, Meta(ge=0)] = 0
    name: str = "{host}/{stem}-{sha256:.8}.{ext}"
    """Template of the path below `images/`: host, stem, sha256, ext, format."""


class OutputConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[output]`: what is written."""

    record: tuple[Literal["skips", "robots"], ...] = ()
    """Record types beyond the default ones."""
    include: tuple[Literal["links", "images", "headers"], ...] = ()
    """Heavy fields (`--with`)."""
    schema_line: bool | None = None
    """First line `{"type":"schema"}`; None: in files yes, on stdout no."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """One crawl, whole."""

    seeds: tuple[str, ...] = ()
    name: str = ""
    dir: str = ""
    """The crawl's folder; empty: named after the first seed's host."""
    output: str = ""
    """The record stream; empty: `records.jsonl` in the folder; `-`: stdout."""
    concurrency: Count = 32
    """Requests at once, over all hosts."""
    grace: Seconds = 10.0
    """How long a stop waits for the requests that are under way, seconds."""
    http: HttpConfig = HttpConfig()
    robots: RobotsConfig = RobotsConfig()
    politeness: PolitenessConfig = PolitenessConfig()
    retry: RetryConfig = RetryConfig()
    scope: ScopeConfig = ScopeConfig()
    limits: LimitsConfig = LimitsConfig()
    images: ImagesConfig = ImagesConfig()
    records: OutputConfig = OutputConfig()
