"""The durable store's tables.

The seen-set is keyed by a hash, so an insert touches a random page of it. At ten
million URLs that is what costs; hence `seen` holds nothing but two integers (some 20
bytes a row, 200 to a page), and all that is wide lies in `url`, which only ever grows
at its end. What the links of one page have in common is one row of `origin`.

What waits is in `queue`, ordered as it will be leased, or in `later`, ordered by time.
A decision to skip is in `skip` until it is overturned or written. A URL in none of the
three has its record. A lease is not in the tables: it lives in the process that holds
the lock, and dies with it.

`host.pages` and `host.images` count the rows of `queue`, `count` the URLs by state, and
by state and code where there is one (the name is then "error dns_timeout", or "page
changed"), so that neither opening a folder nor looking at it needs to count anything.
"""

from typing import get_args

from crawler.frontier.store import Ended
from crawler.model.crawl import Destination

LANES: tuple[Destination, ...] = ("page", "image")

# url.state
WAITING = 0  # in `queue` or in `later`, leased or not
DECIDED = 1  # in `skip`: not to be fetched, unless it is found by a better road
ENDED: dict[Ended, int] = {ended: n for n, ended in enumerate(get_args(Ended), start=2)}

SCHEMA = """
CREATE TABLE seen (url_id INTEGER PRIMARY KEY, seq INTEGER NOT NULL);

CREATE TABLE url (
    seq INTEGER PRIMARY KEY,        -- order of discovery
    host_id INTEGER NOT NULL,
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    lane INTEGER NOT NULL,          -- 0 page, 1 image
    depth INTEGER NOT NULL,
    origin_id INTEGER NOT NULL,
    state INTEGER NOT NULL,         -- above: WAITING, DECIDED, or 2 + index in Ended
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL,                       -- of a retry; otherwise origin.at
    alt TEXT,
    redirects TEXT,                 -- JSON: [[url, status], ...]
    code TEXT,                      -- error_code (of the last attempt), reason of a skip, change
    why TEXT,                       -- the same in words: message, rule, double of what
    digest BLOB,                    -- of the last good answer (`records.Kept`), for the next crawl
    answer BLOB
);
CREATE TABLE origin (
    origin_id INTEGER PRIMARY KEY, parent_url TEXT, seed_url TEXT, at REAL NOT NULL
);

CREATE TABLE queue (
    host_id INTEGER, lane INTEGER, rank INTEGER, seq INTEGER,
    PRIMARY KEY (host_id, lane, rank, seq)
) WITHOUT ROWID;
CREATE TABLE later (not_before REAL, seq INTEGER, PRIMARY KEY (not_before, seq)) WITHOUT ROWID;
CREATE TABLE skip (seq INTEGER PRIMARY KEY, reason TEXT NOT NULL, rule TEXT NOT NULL);

CREATE TABLE host (
    host_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    pages INTEGER NOT NULL DEFAULT 0,
    images INTEGER NOT NULL DEFAULT 0,
    ready_at REAL NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0,
    crawl_delay REAL NOT NULL DEFAULT 0,        -- this and the following: pace.py
    latency REAL NOT NULL DEFAULT 0,
    slowdown REAL NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    parkings INTEGER NOT NULL DEFAULT 0,
    trouble TEXT NOT NULL DEFAULT '',
    cost_pages INTEGER NOT NULL DEFAULT 0,      -- this and the following: costs.py
    cost_bytes INTEGER NOT NULL DEFAULT 0,
    cost_seconds REAL NOT NULL DEFAULT 0,
    cost_until REAL NOT NULL DEFAULT 0
);
CREATE INDEX host_work ON host (ready_at)
    WHERE claimed = 0 AND parked = 0 AND pages + images > 0;
CREATE INDEX host_images ON host (ready_at) WHERE claimed = 0 AND parked = 0 AND images > 0;
CREATE INDEX host_claimed ON host (host_id) WHERE claimed = 1;
CREATE INDEX host_parked ON host (ready_at) WHERE parked = 1;

CREATE TABLE count (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE note (kind TEXT, key TEXT, value BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE content (sha256 TEXT PRIMARY KEY, path TEXT, url TEXT) WITHOUT ROWID;
CREATE TABLE sink (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE run (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    run_id TEXT NOT NULL,
    config TEXT NOT NULL,
    seq INTEGER NOT NULL,
    before TEXT
);
"""
