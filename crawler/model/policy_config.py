"""What is fetched, and when: sections `[robots]` to `[limits]`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from crawler.model.units import Bytes, Count, Seconds


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
    """Delay between the starts of two requests to one host; 0.5-2s: a random one [s].

    The range is for `--wait`; in a file it is `wait` and `max_wait`.
    """
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
    check_external: bool = False
    """Request each link that leaves the scope once, without following it.

    The request is HEAD, and GET if that is refused; robots.txt, the delay and the
    limits of hosts apply. `orbweb links --external` shows what was answered.
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
    keep their images on another host. Style sheets, and what else a mirror needs
    (`bodies.mirror`), are fetched from the same hosts.
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
    """Maximum links of one page. Its record says if there were more (`left_out`)."""
