"""What rooms keep in the store beside URLs: small values under (kind, key).

They become durable in the store's commit, together with the records that they belong
to. The values of each kind, and who writes them:
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Protocol

import msgspec
from msgspec import Struct

ROBOTS_TXT = "robots"
"""By origin: its robots.txt (`policy/robots_cache.py`)."""
COOKIES = "cookies"
"""By domain: its cookies (`workspace/credential_files.py`)."""
COOKIE_FILE = "cookie file"
"""Under "": the SHA-256 of the file of cookies that was read last."""
SESSION = "session"
"""Under "", in a shard: of which login of the whole crawl it has the cookies.

See `engine/shard_link.py`.
"""
SEED_REDIRECTS = "added seed"
"""By URL where the redirects of a seed end: the seed (`engine/seed_redirects.py`).

It is empty in a state of before, where each URL of such a chain is in scope.
"""
PAGES_OF_TEMPLATE = "template"
"""The number of pages by host and template, in decimal.

`limits.max_pages_per_template` bounds it.
"""
SITEMAPS_OF_DOMAIN = "sitemaps"
"""The number of sitemaps fetched from a registrable domain, in decimal.

`limits.max_sitemaps_per_host` bounds it.
"""
SITEMAP_INDEXES = "sitemap index"
"""By URL of a sitemap index: its level, from 1 on (`policy/sitemap_limits.py`)."""
STYLES_OF_HOST = "styles"
"""The number of style sheets by host, in decimal. `limits.max_styles_per_host`."""
IMPORT_DEPTH = "import depth"
"""By URL of an imported style sheet: through how many others, in decimal.

Also by URL of another requisite of what is no page itself (`policy/url_chains.py`).
"""
API_REQUEST = "api request"
"""By URL of an answer of an `[[api]]` but the first: how many came before it."""
TRAPS = "traps"
"""By host: the templates that were cut (`policy/traps/`)."""
TRAPS_OUT_OF_MEMORY = "traps out of memory"
"""By host that is no longer in memory: the scores of its templates."""

NEEDS_JAVASCRIPT = "needs javascript"
"""The number of pages that need JavaScript, in decimal: under "pages" and "seeds".

The seeds among them are counted a second time (`engine/shell_pages.py`).
"""
ITEMS = "items"
"""The number of items that pages had (`item` records), in decimal: under "items"."""
LEFT_OUT = "left out"
"""By what a limit has left out of a document: in how many documents, in decimal."""
REQUESTS_BY_CODE = "requests by code"
"""By status or `error_code`: the number of requests that ended so, in decimal.

Those for robots.txt and further attempts count. It never gets smaller: a recrawl goes
on with it (`engine/host_requests.py`).
"""
REOPENED = "reopened output"
"""By name of an output whose first records are in files that were moved away.

See `engine/moved_outputs.py`; the value is "1".
"""
EXTERNAL = "external"
"""The number of URLs out of scope that were requested, in decimal: "urls", "broken".

"not checked": those whose address denied a request. See `engine/external_links.py`.
"""
POISON_URLS = "poison url"
"""By URL: how often the process died while it read the response, in decimal."""
SILENT_HOSTS = "silent host"
"""By host that has not answered for `SILENT_S`: since when, and how many requests.

The crawl that is at work writes them twice a second if they change, for those who
watch it (`frontier/silent_hosts.py`). They mean nothing where no process works.
"""
BOOT = "boot"
"""Under "", while a run is under way: the boot id (`workspace/recovery.py`)."""
CLOCKS = "clocks"
"""Under "": what the clocks showed at the last commit, as `save_clocks` puts it.

Moments in a state are by the crawl's own clock, which is never set
(`engine/steady_clock.py`). The system's clock may be, so both are kept together.
"""
RUNS = "runs"
"""Under "": when the last run began, and those before it, as `note_start` puts it."""
REQUESTS = "extraction"
"""The fingerprint of the requests that the stored responses answered, under "".

See `model/fingerprint.py`; that of the extraction is stored with each response.
"""
EXTRACT_OF = "extract of"
"""Under "": what was extracted again (`engine/extraction/`). No crawl has it."""
WARC_PAYLOAD = "warc payload"
"""By digest of a payload: the WARC record that holds it (`output/warc/archive.py`)."""
WARC_VALIDATED = "warc validated"
"""By URL: the WARC record of its last answer that had a validator."""
LINKS_DICTIONARY = "links dictionary"
"""Under "": what the links of documents are compressed with.

See `frontier/sqlite/link_rows.py`.
"""
THUMBNAILS = "thumbnail"
"""By the SHA-256 of a picture: the SHA-256 and the path of its thumbnail."""
LOOKS = "look"
"""By the start of a SHA-256: the look of the picture, and its URL.

