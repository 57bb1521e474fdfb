"""The configuration: one frozen struct per stage, each value with its default and its
unit.

A stage is built from its own struct and sees no other. `config.example.toml` shows
every key with its default, and a test holds the two together.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from crawler.model.errors import StateError

# The unit lets the loader accept "2h" and "50M" where the number is meant.
Seconds = Annotated[float, Meta(ge=0, extra={"unit": "seconds"})]
Bytes = Annotated[int, Meta(gt=0, extra={"unit": "bytes"})]
Count = Annotated[int, Meta(gt=0)]


class HttpConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[http]`: the client."""

    user_agent: str = ""
    """Empty: `orbweb/VERSION`. Name a way to reach you: a site's owner who can ask does
    not ban."""
    headers: dict[str, str] = {}
    """Sent with every request. A secret is written `env:NAME` or `file:PATH`, and read
    only when the crawl starts; it reaches neither the state nor a log."""
    auth: str = ""
    """`USER:PASSWORD` for the origins of the seeds, by Basic or Digest as they ask for
    it; written `env:NAME` or `file:PATH`."""
    netrc: str = ""
    """File with the credentials of hosts, such as `~/.netrc`; used over https, and for
    seeds."""
    cookies: str = ""
    """File in Netscape's format with the cookies to begin with."""
    cookie_jar: str = ""
    """File for the cookies there are in the end. They are kept in the state in any
    case."""
    proxy: str = ""
    """`http://HOST:PORT` or `socks5h://HOST:PORT`, for all requests; with
    `USER:PASSWORD@` it is written `env:NAME`. Empty: as the environment says
    (`http_proxy`, `https_proxy`, `all_proxy`); `direct`: none."""
    no_proxy: tuple[str, ...] = ()
    """Hosts, domains and networks to be reached without it; empty: as the environment
    says."""
    timeout: Seconds = 60.0
    """Total budget of one request, seconds."""
    dns_timeout: Seconds = 10.0
    """Of one look-up of a name, seconds."""
    connect_timeout: Seconds = 10.0
    """TCP and TLS together, seconds."""
    read_timeout: Seconds = 30.0
    """Longest silence of the server, seconds."""
    max_body: Bytes = 50 * 2**20
    """Of one body, on the wire and decoded alike, bytes."""
    max_in_flight: Bytes = 256 * 2**20
    """Of all bodies of more than a megabyte that are being received, together, bytes;
    what goes beyond waits."""
    max_rate: Bytes | None = None
    """Bytes a second that are received, all requests together; none: no limit. What a
    request waits for it counts as its own time."""
    max_header: Bytes = 64 * 2**10
    """Of a response's header section in total, 1xx responses included, bytes."""
    verify_tls: bool = True
    """Refuse servers whose certificate is wrong."""
    ca_file: str | None = None
    """PEM file of the authorities to trust instead of the system's."""
    client_cert: str = ""
    """PEM file of our own certificate, shown to the seeds' origins only."""
    client_key: str = ""
    """PEM file of its key; empty: in the same file."""
    address_family: Literal["any", "ipv4", "ipv6"] = "any"
    """Which addresses of a name are used."""
    dns_servers: tuple[str, ...] = ()
    """Name servers to ask, `ADDRESS` or `ADDRESS:PORT`; empty: those of the system;
    `system`: leave names to the system altogether."""
    resolve: tuple[str, ...] = ()
    """`HOST:PORT:ADDR[,ADDR]`, as in curl; `*` stands for all hosts."""
    allow_net: tuple[str, ...] = ()
    """Networks that the address guard lets pass (CIDR). Hosts named by a seed always
    pass."""
    max_idle_per_host: Count = 8
    """Idle connections kept for one origin."""
    max_idle: Count = 256
    """Idle connections kept in all."""
    idle_timeout: Seconds = 15.0
    """How long an idle connection is kept, seconds."""


class RobotsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[robots]`: the Robots Exclusion Protocol, RFC 9309."""

    obey: bool = True
    """Off is said in every run record."""
    agent: str = "orbweb"
    """Product token looked for in the groups of robots.txt."""
    max_age: Annotated[float, Meta(ge=0, le=86400, extra={"unit": "seconds"})] = 86400.0
    """How long a robots.txt is believed, seconds (RFC 9309: at most a day)."""
    nofollow: Literal["ignore", "page", "link"] = "page"
    """`page`: follow no link of a page that says so to crawlers (`meta robots`,
    `X-Robots-Tag`); `link`: nor a link with `rel=nofollow`, by which a site does not
    vouch for where it leads."""
    noai: bool = False
    """Leave pages and pictures that are not to be used for machine learning: `noai`,
    `noimageai` in `meta robots` or `X-Robots-Tag`."""


class PolitenessConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[politeness]`: how hard one host may be asked."""

    per_host: Count = 2
    """Requests to one host at once."""
    wait: Seconds = 0.5
    """Between the starts of two requests to one host, seconds."""
    max_wait: Seconds = 0.0
    """If more than `wait`: each wait is drawn by chance from between the two,
    seconds."""
    max_retry_after: Seconds = 3600.0
    """The longest Retry-After that is waited for, seconds; a longer one counts as
    this."""
    adaptive: bool = True
    """Ask more slowly than `wait` says where a host answers slowly, or with 429 or
    503."""
    max_adaptive_wait: Seconds = 60.0
    """The longest wait that comes of it, seconds."""
    host_backoff: Seconds = 1.0
    """How long a host is left alone that could not be reached, seconds; doubled by each
    further failure in a row."""
    park_after: Count = 3
    """Failures in a row after which a host is parked: its URLs wait, and a crawl that
    has nothing else left to do ends without them."""
    park_time: Seconds = 1800.0
    """How long a host is parked, seconds; doubled each time, up to a day."""
    max_parkings: Count = 3
    """How often a host is parked before its URLs end with the error `host_parked`."""


class RetryConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[retry]`: which failures get another attempt."""

    tries: Count = 3
    """Attempts at one URL, the first included."""
    statuses: tuple[str, ...] = ("408", "425", "429", "5xx")
    """Answers that a later attempt may change; `5xx` stands for the whole class."""
    backoff: Seconds = 1.0
    """Before the second attempt, seconds; doubled for each further one, with jitter."""
    max_backoff: Seconds = 60.0
    """The longest wait between two attempts, seconds."""


class ScopeConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[scope]`: which links are followed."""

    within: Literal["host", "domain", "prefix", "page", "any"] = "host"
    """Measured from the seeds: their hosts, their registrable domains, their folders,
    nothing but the seeds themselves, or the whole web."""
    domains: tuple[str, ...] = ()
    """Further domains whose pages belong to the crawl."""
    rules: tuple[str, ...] = ()
    """`+PATTERN` or `-PATTERN`, regular expressions over the whole URL (`glob:` prefix
    for globs); the last match wins."""
    strip_params: tuple[str, ...] = (
        "utm_*", "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "yclid", "mc_eid",
    )  # fmt: skip
    """Parameters that are taken off the addresses of links: those by which advertisers
    count, which change no page. Add a site's session ids. Seeds and redirects stay as
    they are."""
    dedupe_content: bool = False
    """Write a page or a file once: what has the same bytes under another URL ends as a
    skip. Its links are followed all the same, for where they lead depends on the
    URL."""
    sitemaps: bool = False
    """Start also from the sitemaps that robots.txt names, where that is read
    (`robots.obey`); their pages count as one link away."""
    depth: Annotated[int, Meta(ge=0)] | None = None
    """Links from a seed; none: no limit."""
    images_within: Literal["host", "domain", "any"] = "any"
    """Whose images are fetched for a page in scope: many sites keep theirs on another
    host."""


class LimitsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`: when to stop; none: no limit."""

    max_pages: Count | None = None
    """Pages fetched in all."""
    max_pages_per_host: Count | None = None
    """Pages fetched from one host; its further ones end as `skip`, and the crawl goes
    on."""
    max_bytes_per_host: Bytes | None = None
    """Body bytes received from one host, bytes; then its further URLs end as `skip`."""
    max_time_per_host: Seconds | None = None
    """Time of one host's requests, and of the pauses it is owed after them, seconds,
    over all runs; then its further URLs end as `skip`. Where it waits for others, or is
    parked, none passes."""
    max_pages_per_template: Count | None = None
    """Pages of one host whose paths differ in nothing but numbers, and in their query's
    values; further ones end as `skip`."""
    traps: bool = True
    """Cut what goes on for ever without a new word: calendars, session ids, orders of
    one list."""
    max_bytes: Bytes | None = None
    """Body bytes received in all; a resume counts on. No request begins after that, and
    what is under way is kept."""
    max_time: Seconds | None = None
    """Duration of the crawl, seconds; each resume starts anew."""
    max_redirects: Annotated[int, Meta(ge=0)] = 10
    """In one chain."""
    max_links: Count = 50_000
    """Of one page; the rest is not looked at."""


class ImagesConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[images]`: the pictures of the pages."""

    fetch: bool = True
    """Fetch them."""
    min_width: Annotated[int, Meta(ge=0)] = 0
    """Narrower ones are not kept, pixels."""
    min_height: Annotated[int, Meta(ge=0)] = 0
    """Lower ones are not kept, pixels."""
    name: str = "{host}/{stem}-{sha256:.8}.{ext}"
    """Template of the path below `images/`: host, stem, sha256, ext, format."""


class OutputConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[records]`: what is written to the stream."""

    record: tuple[Literal["skips", "robots"], ...] = ()
    """Record types beyond the default ones: `skips`, `robots`."""
    include: tuple[Literal["links", "images", "headers"], ...] = ()
    """Heavy fields: `links`, `images`, `headers`."""
    schema_line: bool | None = None
    """Begin with a typed `{"type":"schema"}` line, so that DuckDB and others know every
    column; none: in files yes, on stdout no."""


class PluginConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[[plugin]]`: a plug-in and its options. In the file the options stand beside
    `use`."""

    use: str
    """`module:object`, or the name under which an installed package offers it."""
    options: dict[str, Any] = {}
    """Keyword arguments for the class."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """One crawl, whole."""

    seeds: tuple[str, ...] = ()
    """Where to start: URLs. Without a scheme, https is assumed."""
    name: str = ""
    """Of the crawl, for people; a job without `dir` keeps its files in a folder of this
    name."""
    dir: str = ""
    """The crawl's folder; empty: named after the first seed's host."""
    output: tuple[str, ...] = ()
    """Where the records go, each to all of these, in the format that the ending of the
    name tells (`.jsonl`); empty: `records.jsonl` in the folder; `-`: stdout."""
    concurrency: Count = 32
    """Requests at once, over all hosts."""
    slow_concurrency: Annotated[int, Meta(ge=0)] = 64
    """Further ones to hosts that keep us waiting for more than a second, one to each,
    so that they keep no place from others."""
    grace: Seconds = 10.0
    """How long a stop waits for the requests that are under way, seconds."""
    fail_on: str = ""
    """End with exit code 8 if URLs failed: `any`, `seed` (one of the seeds) or a share
    of all fetches, `5%`. Empty: never."""
    plugin: tuple[PluginConfig, ...] = ()
    """Plug-ins, your own Python in the crawl, called in this order. Each is a table:
    `use` names it as `module:object`, and its own options stand beside that, as in
    `{ use = "shop:Prices", currency = "EUR" }`. They may also be written as
    `[[plugin]]` tables at the end of the file, instead of this line."""
    http: HttpConfig = HttpConfig()
    robots: RobotsConfig = RobotsConfig()
    politeness: PolitenessConfig = PolitenessConfig()
    retry: RetryConfig = RetryConfig()
    scope: ScopeConfig = ScopeConfig()
    limits: LimitsConfig = LimitsConfig()
    images: ImagesConfig = ImagesConfig()
    records: OutputConfig = OutputConfig()


class CrawlFile(Config, frozen=True, forbid_unknown_fields=True):
    """A configuration file: one crawl, or several that share what stands at the top."""

    jobs: Literal["in_order", "side_by_side"] = "in_order"
    """How the `[[job]]` tables are run."""
    job: tuple[Config, ...] = ()
    """Each `[[job]]` is a crawl of its own; what it says overrides the top of the
    file."""


def to_json(config: Config) -> bytes:
    """The form kept in the state of a crawl. Secrets stay as they are named
    (`env:NAME`)."""
    return msgspec.json.encode(config)


def from_json(data: bytes) -> Config:
    """Back from the state. Raises StateError if another version of the program wrote
    it."""
    try:
        return msgspec.json.decode(data, type=Config)
    except msgspec.DecodeError as error:
        raise StateError(
            f"the configuration kept in the state can't be read ({error}); "
            "it was written by another version: resume with that one, or start again with --fresh"
        ) from error
