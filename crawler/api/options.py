"""Keyword arguments of `crawl` and `fetch`, as settings of a `Config`.

A keyword is the last part of a key of the configuration (`max_pages` for
`limits.max_pages`), and takes what the configuration file takes there: a number, or a
text such as "2h" or "50M". Where the last part says too little without its section, the
keyword has a name of its own: see `KEYWORDS`. A test holds that every key has a
keyword.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, TypedDict

from crawler.model.config import Config
from crawler.model.content_config import ApiConfig, FieldConfig, ImageFormat, SiteConfig
from crawler.model.record_base import OptionalField
from crawler.settings.fields import Path, keys
from crawler.settings.load import Setting, from_flag, load
from crawler.settings.resumed import settings_of


class CrawlOptions(TypedDict, total=False):
    """The keyword arguments of `crawl` and `fetch`. All have defaults.

    `orbweb config init` prints all settings with their defaults and what they mean;
    `docs/api.md` says which setting a keyword is.

    Example:
        >>> from crawler import CrawlOptions
        >>> polite: CrawlOptions = {"wait": 2.0, "per_host": 1, "user_agent": "me"}
    """

    dir: str | os.PathLike[str]
    output: str | os.PathLike[str] | Sequence[str]
    concurrency: int
    slow_concurrency: int
    extract_processes: int | Literal["auto"]
    grace: float | str
    fail_on: str
    fields: Mapping[str, FieldConfig | str]
    site: Sequence[SiteConfig]
    api: Sequence[ApiConfig]
    # http
    user_agent: str
    contact: str
    headers: Mapping[str, str]
    auth: str
    netrc: str
    cookies: str
    cookie_pairs: Mapping[str, str]
    cookie_jar: str
    proxy: str
    no_proxy: Sequence[str]
    timeout: float | str
    dns_timeout: float | str
    connect_timeout: float | str
    read_timeout: float | str
    max_body: int | str
    max_in_flight: int | str
    max_rate: int | str | None
    max_header: int | str
    verify_tls: bool
    tls_ciphers: str
    ca_file: str | None
    client_cert: str
    client_key: str
    address_family: Literal["any", "ipv4", "ipv6"]
    dns_servers: Sequence[str]
    resolve: Sequence[str]
    allow_net: Sequence[str]
    max_idle_per_host: int
    max_idle: int
    idle_timeout: float | str
    # login
    login: str
    login_form: Mapping[str, str]
    logout_pattern: str | None
    # robots
    robots: bool
    robots_agent: str
    robots_max_age: float | str
    nofollow: Literal["ignore", "page", "link"]
    noai: bool
    # politeness
    per_host: int
    wait: float | str
    max_wait: float | str
    max_retry_after: float | str
    adaptive: bool
    max_adaptive_wait: float | str
    host_backoff: float | str
    park_after: int
    park_time: float | str
    max_park_wait: float | str
    max_parkings: int
    # retry
    tries: int
    retry_on: Sequence[str]
    backoff: float | str
    max_backoff: float | str
    # scope
    scope: Literal["host", "domain", "prefix", "page", "any"]
    domains: Sequence[str]
    include: str | Sequence[str]
    exclude: str | Sequence[str]
    strip_params: Sequence[str]
    dedupe_content: bool
    sitemaps: bool
    check_external: bool
    depth: int | None
    follow_redirect: Literal["any", "same-domain", "never"]
    images_within: Literal["host", "domain", "any"]
    # limits
    max_pages: int | None
    max_pages_per_host: int | None
    max_bytes_per_host: int | str | None
    max_time_per_host: float | str | None
    max_styles_per_host: int | None
    max_pages_per_template: int | None
    max_sitemaps_per_host: int | None
    traps: bool
    max_bytes: int | str | None
    max_time: float | str | None
    max_redirects: int
    max_links: int
    # images
    images: bool
    styles: bool
    srcset: Literal["best", "auto", "smallest", "all"]
    prefer_formats: Sequence[ImageFormat]
    min_width: int
    min_height: int
    phash: bool
    dedupe: Literal["exact", "near"]
    verify: bool
    keep_damaged: bool
    gps: bool
    thumbnails: int | None
    max_width: int | None
    max_height: int | None
    min_pixels: int
    max_pixels: int | None
    min_file_size: int | str
    max_file_size: int | str | None
    max_ratio: float | None
    image_formats: Sequence[ImageFormat]
    icons: bool
    image_name: str
    # bodies
    save: Sequence[str]
    mirror: bool
    hash_files: bool
    # records
    record: Sequence[Literal["skips", "robots"]]
    only_keep: Sequence[str]
    optional_fields: Sequence[OptionalField]
    text: Literal["main", "whole"]
    keep_truncated: Literal["none", "pages", "all"]
    schema_line: bool | None
    rotate: str
    # warc
    warc: bool
    warc_prefix: str
    warc_max_size: int | str
    wacz: bool
    warc_secrets: bool


KEYWORDS: dict[Path, str] = {
    ("login", "url"): "login",
    ("login", "form"): "login_form",
    ("robots", "obey"): "robots",
    ("robots", "agent"): "robots_agent",
    ("robots", "max_age"): "robots_max_age",
    ("retry", "statuses"): "retry_on",
    ("scope", "within"): "scope",
    ("images", "fetch"): "images",
    ("images", "name"): "image_name",
    ("images", "formats"): "image_formats",
    ("records", "include"): "optional_fields",
    ("warc", "write"): "warc",
    ("warc", "prefix"): "warc_prefix",
    ("warc", "max_size"): "warc_max_size",
    ("warc", "wacz"): "wacz",
    ("warc", "secrets"): "warc_secrets",
}
"""The keyword of a key whose last part says too little by itself."""

RULES: Path = ("scope", "rules")
_SIGNS = {"include": "+", "exclude": "-"}
_BY_OTHER_MEANS: set[Path] = {("seeds",), ("name",), ("plugin",), RULES}
"""Keys without a keyword: arguments of their own, or `include` and `exclude`."""


def keyword_paths() -> dict[str, Path]:
    """The key of each keyword that stands for one."""
    return {
        KEYWORDS.get(path, path[-1]): path
        for path in keys()
        if path not in _BY_OTHER_MEANS
    }


def configure(
    function: str, base: Config | None, urls: Sequence[str], options: Mapping[str, Any]
) -> Config:
    """`base` with the URLs added and the options changed.

    Raises TypeError for an option that `function` does not have, UsageError for a value
    or a URL that cannot be used.
    """
    settings = [] if base is None else list(settings_of(base, "Config"))
    if urls:
        settings.append(Setting(("seeds",), tuple(urls), "URL", adds=True))
    settings += _settings(function, options)
    (job,) = load(None, {}, settings).jobs
    return job.config


def _settings(function: str, options: Mapping[str, Any]) -> Iterator[Setting]:
    paths = keyword_paths()
    for name, value in options.items():
        if name in _SIGNS:
            patterns = [value] if isinstance(value, str) else value
            rules = [f"{_SIGNS[name]}{pattern}" for pattern in patterns]
            yield from_flag(RULES, rules, name, adds=True)
        elif name in paths:
            plain = os.fspath(value) if isinstance(value, os.PathLike) else value
            yield from_flag(paths[name], plain, name)
        else:
            near = get_close_matches(name, [*paths, *_SIGNS], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(
                f"{function}() got an unexpected keyword argument {name!r}{hint}"
            )