See `engine/images/look_index.py`; a look is described in `extract/looks/look.py`.
"""
BEST_OF_LOOK = "look best"
"""By the start of the SHA-256 of the first picture of a look: the best one that has it.

See `engine/images/look_groups.py`.
"""
LOOKS_BY_CHUNK = "look bucket"
"""By place and value of 16 bits of a perceptual hash: the pictures that have them.

Where those are many, also by 12 of the other bits.
"""
MIRROR = "mirror"
"""By URL: what a mirror needs of its answer (`engine/archive/mirror_entries.py`)."""

PER_CRAWL = (
    PAGES_OF_TEMPLATE,
    STYLES_OF_HOST,
    SITEMAPS_OF_DOMAIN,
    TRAPS_OUT_OF_MEMORY,
    POISON_URLS,
    REOPENED,
    NEEDS_JAVASCRIPT,
    EXTERNAL,
    ITEMS,
    LEFT_OUT,
    RUNS,
)
"""Kinds of metadata that a recrawl clears."""


class Readable(Protocol):
    """Values under (kind, key) that are only looked at."""

    def get(self, kind: str, key: str) -> bytes | None:
        """The value; None if there is none."""
        ...


class KeyValue(Readable, Protocol):
    """Values under (kind, key), as a room sees the store."""

    def set(self, kind: str, key: str, value: bytes | None) -> None:
        """Keep a value; None deletes it."""
        ...

    def items(self, kind: str) -> Iterable[tuple[str, bytes]]:
        """All keys and values of one kind, in order of the keys."""
        ...


def increase(metadata: KeyValue, kind: str, key: str, by: int = 1) -> None:
    """Add to a number that is kept in decimal."""
    metadata.set(kind, key, b"%d" % (read_number(metadata, kind, key) + by))


def read_number(metadata: Readable, kind: str, key: str) -> int:
    """A number that is kept in decimal; 0 if there is none."""
    return int(metadata.get(kind, key) or 0)


MIN_SHIFT_S = 1.0
"""Less than this is how clocks are kept right (NTP), and is left alone (seconds)."""


def save_clocks(metadata: KeyValue, steady: float, wall: float) -> None:
    """Keep what the crawl's own clock and the system's show, in seconds."""
    metadata.set(CLOCKS, "", msgspec.msgpack.encode((steady, wall)))


def clock_shift(metadata: Readable, now: float) -> float:
    """By how much the system's clock is ahead of the moments in the state (seconds).

    `now`: what it shows, seconds since the epoch. Where it was set back since the last
    commit, no time has passed since then. A damaged value tells nothing: 0.
    """
    clocks = _clocks(metadata)
    if clocks is None:
        return 0.0
    steady, wall = clocks
    shift = now - (steady + max(0.0, now - wall))
    return shift if MIN_SHIFT_S <= abs(shift) < inf else 0.0


def saved_at(metadata: Readable) -> float | None:
    """When the last commit was, by the system's clock (seconds since the epoch).

    None in a state that does not tell.
    """
    clocks = _clocks(metadata)
    return None if clocks is None else clocks[1]


class Runs(Struct, frozen=True, array_like=True):
    """The runs of a crawl, by the system's clock."""

    started: float
    """When the last one began, seconds since the epoch."""
    before: int = 0
    """How many were before it."""
    seconds_before: float = 0.0
    """How long these took."""


def note_start(metadata: KeyValue, now: float) -> None:
    """Note that a run begins; call it before the clocks are saved.

    The run before it ended with its last commit: it may have been killed.
    """
    runs, ended = read_runs(metadata), saved_at(metadata)
    new = Runs(now)
    if runs is not None:
        took = max(0.0, (ended or runs.started) - runs.started)
        new = Runs(now, runs.before + 1, runs.seconds_before + took)
    metadata.set(RUNS, "", msgspec.msgpack.encode(new))


def read_runs(metadata: Readable) -> Runs | None:
    """The runs of the crawl; None in a state that does not tell."""
    encoded = metadata.get(RUNS, "")
    if encoded is None:
        return None
    try:
        return msgspec.msgpack.decode(encoded, type=Runs)
    except msgspec.DecodeError:
        return None


def _clocks(metadata: Readable) -> tuple[float, float] | None:
    """What `save_clocks` has kept; None without it, or if it is damaged."""
    encoded = metadata.get(CLOCKS, "")
    if encoded is None:
        return None
    try:
        return msgspec.msgpack.decode(encoded, type=tuple[float, float])
    except msgspec.DecodeError:
        return None
