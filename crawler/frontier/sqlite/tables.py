"""The durable store's tables.

The seen-set is keyed by a hash, so an insert touches a random page of it. At ten
million URLs that is what costs; hence `seen` holds nothing but two integers (some 20
bytes a row, 200 to a page), rows are put into it in sorted slices, from `unmerged`
(`seen_set.py`), and all that is wide lies in `url`, which only ever grows at its end.
What the links of one page have in common is one row of `origin`.

A URL that waits is in `queue`, ordered as it will be leased, or in `retry`, ordered by
time. With a long queue, some of those from `unplaced.first_seq` on may not be in
`queue` yet (`pending_updates.py`). A decision to skip is in `skip` until it is
overturned or written. A URL in none of these has its record. A lease is not in the
tables: it lives in the process that holds the lock, and ends with it.

`host.pages` and `host.images` count the rows of `queue`, style sheets among the images;
`count` has the number of URLs in each state, and in each state and code (its name is
then "error dns_timeout", or "page changed"). So neither opening a folder nor looking at
it needs to count anything.

`seen.url_id` is the hash of the URL's key (`model/url.py`), which equivalent URLs
share; `url.url` is as the first link wrote it.

`outlink` has a row for each document with links, and for each redirect: what it links
to, packed (`link_rows.py`). It is not ordered by target: who asks for the links to a
URL reads all rows.

A change of these tables, or of what is in them, is a new FORMAT, with a step in
`migrate.py` and a folder of the old format among the tests.
"""

from typing import get_args

from crawler.frontier.store import Ended
from crawler.model.crawl import Destination, Queue

FORMAT = 10
"""`PRAGMA user_version` of the file."""
OLDEST = 4
"""Formats before were never in a release that promised to keep them."""

DESTINATIONS: tuple[Destination, ...] = (
    "page", "image", "style", "subresource", "external"
)  # fmt: skip
"""What the numbers in the column `url.destination` mean."""
QUEUES: tuple[Queue, ...] = get_args(Queue)
"""What the numbers in the column `queue.destination` mean."""

# url.state
QUEUED = 0  # in `queue` or in `retry`, leased or not
PENDING_SKIP = 1  # in `skip`: not fetched, unless a better find overturns that
ENDED: dict[Ended, int] = {ended: n for n, ended in enumerate(get_args(Ended), start=2)}

SEEN_LOG = """
CREATE TABLE unmerged (first_seq INTEGER PRIMARY KEY, url_ids BLOB NOT NULL);
CREATE TABLE merged (bucket INTEGER PRIMARY KEY, seq INTEGER NOT NULL)
"""
UNPLACED = """
CREATE TABLE unplaced (
    one INTEGER PRIMARY KEY CHECK (one = 1), first_seq INTEGER NOT NULL
)
"""
SCHEMA = f"""
CREATE TABLE seen (url_id INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
{SEEN_LOG};

CREATE TABLE url (
    seq INTEGER PRIMARY KEY,        -- order of discovery
    host_id INTEGER NOT NULL,
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    destination INTEGER NOT NULL,   -- index in DESTINATIONS
    depth INTEGER NOT NULL,
    origin_id INTEGER NOT NULL,
    state INTEGER NOT NULL,         -- QUEUED, PENDING_SKIP, or a number of ENDED
    attempts INTEGER NOT NULL DEFAULT 0,
    retry_at REAL,                  -- of a URL that failed; NULL: due since found_at
    alt TEXT,
    redirects TEXT,                 -- JSON: [[url, status], ...]
    context BLOB,                   -- JSON: `ImageContext`
    code TEXT,                      -- error_code (of the last attempt), reason, change
    detail TEXT,                    -- the same in words: message, rule, duplicate
    digest BLOB,                    -- with cached_fields: `StoredResponse`
    cached_fields BLOB
);
CREATE TABLE origin (
    origin_id INTEGER PRIMARY KEY,
    parent_url TEXT,
    seed_url TEXT,
    found_at REAL NOT NULL
);

CREATE TABLE outlink (seq INTEGER PRIMARY KEY, links BLOB NOT NULL);

CREATE TABLE queue (
    host_id INTEGER, destination INTEGER, rank INTEGER, seq INTEGER,
    PRIMARY KEY (host_id, destination, rank, seq)
) WITHOUT ROWID;
{UNPLACED};
CREATE TABLE retry (
    retry_at REAL, seq INTEGER, PRIMARY KEY (retry_at, seq)
) WITHOUT ROWID;
CREATE TABLE skip (seq INTEGER PRIMARY KEY, reason TEXT NOT NULL, rule TEXT NOT NULL);

CREATE TABLE host (
    host_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    pages INTEGER NOT NULL DEFAULT 0,
    images INTEGER NOT NULL DEFAULT 0,
    ready_at REAL NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0,
    crawl_delay REAL NOT NULL DEFAULT 0,        -- from here: `HostThrottle`
    latency REAL NOT NULL DEFAULT 0,
    slowdown REAL NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    parkings INTEGER NOT NULL DEFAULT 0,
    failure_code TEXT NOT NULL DEFAULT '',
    used_pages INTEGER NOT NULL DEFAULT 0,      -- from here: `HostUsage`
    used_bytes INTEGER NOT NULL DEFAULT 0,
    used_seconds REAL NOT NULL DEFAULT 0,
    used_until REAL NOT NULL DEFAULT 0
);
CREATE INDEX host_work ON host (ready_at)
    WHERE claimed = 0 AND parked = 0 AND pages + images > 0;
CREATE INDEX host_images ON host (ready_at)
    WHERE claimed = 0 AND parked = 0 AND images > 0;
CREATE INDEX host_claimed ON host (host_id) WHERE claimed = 1;
CREATE INDEX host_parked ON host (ready_at) WHERE parked = 1;

CREATE TABLE count (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE metadata (
    kind TEXT, key TEXT, value BLOB, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE content (sha256 TEXT PRIMARY KEY, path TEXT, url TEXT) WITHOUT ROWID;
CREATE TABLE sink (name TEXT PRIMARY KEY, position BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE run (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    run_id TEXT NOT NULL,
    config TEXT NOT NULL,
    seq INTEGER NOT NULL,
    previous_run_id TEXT
);
"""
